// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// The descriptors that a service manager passes (sd_listen_fds(3)), without its library.
//
//   absl::StatusOr<int> fd = PassedDescriptor("rpc");   // the one of that name; "": the only one
//
// Thread safety: as getenv(3). Errors: FAILED_PRECONDITION says what was passed instead; INVALID_ARGUMENT: several have
// the name.
#ifndef NEARCALL_TRANSPORTS_INHERITED_PASSED_DESCRIPTORS_H_
#define NEARCALL_TRANSPORTS_INHERITED_PASSED_DESCRIPTORS_H_

#include <string>

#include "absl/status/statusor.h"

namespace nearcall::internal {

inline constexpr int kFirstPassedDescriptor = 3;

absl::StatusOr<int> PassedDescriptor(const std::string& name);

}  // namespace nearcall::internal

#endif  // NEARCALL_TRANSPORTS_INHERITED_PASSED_DESCRIPTORS_H_
