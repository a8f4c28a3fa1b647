// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// One channel shared: by 64 threads that each wait for their own call, or by fast calls and a stream that is read
// slowly. Rounds alternate with one call at a time on the same channel, to which the ratios are.
// Thread safety: none. Errors name the peer's address.
#ifndef NEARCALL_TESTS_BENCH_SHARING_H_
#define NEARCALL_TESTS_BENCH_SHARING_H_

#include <cstddef>

#include "absl/status/statusor.h"
#include "nearcall/tests/bench/measure.h"
#include "nearcall/tests/bench/peer.h"
#include "nearcall/tests/bench/report.h"

namespace nearcall::bench {

enum class Sharing { kThreads, kSlowStream };
const char* NameOf(Sharing sharing);  // of the workload

// REQUIRES: two cores, and a peer that is no floor.
absl::StatusOr<Row> MeasureSharing(const Peer& peer, Sharing sharing, size_t payload, const RoundOptions& options);

}  // namespace nearcall::bench

#endif  // NEARCALL_TESTS_BENCH_SHARING_H_
