// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
#include "nearcall/rpc/channel.h"

#include <utility>

#include "nearcall/rpc/runtime/channel_access.h"
#include "nearcall/rpc/runtime/channel_core.h"
#include "nearcall/rpc/runtime/fork_guard.h"
#include "nearcall/rpc/runtime/process.h"
#include "nearcall/rpc/transports.h"

namespace nearcall {

using internal::ForkGuard;

Channel::Channel(std::shared_ptr<internal::ChannelCore> core) : core_(std::move(core)) {}
Channel::Channel(const Channel&) = default;
Channel::Channel(Channel&&) noexcept = default;
Channel& Channel::operator=(const Channel&) = default;
Channel& Channel::operator=(Channel&&) noexcept = default;
Channel::~Channel() = default;

bool Channel::WaitForConnected(absl::Duration timeout) {
  return !ForkGuard::Forked() && core_->WaitForConnected(timeout);
}
std::string Channel::transport() const { return ForkGuard::Forked() ? "" : core_->transport(); }

absl::StatusOr<Channel> Connect(absl::string_view text, const ChannelOptions& options) {
  if (ForkGuard::Forked()) return ForkGuard::Error();
  ForkGuard::Install();
  absl::StatusOr<Address> address = internal::ParseKnownAddress(text, internal::ChannelAccess::transports(options));
  if (!address.ok()) return address.status();
  absl::StatusOr<std::shared_ptr<Transport>> transport =
      internal::FindTransport(*address, internal::ChannelAccess::transports(options));
  if (!transport.ok()) return transport.status();
  const std::shared_ptr<internal::Pool>& pool = internal::Process::Get().io_pool();
  if (!pool->status().ok()) return pool->status();
  return internal::ChannelAccess::Make(
      internal::MakeParents<internal::ChannelCore>(*std::move(address), *std::move(transport), pool, options));
}

}  // namespace nearcall
