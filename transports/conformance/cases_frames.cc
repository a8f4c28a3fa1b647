// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// Conformance: frames arrive whole, in order, once; a full medium pushes back.

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <random>
#include <set>
#include <thread>

#include "nearcall/transports/conformance/conformance.h"
#include "nearcall/transports/conformance/drive.h"

namespace nearcall {
namespace {

TEST_P(NearcallConformanceTest, FramesOfEverySizeAroundEveryBoundary) {
  auto listener = Listen();
  ASSERT_NE(listener, nullptr);
  ConformancePair pair = Establish(*listener);
  ASSERT_NE(pair.server, nullptr);
  const size_t max = pair.client->info().max_frame;
  EXPECT_GE(max, 4096u);
  EXPECT_LE(max, 1024u * 1024);
  EXPECT_EQ(pair.server->info().max_frame, max);
  std::set<size_t> sizes = {0, 1, 2, 3, max};
  if (!one_byte()) sizes.insert(max - 1);
  for (size_t power = 4; power <= (one_byte() ? 1024 : max); power *= 2) {
    // Headers of up to 64 bytes shift a boundary by as much.
    for (const size_t shift : {64u, 32u, 24u, 17u, 16u, 15u, 9u, 8u, 7u, 1u, 0u}) {
      if (power > shift) sizes.insert(power - shift);
    }
    sizes.insert(std::min(power + 1, max));
  }
  std::vector<std::string> frames;
  for (const size_t size : sizes) frames.push_back(Pattern(size, size));
  EXPECT_TRUE(Transfer(*pair.client, *pair.server, frames));
  std::reverse(frames.begin(), frames.end());
  EXPECT_TRUE(Transfer(*pair.server, *pair.client, frames));
  // And each alone, starting from an empty medium.
  for (const std::string& frame : frames) {
    if (one_byte() && frame.size() > 5000) continue;
    ASSERT_TRUE(Transfer(*pair.client, *pair.server, {frame})) << frame.size();
  }
}

TEST_P(NearcallConformanceTest, ManyCommitsOneFlush) {
  auto listener = Listen();
  ASSERT_NE(listener, nullptr);
  ConformancePair pair = Establish(*listener);
  ASSERT_NE(pair.server, nullptr);
  for (int i = 0; i < 10; ++i) ASSERT_EQ(CommitFrame(*pair.client, Pattern(i % 5, i)), Io::kOk);
  std::string frame;
  ASSERT_EQ(FlushAll(*pair.client), Io::kOk);
  for (int i = 0; i < 10; ++i) {
    ASSERT_EQ(ReceiveFrame(*pair.server, &frame), Io::kOk) << pair.server->status();
    EXPECT_EQ(frame, Pattern(i % 5, i));
  }
  EXPECT_EQ(ReceiveFrame(*pair.server, &frame, After(10 * kMillisecond)), Io::kWouldBlock) << "once only";
}

TEST_P(NearcallConformanceTest, AReservationIsDroppedByTheNextAndCommitsMayBeShorter) {
  auto listener = Listen();
  ASSERT_NE(listener, nullptr);
  ConformancePair pair = Establish(*listener);
  ASSERT_NE(pair.server, nullptr);
  absl::Span<char> space;
  ASSERT_EQ(pair.client->Reserve(1000, &space), Io::kOk);
  std::memset(space.data(), 'x', space.size());
  ASSERT_EQ(pair.client->Reserve(100, &space), Io::kOk);
  std::memset(space.data(), 'y', space.size());
  ASSERT_NE(pair.client->Flush(), Io::kClosed);  // does not disturb the reservation
  ASSERT_EQ(pair.client->Commit(3, {}), Io::kOk);
  ASSERT_EQ(pair.client->Reserve(8, &space), Io::kOk);
  ASSERT_EQ(pair.client->Commit(0, {}), Io::kOk);
  ASSERT_EQ(FlushAll(*pair.client), Io::kOk);
  std::string frame;
  ASSERT_EQ(ReceiveFrame(*pair.server, &frame), Io::kOk);
  EXPECT_EQ(frame, "yyy");
  ASSERT_EQ(ReceiveFrame(*pair.server, &frame), Io::kOk);
  EXPECT_EQ(frame, "");
}

TEST_P(NearcallConformanceTest, BorrowedBytesStayWhileMoreArrives) {
  auto listener = Listen();
  ASSERT_NE(listener, nullptr);
  ConformancePair pair = Establish(*listener);
  ASSERT_NE(pair.server, nullptr);
  ASSERT_EQ(SendFrame(*pair.client, "first"), Io::kOk);
  Frame frame;
  ASSERT_TRUE(Eventually([&] { return pair.server->Borrow(&frame) == Io::kOk; }));
  ASSERT_EQ(SendFrame(*pair.client, "second"), Io::kOk);
  EXPECT_EQ(std::string(frame.bytes.data(), frame.bytes.size()), "first");
  pair.server->Release();
  std::string next;
  ASSERT_EQ(ReceiveFrame(*pair.server, &next), Io::kOk);
  EXPECT_EQ(next, "second");
}

TEST_P(NearcallConformanceTest, AFullMediumPushesBackAndResumes) {
  auto listener = Listen();
  ASSERT_NE(listener, nullptr);
  ConformancePair pair = Establish(*listener);
  ASSERT_NE(pair.server, nullptr);
  const size_t size = std::min<size_t>(pair.client->info().max_frame, 60'001);
  size_t sent = 0;
  absl::Span<char> space;
  for (;;) {
    Io io = pair.client->Reserve(size, &space);
    if (io == Io::kWouldBlock) {
      static_cast<void>(pair.client->Flush());
      io = pair.client->Reserve(size, &space);
    }
    if (io != Io::kOk) break;
    const std::string frame = Pattern(size, sent++);
    std::memcpy(space.data(), frame.data(), size);
    ASSERT_EQ(pair.client->Commit(size, {}), Io::kOk);
    static_cast<void>(pair.client->Flush());
    ASSERT_LT(sent * size, size_t{64} << 20) << "grows without bound";
  }
  EXPECT_TRUE(pair.client->status().ok());
  if (GetParam().mode == IoMode::kNormal) {
    EXPECT_EQ(pair.client->Wait(Side::kSend, After(20 * kMillisecond)), Io::kWouldBlock) << "full is full";
  }
  Sleeper more([&] {
    EXPECT_EQ(CommitFrame(*pair.client, "one more"), Io::kOk) << pair.client->status();
    EXPECT_EQ(FlushAll(*pair.client), Io::kOk) << pair.client->status();
  });
  std::string frame;
  for (size_t i = 0; i < sent; ++i) {
    ASSERT_EQ(ReceiveFrame(*pair.server, &frame), Io::kOk) << pair.server->status() << " after " << i << " of " << sent;
    ASSERT_EQ(frame, Pattern(size, i)) << i;
  }
  ASSERT_EQ(ReceiveFrame(*pair.server, &frame), Io::kOk);
  EXPECT_EQ(frame, "one more");
  EXPECT_TRUE(more.AwaitEnd());
}

TEST_P(NearcallConformanceTest, BothDirectionsAtOnce) {
  auto listener = Listen();
  ASSERT_NE(listener, nullptr);
  ConformancePair pair = Establish(*listener);
  ASSERT_NE(pair.server, nullptr);
  const int frames = one_byte() ? 40 : 1000;
  const size_t most = one_byte() ? 300 : pair.client->info().max_frame;
  const auto size = [most](int i) { return (size_t{1} << (i % 17)) * 7 % (most + 1); };
  const auto send = [&](Endpoint& end, uint64_t salt) {
    for (int i = 0; i < frames; ++i) {
      ASSERT_EQ(CommitFrame(end, Pattern(size(i), salt + i)), Io::kOk) << end.status();
      if (i % 3 == 0) {
        ASSERT_EQ(FlushAll(end), Io::kOk) << end.status();
      }
    }
    ASSERT_EQ(FlushAll(end), Io::kOk) << end.status();
  };
  const auto receive = [&](Endpoint& end, uint64_t salt) {
    std::string frame;
    for (int i = 0; i < frames; ++i) {
      ASSERT_EQ(ReceiveFrame(end, &frame), Io::kOk) << i << ": " << end.status();
      ASSERT_EQ(frame, Pattern(size(i), salt + i)) << i;
    }
  };
  std::thread a([&] { send(*pair.client, 1000); });
  std::thread b([&] { send(*pair.server, 9000); });
  std::thread c([&] { receive(*pair.server, 1000); });
  receive(*pair.client, 9000);
  a.join(), b.join(), c.join();
}

TEST_P(NearcallConformanceTest, DescriptorsCrossOrAreRefused) {
  auto listener = Listen();
  ASSERT_NE(listener, nullptr);
  ConformancePair pair = Establish(*listener);
  ASSERT_NE(pair.server, nullptr);
  int pipe[2];
  ASSERT_EQ(::pipe2(pipe, O_CLOEXEC), 0);
  UniqueFd ends[2] = {UniqueFd(pipe[0]), UniqueFd(pipe[1])};
  absl::Span<char> space;
  ASSERT_EQ(pair.client->Reserve(4, &space), Io::kOk);
  std::memcpy(space.data(), "pipe", 4);
  if (pair.client->info().max_fds == 0) {
    EXPECT_EQ(pair.client->Commit(4, absl::MakeSpan(ends, 1)), Io::kClosed);
    EXPECT_TRUE(ends[0].valid()) << "taken on kOk only";
    EXPECT_EQ(pair.client->status().code(), absl::StatusCode::kInvalidArgument) << pair.client->status();
    EXPECT_EQ(ReceiveToTheEnd(*pair.server), 0) << "no part of the refused frame";
    return;
  }
  ASSERT_EQ(pair.client->Commit(4, absl::MakeSpan(ends, 1)), Io::kOk) << pair.client->status();
  EXPECT_FALSE(ends[0].valid()) << "taken on kOk";
  ASSERT_EQ(FlushAll(*pair.client), Io::kOk);
  Frame frame;
  ASSERT_TRUE(Eventually([&] { return pair.server->Borrow(&frame) == Io::kOk; }));
  ASSERT_EQ(frame.fds.size(), 1u);
  UniqueFd got = std::move(frame.fds[0]);
  pair.server->Release();
  EXPECT_EQ(::fcntl(got.get(), F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
  ASSERT_EQ(::write(ends[1].get(), "x", 1), 1);
  char c = 0;
  EXPECT_EQ(::read(got.get(), &c, 1), 1);
  EXPECT_EQ(c, 'x');
}

}  // namespace
}  // namespace nearcall
