// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
#include "nearcall/rpc/call_options.h"

#include <algorithm>
#include <utility>

#include "nearcall/rpc/runtime/call_scope.h"
#include "nearcall/rpc/runtime/deadline.h"
#include "nearcall/rpc/server_context.h"

namespace nearcall {

CallOptions::CallOptions() : deadline_ns_(kNoDeadline) {}
CallOptions::CallOptions(const CallOptions&) = default;
CallOptions::CallOptions(CallOptions&&) noexcept = default;
CallOptions& CallOptions::operator=(const CallOptions&) = default;
CallOptions& CallOptions::operator=(CallOptions&&) noexcept = default;
CallOptions::~CallOptions() = default;

CallOptions& CallOptions::set_timeout(absl::Duration timeout) {
  deadline_ns_ = std::min(deadline_ns_, internal::DeadlineAfter(timeout));
  return *this;
}

CallOptions& CallOptions::set_deadline(absl::Time deadline) {
  if (deadline == absl::InfiniteFuture()) return *this;
  return set_timeout(deadline - absl::Now());
}

CallOptions& CallOptions::add_metadata(absl::string_view key, absl::string_view value) {
  metadata_.Add(key, value);
  return *this;
}

CallOptions& CallOptions::set_wait_for_ready(bool wait) {
  wait_for_ready_ = wait;
  return *this;
}

CallOptions& CallOptions::set_parent(const ServerContext& context) {
  parent_ = internal::ScopeOf(context);
  return *this;
}

CallOptions& CallOptions::set_response_metadata(std::shared_ptr<ResponseMetadata> metadata) {
  response_metadata_ = std::move(metadata);
  return *this;
}

}  // namespace nearcall
