// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// User-space instructions per call, counted by callgrind: both sides run N and then 2N calls; the difference, divided
// by N, leaves out all that happens once. What a run inside valgrind executes differs in one point: valgrind 3.19 lacks
// some system calls (pidfd_open, epoll_pwait2), so set-up takes the fallback paths.
//
// Thread safety: none. Errors: NOT_FOUND without valgrind; else what the run said.
#ifndef NEARCALL_TESTS_BENCH_INSTRUCTIONS_H_
#define NEARCALL_TESTS_BENCH_INSTRUCTIONS_H_

#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "nearcall/tests/bench/peer.h"

namespace nearcall::bench {

struct Instructions {
  double client = 0;  // per call; of a peer of one process, both sides
  double server = 0;
  std::string profile;  // the functions on top, per call, of each side; empty unless wanted
};

absl::StatusOr<Instructions> CountInstructions(const PeerKind& kind, size_t payload, int64_t calls, bool profile);

}  // namespace nearcall::bench

#endif  // NEARCALL_TESTS_BENCH_INSTRUCTIONS_H_
