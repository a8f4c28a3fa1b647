// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// SetTimer(): a timerfd that is readable once, `nanos` from now (at least 1); 0 stops it.
//
//   SetTimer(timer.get(), 5'000'000);
//
// Thread-safe. Errors: none that a timerfd of ours can give.
#ifndef NEARCALL_TRANSPORTS_RENDEZVOUS_TIMER_H_
#define NEARCALL_TRANSPORTS_RENDEZVOUS_TIMER_H_

#include <sys/timerfd.h>

#include <cstdint>

namespace nearcall::internal {

inline void SetTimer(int timer, int64_t nanos) {
  itimerspec spec = {};
  spec.it_value.tv_sec = nanos / 1'000'000'000;
  spec.it_value.tv_nsec = nanos % 1'000'000'000;
  ::timerfd_settime(timer, 0, &spec, nullptr);
}

}  // namespace nearcall::internal

#endif  // NEARCALL_TRANSPORTS_RENDEZVOUS_TIMER_H_
