// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// What the tests of calls share: fresh addresses of each transport, servers and stubs at them, waiting with a limit.
#ifndef NEARCALL_TESTS_RPC_RPC_TEST_UTIL_H_
#define NEARCALL_TESTS_RPC_RPC_TEST_UTIL_H_

#include <sys/types.h>
#include <unistd.h>

#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "nearcall/tests/rpc/probe_service.h"
#include "nearcall/tests/transports/process_util.h"
#include "nearcall/tests/transports/tcp_util.h"

namespace nearcall::test {

// A flag that threads wait for, with a limit.
class Event {
 public:
  void Set() {
    std::lock_guard<std::mutex> lock(mutex_);
    set_ = true;
    changed_.notify_all();
  }
  bool IsSet() {
    std::lock_guard<std::mutex> lock(mutex_);
    return set_;
  }
  bool Wait(int limit_ms = 10'000) {
    std::unique_lock<std::mutex> lock(mutex_);
    return changed_.wait_until(lock, std::chrono::system_clock::now() + std::chrono::milliseconds(limit_ms),
                               [this] { return set_; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool set_ = false;
};

// Blocks a handler until its call is cancelled; false if that does not happen.
inline bool HoldUntilCancelled(ServerContext& context, int limit_ms = 10'000) {
  return Eventually([&] { return context.IsCancelled(); }, limit_ms);
}

class RpcTest : public ::testing::Test {
 protected:
  // A fresh address: "unix:/tmp/.../name", "shm:/tmp/.../name", "local:/tmp/.../name", "tcp:127...", "inproc:...".
  std::string AddressOf(const std::string& transport, const std::string& name = "server") {
    if (transport == "tcp") {
      const std::string path = directory_ / name;
      return absl::StrCat("tcp:", OwnTcpPlace(path), "?token_file=", path);
    }
    if (transport == "inproc") return absl::StrCat("inproc:", directory_.path(), "/", name);
    return absl::StrCat(transport, ":", directory_.path(), "/", name);
  }
  const TempDir& directory() const { return directory_; }

  static std::unique_ptr<Server> Serve(ServiceBase& service, const std::string& address,
                                       const ServerOptions& options = ServerOptions()) {
    auto server = std::make_unique<Server>(options);
    server->AddService(&service);
    const absl::Status status = server->Listen(address);
    EXPECT_TRUE(status.ok()) << status;
    return server;
  }
  static Channel Dial(const std::string& address, const ChannelOptions& options = ChannelOptions()) {
    absl::StatusOr<Channel> channel = Connect(address, options);
    if (!channel.ok()) {
      ADD_FAILURE() << channel.status();
      ::abort();
    }
    return *channel;
  }

 private:
  TempDir directory_;
};

// The same over each transport.
class EachTransport : public RpcTest, public ::testing::WithParamInterface<const char*> {
 protected:
  std::string Address(const std::string& name = "server") { return AddressOf(GetParam(), name); }
};
#define NEARCALL_EACH_TRANSPORT(SUITE)                                                             \
  INSTANTIATE_TEST_SUITE_P(All, SUITE, ::testing::Values("unix", "shm", "local", "tcp", "inproc"), \
                           [](const auto& info) { return std::string(info.param); })

// A status of this code whose text holds all of these.
MATCHER_P(HasCode, code, absl::StrCat("is of code ", absl::StatusCodeToString(code))) { return arg.code() == code; }
MATCHER_P(Says, text, absl::StrCat("says \"", text, "\"")) { return absl::StrContains(arg.message(), text); }

class Stopwatch {
 public:
  absl::Duration elapsed() const { return absl::Nanoseconds(MonotonicNanos() - start_); }

 private:
  const int64_t start_ = MonotonicNanos();
};

}  // namespace nearcall::test

#endif  // NEARCALL_TESTS_RPC_RPC_TEST_UTIL_H_
