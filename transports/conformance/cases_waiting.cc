// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// Conformance: sleeping and waking.

#include "nearcall/transports/api/poll.h"
#include "nearcall/transports/conformance/conformance.h"
#include "nearcall/transports/conformance/drive.h"

namespace nearcall {
namespace {

// Machines that run tests are busy: late by this much is still in time.
constexpr int64_t kLate = 1500 * kMillisecond;

// Commits and flushes until the medium takes no more.
void Fill(Endpoint& end) {
  absl::Span<char> space;
  const size_t size = std::min<size_t>(end.info().max_frame, 32'768);
  int blocked = 0;  // cut transfers may refuse although there is space
  while (blocked < 50) {
    if (end.Reserve(size, &space) == Io::kOk) {
      ASSERT_EQ(end.Commit(size, {}), Io::kOk);
    } else {
      ++blocked;
    }
    ASSERT_NE(end.Flush(), Io::kClosed);
  }
}

TEST_P(NearcallConformanceTest, WaitEndsAtItsDeadline) {
  auto listener = Listen();
  ASSERT_NE(listener, nullptr);
  ConformancePair pair = Establish(*listener);
  ASSERT_NE(pair.server, nullptr);
  for (int round = 0; round < 2; ++round) {
    for (const int64_t ms : {0, 1, 7, 25, 60, 130}) {
      const int64_t begin = MonotonicNanos();
      const int64_t deadline = begin + ms * kMillisecond;
      EXPECT_EQ(pair.client->Wait(Side::kReceive, deadline), Io::kWouldBlock);
      const int64_t end = MonotonicNanos();
      EXPECT_GE(end, deadline) << "early by " << (deadline - end) << " ns of " << ms << " ms";
      EXPECT_LT(end, deadline + kLate) << "late";
    }
    EXPECT_EQ(pair.client->Wait(Side::kReceive, MonotonicNanos() - kMillisecond), Io::kWouldBlock) << "long past";
    // The second round with the death left to us.
    if (pair.client->TakeDeathWatch() < 0) break;
  }
}

TEST_P(NearcallConformanceTest, WaitEndsWithAFrame) {
  auto listener = Listen();
  ASSERT_NE(listener, nullptr);
  ConformancePair pair = Establish(*listener);
  ASSERT_NE(pair.server, nullptr);
  for (int round = 0; round < 2; ++round) {
    for (const bool infinite : {true, false}) {
      std::string got;
      Sleeper receiver([&] {
        EXPECT_EQ(ReceiveFrame(*pair.client, &got, infinite ? kNoDeadline : After(kPatience)), Io::kOk)
            << pair.client->status();
      });
      EXPECT_TRUE(receiver.AwaitAsleep());
      EXPECT_EQ(SendFrame(*pair.server, "wake up"), Io::kOk);
      EXPECT_TRUE(receiver.AwaitEnd());
      EXPECT_EQ(got, "wake up");
    }
    if (pair.client->TakeDeathWatch() < 0) break;
  }
}

TEST_P(NearcallConformanceTest, ArmAndDisarm) {
  auto listener = Listen();
  ASSERT_NE(listener, nullptr);
  ConformancePair pair = Establish(*listener);
  ASSERT_NE(pair.server, nullptr);
  Endpoint& end = *pair.server;
  EXPECT_FALSE(Ready(end, Side::kReceive)) << "nothing was sent";
  for (int i = 0; i < 3; ++i) {
    // Armed, then something comes.
    ASSERT_TRUE(end.Arm(Side::kReceive));
    std::array<pollfd, 3> fds = end.PollFds(Side::kReceive);
    EXPECT_EQ(PollUntil(absl::MakeSpan(fds), 0), 0);
    ASSERT_EQ(SendFrame(*pair.client, "a"), Io::kOk);
    ASSERT_EQ(SendFrame(*pair.client, "b"), Io::kOk);
    EXPECT_GT(PollUntil(absl::MakeSpan(fds), After(kPatience)), 0);
    end.Disarm(Side::kReceive);
    // Something is there already: either it refuses, or it is ready at once.
    EXPECT_TRUE(Ready(end, Side::kReceive, kPatience));
    std::string frame;
    EXPECT_EQ(ReceiveFrame(end, &frame), Io::kOk);
    EXPECT_TRUE(Ready(end, Side::kReceive, kPatience)) << "the second is still there";
    EXPECT_EQ(ReceiveFrame(end, &frame), Io::kOk);
    EXPECT_EQ(frame, "b");
    EXPECT_FALSE(Ready(end, Side::kReceive)) << "the wake-up was swallowed";
    end.Disarm(Side::kReceive);  // once too often does no harm
  }
  // The descriptors do not change.
  const auto before = end.PollFds(Side::kReceive);
  ASSERT_TRUE(Transfer(*pair.client, end, {"c"}));
  const auto after = end.PollFds(Side::kReceive);
  for (size_t i = 0; i < before.size(); ++i) EXPECT_EQ(before[i].fd, after[i].fd);
}

TEST_P(NearcallConformanceTest, SpaceWakesAnArmedSender) {
  auto listener = Listen();
  ASSERT_NE(listener, nullptr);
  ConformancePair pair = Establish(*listener);
  ASSERT_NE(pair.server, nullptr);
  Fill(*pair.client);
  Sleeper sender([&] {
    // As large as what did not fit.
    const size_t size = std::min<size_t>(pair.client->info().max_frame, 32'768);
    EXPECT_EQ(SendFrame(*pair.client, Pattern(size, 1)), Io::kOk) << pair.client->status();
    EXPECT_EQ(SendFrame(*pair.client, "last"), Io::kOk) << pair.client->status();
  });
  if (GetParam().mode == IoMode::kNormal) {
    EXPECT_TRUE(sender.AwaitAsleep());
  }
  std::string frame;
  Io io;
  while ((io = ReceiveFrame(*pair.server, &frame)) == Io::kOk && frame != "last") {
  }
  EXPECT_EQ(frame, "last") << pair.server->status();
  EXPECT_TRUE(sender.AwaitEnd());
}

TEST_P(NearcallConformanceTest, CloseWakesTheSleepersOfBothEnds) {
  auto listener = Listen();
  ASSERT_NE(listener, nullptr);
  for (const bool taken : {false, true}) {
    ConformancePair pair = Establish(*listener);
    ASSERT_NE(pair.server, nullptr);
    if (taken) {
      static_cast<void>(pair.client->TakeDeathWatch());
      static_cast<void>(pair.server->TakeDeathWatch());
    }
    std::string nothing;
    Sleeper own([&] { EXPECT_EQ(ReceiveFrame(*pair.client, &nothing, kNoDeadline), Io::kClosed); });
    std::string there;
    Sleeper peer([&] { EXPECT_EQ(ReceiveFrame(*pair.server, &there, kNoDeadline), Io::kClosed); });
    EXPECT_TRUE(own.AwaitAsleep());
    EXPECT_TRUE(peer.AwaitAsleep());
    pair.client->Close(absl::AbortedError("enough"));
    EXPECT_TRUE(own.AwaitEnd());
    EXPECT_TRUE(peer.AwaitEnd());
    EXPECT_EQ(pair.client->status(), absl::AbortedError("enough"));
    EXPECT_EQ(pair.server->status().code(), absl::StatusCode::kUnavailable) << pair.server->status();
  }
}

TEST_P(NearcallConformanceTest, CloseWakesABlockedSenderOfEitherEnd) {
  auto listener = Listen();
  ASSERT_NE(listener, nullptr);
  for (const bool own : {true, false}) {
    ConformancePair pair = Establish(*listener);
    ASSERT_NE(pair.server, nullptr);
    Fill(*pair.client);
    const size_t size = std::min<size_t>(pair.client->info().max_frame, 32'768);
    Sleeper sender([&] {
      Io io;
      do {  // where the end crosses with what is sent, the next send learns it
        io = SendFrame(*pair.client, Pattern(size, 1));
      } while (io == Io::kOk && pair.client->info().may_lose_last);
      EXPECT_EQ(io, Io::kClosed);
    });
    if (GetParam().mode == IoMode::kNormal) {
      EXPECT_TRUE(sender.AwaitAsleep());
    }
    (own ? pair.client : pair.server)->Close(absl::AbortedError("enough"));
    EXPECT_TRUE(sender.AwaitEnd());
    EXPECT_FALSE(pair.client->status().ok());
  }
}

TEST_P(NearcallConformanceTest, CloseWakesPollersOfBothEnds) {
  auto listener = Listen();
  ASSERT_NE(listener, nullptr);
  ConformancePair pair = Establish(*listener);
  ASSERT_NE(pair.server, nullptr);
  // Armed and polled as an event loop does it, both sides of both ends where they can be armed.
  const auto sleep = [](Endpoint& end, Side side) {
    if (!end.Arm(side)) return;
    std::array<pollfd, 3> fds = end.PollFds(side);
    EXPECT_GT(PollUntil(absl::MakeSpan(fds), After(kPatience)), 0);
    end.Disarm(side);
  };
  Sleeper a([&] { sleep(*pair.client, Side::kReceive); });
  Sleeper b([&] { sleep(*pair.server, Side::kReceive); });
  EXPECT_TRUE(a.AwaitAsleep());
  EXPECT_TRUE(b.AwaitAsleep());
  pair.server->Close(absl::AbortedError("enough"));
  EXPECT_TRUE(a.AwaitEnd());
  EXPECT_TRUE(b.AwaitEnd());
  // And from now on nobody sleeps.
  std::string frame;
  EXPECT_EQ(ReceiveFrame(*pair.client, &frame), Io::kClosed);
  for (Endpoint* end : {pair.client.get(), pair.server.get()}) {
    EXPECT_FALSE(end->Arm(Side::kReceive));
    EXPECT_FALSE(end->Arm(Side::kSend));
    EXPECT_NE(end->Wait(Side::kReceive, kNoDeadline), Io::kWouldBlock);
  }
}

}  // namespace
}  // namespace nearcall
