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

namespace nearcall {

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

 private:
  friend class internal::ChannelCore;
  friend struct internal::ChannelAccess;
  size_t max_receive_message_size_ = size_t{4} << 20;
  size_t max_pending_bytes_ = size_t{1} << 30;
  std::vector<std::shared_ptr<Transport>> transports_;
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
