// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// CPU time against load: 64 B calls at fixed rates, and as fast as they go, for each SpinMode.
//
//   absl::StatusOr<std::vector<Row>> rows = MeasureLoad({"shm", "unix"}, RoundOptions());
//   std::puts(LoadTable(*rows).c_str());
//
// A call is due at a fixed instant, whatever those before it took, and is waited for. Its time counts from when it was
// due; where the client had slept until then, from when it woke, as a timer's lateness is not the call's. Pacing costs
// CPU time too: the rows of peer "pacing" are the same loop without a call, their times how late it is.
// Thread safety: none. Errors name the peer's address.
#ifndef NEARCALL_TESTS_BENCH_LOAD_H_
#define NEARCALL_TESTS_BENCH_LOAD_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "nearcall/tests/bench/measure.h"
#include "nearcall/tests/bench/report.h"

namespace nearcall::bench {

inline constexpr char kPacing[] = "pacing";  // a peer that makes no call

absl::StatusOr<std::vector<Row>> MeasureLoad(const std::vector<std::string>& transports, const RoundOptions& options);
std::string LoadTable(const std::vector<Row>& rows);

}  // namespace nearcall::bench

#endif  // NEARCALL_TESTS_BENCH_LOAD_H_
