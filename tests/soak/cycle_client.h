// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// What a client of client-and-server-kills and who kills it share: a file in memory that outlives both. The client goes
// through the states of a connection again and again and writes down where it is, and how late it learns of a kill.
#ifndef NEARCALL_TESTS_SOAK_CYCLE_CLIENT_H_
#define NEARCALL_TESTS_SOAK_CYCLE_CLIENT_H_

#include <sys/types.h>

#include <atomic>
#include <cstdint>
#include <limits>

namespace nearcall {

// Where a client is; kNone: between two connections.
enum CycleState : uint64_t { kNone, kConnecting, kIdle, kInFlight, kClosing };
inline constexpr int kCycleStates = 4;
inline constexpr const char* kCycleStateNames[] = {"none", "connecting", "idle", "in_flight", "closing"};
inline constexpr uint64_t kCycleStateBits = 7;  // of the word; the rest counts cycles

struct CycleWord {
  static constexpr int64_t kNoKill = std::numeric_limits<int64_t>::max();

  std::atomic<uint64_t> word;       // cycles << 3 | CycleState
  std::atomic<pid_t> server;        // of exec:, the one of this cycle, once its main() has begun
  std::atomic<int64_t> killed_ns;   // just before the server's kill(2)
  std::atomic<int64_t> pending_ns;  // from there on, how long a call that was under way took to end
  std::atomic<int64_t> started_ns;  // the longest that one took which was started later

  CycleState state() const { return static_cast<CycleState>(word.load() & kCycleStateBits); }
  uint64_t cycles() const { return word.load() >> 3; }
};
static_assert(std::atomic<uint64_t>::is_always_lock_free && std::atomic<pid_t>::is_always_lock_free);

}  // namespace nearcall

#endif  // NEARCALL_TESTS_SOAK_CYCLE_CLIENT_H_
