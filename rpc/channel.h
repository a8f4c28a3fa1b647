// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// Channel: the client's handle on a service address.
//
//   absl::StatusOr<nearcall::Channel> channel = nearcall::Connect("local:greeter");
//   if (!channel.ok()) return nearcall::ExitWith(channel.status());
//   Greeter::Stub greeter(*channel);
//
// Copyable; copies share connections. It connects at the first call, reconnects when the connection is gone, and
// carries many calls at once. Thread-safe. Lifetime: a Stub keeps its own copy, a call under way keeps what it needs.
// Errors: Connect() checks the address only (INVALID_ARGUMENT); that nobody is there, a call says (UNAVAILABLE).
#ifndef NEARCALL_RPC_CHANNEL_H_
#define NEARCALL_RPC_CHANNEL_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "nearcall/rpc/spin_mode.h"

namespace nearcall {

class Executor;
class ClientInterceptor;
class Transport;

namespace internal {
class ChannelCore;
struct ChannelAccess;
}  // namespace internal

class ChannelOptions {
 public:
  ChannelOptions() = default;
  // A larger reply or stream message ends its call with RESOURCE_EXHAUSTED; the connection lives. Default 4 MiB.
  ChannelOptions& set_max_receive_message_size(size_t bytes) {
    max_receive_message_size_ = bytes;
    return *this;
  }
  // Kept at home while the peer is behind; beyond it a call ends with RESOURCE_EXHAUSTED at once. Default 1 GiB.
  ChannelOptions& set_max_pending_bytes(size_t bytes) {
    max_pending_bytes_ = bytes;
    return *this;
  }
  // One's own transport, found by its scheme; it goes before a built-in one of the same scheme.
  ChannelOptions& add_transport(std::shared_ptr<Transport> transport) {
    transports_.push_back(std::move(transport));
    return *this;
  }
  // Sees every call of the channel (interceptor.h). Several run in the order in which they were added; a null one is
  // left out.
  ChannelOptions& add_interceptor(std::shared_ptr<ClientInterceptor> interceptor) {
    if (interceptor != nullptr) interceptors_.push_back(std::move(interceptor));
    return *this;
  }

  // Where callbacks and coroutines run (executor.h). Default: the library's one I/O thread.
  ChannelOptions& set_executor(std::shared_ptr<Executor> executor) {
    executor_ = std::move(executor);
    return *this;
  }
  // How threads that wait on the channel's connections use the processor (spin_mode.h).
  ChannelOptions& set_spin(SpinMode mode) {
    spin_ = mode;
    return *this;
  }
  // While calls are under way and nothing has come for `time`, the server is asked for a sign of life; without one
  // within `timeout` the connection is closed and its calls end with UNAVAILABLE. For a server that is stopped
  // (SIGSTOP, a debugger) or hangs: a dead one is seen without it. Default: off, calls wait until their deadline.
  ChannelOptions& set_keepalive(absl::Duration time, absl::Duration timeout) {
    keepalive_time_ = time;
    keepalive_timeout_ = timeout;
    return *this;
  }

 private:
  friend class internal::ChannelCore;
  friend struct internal::ChannelAccess;
  size_t max_receive_message_size_ = size_t{4} << 20;
  size_t max_pending_bytes_ = size_t{1} << 30;
  std::vector<std::shared_ptr<Transport>> transports_;
  std::shared_ptr<Executor> executor_;
  SpinMode spin_ = SpinMode::kAdaptive;
  absl::Duration keepalive_time_ = absl::InfiniteDuration();
  absl::Duration keepalive_timeout_ = absl::InfiniteDuration();
  std::vector<std::shared_ptr<ClientInterceptor>> interceptors_;
  uint32_t first_call_id_ = 1;  // of each connection, for tests of the wrap: ChannelAccess
};

class Channel {
 public:
  Channel(const Channel&);
  Channel(Channel&&) noexcept;
  Channel& operator=(const Channel&);
  Channel& operator=(Channel&&) noexcept;
  ~Channel();

  // Connects if need be and waits until a server has answered; false: not within the timeout. Blocks.
  bool WaitForConnected(absl::Duration timeout);
  std::string transport() const;  // in use: "shm", "unix"...; empty while not connected

 private:
  friend struct internal::ChannelAccess;
  explicit Channel(std::shared_ptr<internal::ChannelCore> core);
  std::shared_ptr<internal::ChannelCore> core_;
};

// Checks the address (INVALID_ARGUMENT) and returns an idle channel, which connects at the first call. Never blocks.
absl::StatusOr<Channel> Connect(absl::string_view address, const ChannelOptions& options = ChannelOptions());

}  // namespace nearcall

#endif  // NEARCALL_RPC_CHANNEL_H_
