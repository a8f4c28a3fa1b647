// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// The measurements that alternate: rounds of slots, floor and peers in turn, each ratio to the floor's slots on both
// sides of it. And the counted ones: allocations per call.
// Thread safety: none. Errors name the peer's address.
#ifndef NEARCALL_TESTS_BENCH_MEASURE_H_
#define NEARCALL_TESTS_BENCH_MEASURE_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "nearcall/tests/bench/peer.h"
#include "nearcall/tests/bench/report.h"

namespace nearcall::bench {

enum class Placement { kTwoCores, kOneCore };

struct Workload {
  size_t payload;
  int outstanding;  // 1: each call is waited for
  Placement placement;
  std::string Name() const;  // "unary/two-cores", "64-outstanding/one-core"
};

struct RoundOptions {
  int rounds = 9;
  double seconds = 0.15;     // per slot
  double quiet_seconds = 0;  // so long in all, per workload, disturbed slots are measured again
};

// The floor is peers[0]. One row per peer, in their order.
absl::StatusOr<std::vector<Row>> MeasureRounds(const std::vector<const Peer*>& peers, const Workload& workload,
                                               const RoundOptions& options);

// Per call, beyond what protobuf alone allocates; `calls` calls after a tenth of that as warm-up.
enum class Waiting { kWait, kThen };
absl::StatusOr<double> MeasureAllocations(const Peer& peer, size_t payload, int64_t calls, Waiting waiting);

}  // namespace nearcall::bench

#endif  // NEARCALL_TESTS_BENCH_MEASURE_H_
