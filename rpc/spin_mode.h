// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// SpinMode: whether a thread that waits for a frame may keep its processor for some microseconds before it sleeps. A
// call then takes less than a wake-up does: most where looking is cheap (shm:, inproc:), much less too over sockets.
//
//   nearcall::Connect("local:greeter", nearcall::ChannelOptions().set_spin(nearcall::SpinMode::kNever));
//
// In every mode nobody spins on one processor, under a CPU quota of less than two, or while more threads want to run
// than there are processors; and idle processes use none.
#ifndef NEARCALL_RPC_SPIN_MODE_H_
#define NEARCALL_RPC_SPIN_MODE_H_

namespace nearcall {

enum class SpinMode {
  kAdaptive,  // while the last waits were short: up to 60 us
  kNever,     // CPU time is dearer than latency
  kPrefer,    // latency is dearer than CPU time: up to 200 us
};

}  // namespace nearcall

#endif  // NEARCALL_RPC_SPIN_MODE_H_
