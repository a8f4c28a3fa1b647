// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// PollUntil(): ppoll(2) with the deadlines of this layer.
//
//   std::array<pollfd, 3> fds = endpoint.PollFds(Side::kReceive);
//   if (PollUntil(absl::MakeSpan(fds), deadline_ns) == 0) ...   // the deadline came
//
// Thread-safe. Errors: -1 and errno for what only a wrong call can cause (EFAULT, EINVAL) and for ENOMEM; EINTR is
// handled.
#ifndef NEARCALL_TRANSPORTS_API_POLL_H_
#define NEARCALL_TRANSPORTS_API_POLL_H_

#include <poll.h>

#include <cstdint>

#include "absl/types/span.h"

namespace nearcall {

// How many of `fds` are ready (negative descriptors are skipped); 0: CLOCK_MONOTONIC reached `deadline_ns`. A deadline
// in the past looks once and does not sleep.
int PollUntil(absl::Span<pollfd> fds, int64_t deadline_ns);

}  // namespace nearcall

#endif  // NEARCALL_TRANSPORTS_API_POLL_H_
