// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
#include "nearcall/rpc/interceptor.h"

#include "nearcall/rpc/runtime/deadline.h"

namespace nearcall {

absl::Time OutgoingCall::deadline() const { return internal::WallTime(deadline_ns_); }

}  // namespace nearcall
