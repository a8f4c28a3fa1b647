// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// Sleeping on a word of shared memory: one system call on either side, and an exact deadline.
//
//   FutexWait(&words->consumer_sleeps, Sleep::kFutex, deadline_ns);   // sleeper
//   FutexWake(&words->consumer_sleeps);                               // after the word was changed
//
// Thread-safe. Lifetime: the word must stay mapped while somebody sleeps. Errors: none; whatever ends a sleep (a
// signal, a word that says something else, a peer that lies) is a reason to look again.
#ifndef NEARCALL_TRANSPORTS_RING_FUTEX_H_
#define NEARCALL_TRANSPORTS_RING_FUTEX_H_

#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <climits>
#include <cstdint>

#include "nearcall/transports/api/clock.h"
#include "nearcall/transports/ring/ring.h"
#include "nearcall/transports/ring/shared_word.h"

namespace nearcall::internal {

// Sleeps while `word` is `how`, until `deadline_ns` of CLOCK_MONOTONIC at most.
inline void FutexWait(SharedWord<uint32_t>& word, Sleep how, int64_t deadline_ns) {
  const timespec at = {static_cast<time_t>(deadline_ns / 1'000'000'000),
                       static_cast<long>(deadline_ns % 1'000'000'000)};
  ::syscall(SYS_futex, word.address(), FUTEX_WAIT_BITSET, static_cast<uint32_t>(how),
            deadline_ns == kNoDeadline ? nullptr : &at, nullptr, FUTEX_BITSET_MATCH_ANY);
}

inline void FutexWake(SharedWord<uint32_t>& word) {
  ::syscall(SYS_futex, word.address(), FUTEX_WAKE, INT_MAX, nullptr, nullptr, 0);
}

}  // namespace nearcall::internal

#endif  // NEARCALL_TRANSPORTS_RING_FUTEX_H_
