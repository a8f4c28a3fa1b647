// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// From the public API's times to the runtime's: nanoseconds of CLOCK_MONOTONIC, saturating.
#ifndef NEARCALL_RPC_RUNTIME_DEADLINE_H_
#define NEARCALL_RPC_RUNTIME_DEADLINE_H_

#include <algorithm>
#include <cstdint>

#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "nearcall/transports/api/clock.h"

namespace nearcall::internal {

inline int64_t DeadlineAfter(absl::Duration timeout) {
  if (timeout == absl::InfiniteDuration()) return kNoDeadline;
  const int64_t now = MonotonicNanos();
  const int64_t wait = std::max<int64_t>(absl::ToInt64Nanoseconds(timeout), 0);  // saturates
  return wait >= kNoDeadline - now ? kNoDeadline : now + wait;
}

inline int64_t Nanos(absl::Duration time) { return std::max<int64_t>(absl::ToInt64Nanoseconds(time), 0); }  // saturates

inline absl::Duration TimeLeft(int64_t deadline_ns) {
  if (deadline_ns == kNoDeadline) return absl::InfiniteDuration();
  return std::max(absl::ZeroDuration(), absl::Nanoseconds(deadline_ns - MonotonicNanos()));
}

inline absl::Time WallTime(int64_t deadline_ns) {
  if (deadline_ns == kNoDeadline) return absl::InfiniteFuture();
  return absl::Now() + absl::Nanoseconds(deadline_ns - MonotonicNanos());
}

}  // namespace nearcall::internal

#endif  // NEARCALL_RPC_RUNTIME_DEADLINE_H_
