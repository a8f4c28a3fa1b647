// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// Waiting that adapts: whether, and how long, to look at a medium again and again before sleeping in the kernel. A
// frame that comes soon then costs neither side a wake-up.
//
//   Spinner spinner(mode);                                  // of one reader
//   if (spinner.Begin()) {
//     ... look until spinner.limit_ns() is over: spinner.Found() or spinner.InVain() ...
//   }
//   spinner.Note(waited_ns);                                // however it was waited
//
// It learns from how long the last waits took: those that were longer than two wake-ups are not worth a processor. And
// from spins in vain, as when the other side waits for this very processor: each makes the next one rarer, up to one in
// a thousand waits. And it asks the machine: nobody spins on one processor, under a CPU quota, or while more threads
// want to run than there are processors. Thread safety: a Spinner has one user at a time; SpinRoom all of it.
#ifndef NEARCALL_RPC_RUNTIME_SPIN_H_
#define NEARCALL_RPC_RUNTIME_SPIN_H_

#include <algorithm>
#include <atomic>
#include <cstdint>

#include "nearcall/rpc/spin_mode.h"
#include "nearcall/transports/api/unique_fd.h"

namespace nearcall::internal {

// Whether this machine has a processor to spare.
class SpinRoom {
 public:
  SpinRoom();
  bool Spare(int64_t now_ns);  // looks again every 10 ms at most
  // Of a text as /proc/loadavg has it: how many threads run or want to; -1: not such a text.
  static int Runnable(const char* loadavg);

 private:
  // That the process might use at its first wait; threads that are pinned later count for all of it, and learn. One
  // under a quota of less than two.
  const int processors_;
  const UniqueFd load_;
  std::atomic<int64_t> looked_ns_{0};
  std::atomic<bool> spare_{false};
};

// Between two looks: lets the other thread of the core, and the memory, have a little room.
inline void SpinPause() {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

class Spinner {
 public:
  static constexpr int64_t kLimitNs = 60'000;  // two wake-ups, also of a virtual machine whose processors halt
  static constexpr int64_t kPreferLimitNs = 200'000;

  explicit Spinner(SpinMode mode) : mode_(mode) {}

  // Whether to spin in this wait.
  bool Begin() {
    if (mode_ == SpinMode::kNever || typical_ns_ >= limit_ns()) return false;
    if (skip_ == 0) return true;
    --skip_;
    return false;
  }
  void Found() { in_vain_ = 0; }
  void InVain() { skip_ = in_vain_ = std::min(2 * in_vain_ + 1, kMostSkipped); }
  int64_t limit_ns() const { return mode_ == SpinMode::kPrefer ? kPreferLimitNs : kLimitNs; }
  // One long wait is forgotten after a few short ones.
  void Note(int64_t waited_ns) { typical_ns_ += (std::min(waited_ns, 8 * limit_ns()) - typical_ns_) / 4; }

 private:
  static constexpr int kMostSkipped = 1023;

  const SpinMode mode_;
  int64_t typical_ns_ = 0;
  int in_vain_ = 0;  // 2^n - 1 after n in a row
  int skip_ = 0;     // waits until the next try
};

}  // namespace nearcall::internal

#endif  // NEARCALL_RPC_RUNTIME_SPIN_H_
