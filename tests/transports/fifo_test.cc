// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// fifo: beyond the conformance suite.
#include "nearcall/transports/fifo/fifo.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <cstdint>
#include <memory>
#include <string>
#include <thread>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/types/span.h"
#include "gtest/gtest.h"
#include "nearcall/tests/bench/process.h"
#include "nearcall/transports/api/clock.h"
#include "nearcall/transports/api/unique_fd.h"

namespace nearcall {
namespace {

constexpr int64_t kSecond = 1'000'000'000;

// A FIFO that somebody reads, who never serves: a server up to its death.
struct SilentServer {
  std::unique_ptr<bench::ScratchFolder> folder;
  UniqueFd in;
  std::string address() const { return absl::StrCat("fifo:", folder->Path("fifo")); }
};

SilentServer Make() {
  SilentServer server;
  absl::StatusOr<std::unique_ptr<bench::ScratchFolder>> folder = bench::ScratchFolder::Make("fifo");
  EXPECT_TRUE(folder.ok()) << folder.status();
  server.folder = *std::move(folder);
  EXPECT_EQ(::mkfifo(server.folder->Path("fifo").c_str(), 0600), 0);
  server.in.Reset(::open(server.folder->Path("fifo").c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
  EXPECT_TRUE(server.in.valid());
  return server;
}

void ExpectEnd(Endpoint& endpoint, int64_t since_ns) {
  Frame frame;
  Io io = endpoint.Borrow(&frame);
  while (io == Io::kWouldBlock && MonotonicNanos() - since_ns < 20 * kSecond) {
    static_cast<void>(endpoint.Wait(Side::kReceive, since_ns + 20 * kSecond));
    io = endpoint.Borrow(&frame);
  }
  EXPECT_EQ(io, Io::kClosed);
  EXPECT_LT(MonotonicNanos() - since_ns, 2 * kSecond);
  EXPECT_EQ(endpoint.status().code(), absl::StatusCode::kUnavailable) << endpoint.status();
}

// It went on waiting for an answer for 5 s.
TEST(FifoTest, ClientSeesServerThatDiesBeforeItAnswers) {
  SilentServer server = Make();
  auto endpoint = FifoTransport().Connect(*ParseAddress(server.address()));
  ASSERT_TRUE(endpoint.ok()) << endpoint.status();
  Frame frame;
  ASSERT_EQ((*endpoint)->Borrow(&frame), Io::kWouldBlock);
  ASSERT_EQ((*endpoint)->Wait(Side::kReceive, MonotonicNanos() + kSecond / 50), Io::kWouldBlock);
  const int64_t died_ns = MonotonicNanos();
  server.in.Reset();
  ExpectEnd(**endpoint, died_ns);
}

TEST(FifoTest, SleepingClientSeesServerThatDiesBeforeItAnswers) {
  SilentServer server = Make();
  auto endpoint = FifoTransport().Connect(*ParseAddress(server.address()));
  ASSERT_TRUE(endpoint.ok()) << endpoint.status();
  int64_t woken_ns = 0;
  std::thread sleeper([&] {
    EXPECT_NE((*endpoint)->Wait(Side::kReceive, MonotonicNanos() + 20 * kSecond), Io::kWouldBlock);
    woken_ns = MonotonicNanos();
  });
  const int64_t died_ns = MonotonicNanos();
  server.in.Reset();
  sleeper.join();
  EXPECT_LT(woken_ns - died_ns, 2 * kSecond);
  ExpectEnd(**endpoint, died_ns);
}

}  // namespace
}  // namespace nearcall
