// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// Conformance: a peer killed with SIGKILL, also while a forked child of it holds its descriptors.

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>

#include "nearcall/transports/api/poll.h"
#include "nearcall/transports/conformance/child.h"
#include "nearcall/transports/conformance/conformance.h"
#include "nearcall/transports/conformance/drive.h"

namespace nearcall {
namespace {

// The contract's bound is 100 ms; a machine that runs tests may be slower to schedule us than the kernel is to tell.
constexpr int64_t kSoon = 1000 * kMillisecond;

struct Watch {
  bool taken;
  bool polled;
};

// Sleeps as a caller would until the end shows, having left the peer's death to the endpoint or not.
void AwaitDeath(Endpoint& end, Watch watch) {
  std::string frame;
  const int death = watch.taken ? end.TakeDeathWatch() : -1;
  if (death >= 0) {
    pollfd readable = {death, POLLIN, 0};
    EXPECT_GT(PollUntil(absl::MakeSpan(&readable, 1), After(kPatience)), 0);
    end.Close(absl::UnavailableError("the peer's process died"));
  } else if (watch.polled) {
    // Part of a greeting or a frame may make it ready before the death does.
    EXPECT_TRUE(Eventually([&] {
      EXPECT_TRUE(Ready(end, Side::kReceive, kPatience));
      Frame borrowed;
      return end.Borrow(&borrowed) == Io::kClosed;
    }));
  }
  EXPECT_EQ(ReceiveFrame(end, &frame), Io::kClosed);
  EXPECT_EQ(end.status().code(), absl::StatusCode::kUnavailable) << end.status();
}

class Killer {
 public:
  explicit Killer(Child& child) : child_(child) {}
  // Kills once the test's thread has had time to fall asleep, and says when that was.
  void Kill() {
    killed_at_ = MonotonicNanos();
    child_.Kill();
  }
  int64_t Since() const { return MonotonicNanos() - killed_at_; }

