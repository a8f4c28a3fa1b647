// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// What the runtime reads of a CallOptions.
#ifndef NEARCALL_RPC_RUNTIME_CALL_OPTIONS_ACCESS_H_
#define NEARCALL_RPC_RUNTIME_CALL_OPTIONS_ACCESS_H_

#include <memory>

#include "nearcall/rpc/call_options.h"
#include "nearcall/rpc/runtime/call_scope.h"

namespace nearcall::internal {

struct CallOptionsAccess {
  static int64_t deadline_ns(const CallOptions& options) { return options.deadline_ns_; }
  static bool wait_for_ready(const CallOptions& options) { return options.wait_for_ready_; }
  static const Metadata& metadata(const CallOptions& options) { return options.metadata_; }
  static const std::shared_ptr<ResponseMetadata>& response_metadata(const CallOptions& options) {
    return options.response_metadata_;
  }
  static const std::shared_ptr<CallScope>& parent(const CallOptions& options) { return options.parent_; }
};

}  // namespace nearcall::internal

#endif  // NEARCALL_RPC_RUNTIME_CALL_OPTIONS_ACCESS_H_
