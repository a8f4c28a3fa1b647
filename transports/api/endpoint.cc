// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0

#include "nearcall/transports/api/endpoint.h"

#include <errno.h>
#include <poll.h>
#include <time.h>

#include <array>
#include <cstdint>

#include "absl/types/span.h"
#include "nearcall/transports/api/clock.h"
#include "nearcall/transports/api/poll.h"

namespace nearcall {

int PollUntil(absl::Span<pollfd> fds, int64_t deadline_ns) {
  for (;;) {
    timespec left = {0, 0};
    if (deadline_ns != kNoDeadline) {
      const int64_t now = MonotonicNanos();
      if (deadline_ns > now) {
        left.tv_sec = static_cast<time_t>((deadline_ns - now) / 1'000'000'000);
        left.tv_nsec = static_cast<long>((deadline_ns - now) % 1'000'000'000);
      }
    }
    const int ready = ::ppoll(fds.data(), fds.size(), deadline_ns == kNoDeadline ? nullptr : &left, nullptr);
    if (ready >= 0 || errno != EINTR) return ready;
  }
}

Io Endpoint::Wait(Side side, int64_t deadline_ns) {
  if (!Arm(side)) return Io::kOk;
  std::array<pollfd, 3> fds = PollFds(side);
  const int ready = PollUntil(absl::MakeSpan(fds), deadline_ns);
  Disarm(side);
  return ready == 0 ? Io::kWouldBlock : Io::kOk;
}

}  // namespace nearcall
