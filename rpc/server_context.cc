// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
#include "nearcall/rpc/server_context.h"

#include <utility>

#include "nearcall/rpc/runtime/deadline.h"
#include "nearcall/rpc/runtime/server_call.h"

namespace nearcall {

absl::Time ServerContext::deadline() const { return internal::WallTime(call_->deadline_ns()); }
absl::Duration ServerContext::time_left() const { return internal::TimeLeft(call_->deadline_ns()); }
bool ServerContext::IsCancelled() const { return call_->IsCancelled(); }
void ServerContext::OnCancel(absl::AnyInvocable<void() &&> callback) { call_->OnCancel(std::move(callback)); }
const Peer& ServerContext::peer() const { return call_->peer(); }
const Metadata& ServerContext::metadata() const { return call_->metadata(); }
void ServerContext::AddInitialMetadata(absl::string_view key, absl::string_view value) {
  call_->initial_metadata().Add(key, value);
}
void ServerContext::AddTrailingMetadata(absl::string_view key, absl::string_view value) {
  call_->trailing_metadata().Add(key, value);
}

namespace internal {
std::shared_ptr<CallScope> ScopeOf(const ServerContext& context) { return context.call_->scope(); }
}  // namespace internal

}  // namespace nearcall