 private:
  Child& child_;
  int64_t killed_at_ = 0;
};

std::vector<Watch> Watches() { return {{false, false}, {false, true}, {true, false}}; }

TEST_P(NearcallConformanceTest, AKilledServerIsSeenByItsClient) {
  if (subject().one_process) GTEST_SKIP() << "both ends are one process";
  for (const bool held : {false, true}) {
    for (const Watch watch : Watches()) {
      SCOPED_TRACE(testing::Message() << "held " << held << " taken " << watch.taken << " polled " << watch.polled);
      Child child([&](Child::Side& side) {
        auto listener = Listen();
        side.Say('l');
        auto server = AcceptOne(*listener);
        std::string frame;
        if (server == nullptr || ReceiveFrame(*server, &frame) != Io::kOk) return;
        SendFrame(*server, "welcome");
        if (held) side.ForkHolder();
        side.Say('c');
        side.AwaitEnd();
      });
      ASSERT_TRUE(child.Await('l'));
      auto client = transport().Connect(address());
      ASSERT_TRUE(client.ok()) << client.status();
      ASSERT_EQ(SendFrame(**client, "hello"), Io::kOk) << (*client)->status();
      std::string frame;
      ASSERT_EQ(ReceiveFrame(**client, &frame), Io::kOk) << (*client)->status();
      ASSERT_TRUE(child.Await('c'));
      if ((*client)->info().peer.has_value()) {
        EXPECT_EQ((*client)->info().peer->pid, child.pid());
      }
      if (held && !(*client)->info().sees_death) continue;
      Killer killer(child);
      Sleeper sleeper([&] { AwaitDeath(**client, watch); });
      EXPECT_TRUE(sleeper.AwaitAsleep());
      killer.Kill();
      EXPECT_TRUE(sleeper.AwaitEnd());
      EXPECT_LT(killer.Since(), kSoon);
      sleeper.Join();
    }
  }
  // What the killed servers left at the address is taken over.
  auto listener = Listen();
  ASSERT_NE(listener, nullptr);
  EXPECT_NE(Establish(*listener).server, nullptr);
}

TEST_P(NearcallConformanceTest, AKilledClientIsSeenByItsServer) {
  if (subject().one_process) GTEST_SKIP() << "both ends are one process";
  for (const bool held : {false, true}) {
    for (const Watch watch : Watches()) {
      SCOPED_TRACE(testing::Message() << "held " << held << " taken " << watch.taken << " polled " << watch.polled);
      auto listener = Listen();
      ASSERT_NE(listener, nullptr);
      const Address bound = listener->address();
      Child child([&](Child::Side& side) {
        auto client = transport().Connect(bound);
        std::string frame;
        if (!client.ok() || SendFrame(**client, "hello") != Io::kOk) return;
        if (ReceiveFrame(**client, &frame) != Io::kOk) return;
        for (int i = 0; i < std::min(3, subject().holds); ++i) SendFrame(**client, "in flight");
        if (held) side.ForkHolder();
        side.Say('c');
        side.AwaitEnd();
      });
      auto server = AcceptOne(*listener);
      ASSERT_NE(server, nullptr);
      std::string frame;
      ASSERT_EQ(ReceiveFrame(*server, &frame), Io::kOk) << server->status();
      ASSERT_EQ(SendFrame(*server, "welcome"), Io::kOk) << server->status();
      ASSERT_TRUE(child.Await('c'));
      if (server->info().peer.has_value()) {
        EXPECT_EQ(server->info().peer->pid, child.pid());
      }
      if (held && !server->info().sees_death) continue;
      if (!watch.polled) {
        for (int i = 0; i < std::min(3, subject().holds); ++i) ASSERT_EQ(ReceiveFrame(*server, &frame), Io::kOk) << i;
        Killer killer(child);
        Sleeper sleeper([&] { AwaitDeath(*server, watch); });
        EXPECT_TRUE(sleeper.AwaitAsleep());
        killer.Kill();
        EXPECT_TRUE(sleeper.AwaitEnd());
        EXPECT_LT(killer.Since(), kSoon);
        sleeper.Join();
      } else {
        // Dead before the server looks: what was sent before is delivered all the same.
        child.Kill();
        siginfo_t dead = {};
        EXPECT_EQ(::waitid(P_PID, static_cast<id_t>(child.pid()), &dead, WEXITED | WNOWAIT), 0);
        for (int i = 0; i < std::min(3, subject().holds); ++i)
          ASSERT_EQ(ReceiveFrame(*server, &frame), Io::kOk) << i << server->status();
        AwaitDeath(*server, watch);
      }
    }
  }
}

TEST_P(NearcallConformanceTest, AKilledPeerEndsABlockedSender) {
  if (subject().one_process) GTEST_SKIP() << "both ends are one process";
  for (const bool held : {false, true}) {
    auto listener = Listen();
    ASSERT_NE(listener, nullptr);
    const Address bound = listener->address();
    Child child([&](Child::Side& side) {
      auto client = transport().Connect(bound);
      std::string frame;
      if (!client.ok() || SendFrame(**client, "hello") != Io::kOk) return;
      if (ReceiveFrame(**client, &frame) != Io::kOk) return;
      if (held) side.ForkHolder();
      side.Say('c');
      side.AwaitEnd();  // and reads no more
    });
    auto server = AcceptOne(*listener);
    ASSERT_NE(server, nullptr);
    std::string frame;
    ASSERT_EQ(ReceiveFrame(*server, &frame), Io::kOk) << server->status();
    ASSERT_EQ(SendFrame(*server, "welcome"), Io::kOk) << server->status();
    ASSERT_TRUE(child.Await('c'));
    if (held && !server->info().sees_death) continue;
    Sleeper sender([&] {
      while (SendFrame(*server, Pattern(4096, 1)) == Io::kOk) {
      }
      EXPECT_EQ(server->status().code(), absl::StatusCode::kUnavailable) << server->status();
    });
    if (GetParam().mode == IoMode::kNormal) {
      EXPECT_TRUE(sender.AwaitAsleep());
    }
    child.Kill();
    EXPECT_TRUE(sender.AwaitEnd());
  }
}

}  // namespace
}  // namespace nearcall
