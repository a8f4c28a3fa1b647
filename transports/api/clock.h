// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// The one clock of all deadlines below the public API: nanoseconds of CLOCK_MONOTONIC. kNoDeadline means "never".
#ifndef NEARCALL_TRANSPORTS_API_CLOCK_H_
#define NEARCALL_TRANSPORTS_API_CLOCK_H_

#include <time.h>

#include <cstdint>
#include <limits>

namespace nearcall {

inline constexpr int64_t kNoDeadline = std::numeric_limits<int64_t>::max();

// Thread-safe; a vDSO call (no system call on the usual machines).
inline int64_t MonotonicNanos() {
  timespec now;
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
}

}  // namespace nearcall

#endif  // NEARCALL_TRANSPORTS_API_CLOCK_H_
