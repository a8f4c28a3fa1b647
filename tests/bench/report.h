// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// One measured row, and how rows are shown: an aligned table for people, JSON lines for programs.
// Thread safety: none. A cell that was not measured is absent: "-" in the table, null in JSON.
#ifndef NEARCALL_TESTS_BENCH_REPORT_H_
#define NEARCALL_TESTS_BENCH_REPORT_H_

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "nearcall/tests/bench/stats.h"

namespace nearcall::bench {

// Names of workloads that goals speak of.
inline constexpr char kThreadsWorkload[] = "64-threads/two-cores";      // each in Wait(), on one channel
inline constexpr char kSlowStreamWorkload[] = "slow-stream/two-cores";  // unary, beside a stream that is read slowly
inline constexpr char kThenWorkload[] = "then";                         // unary, by callback: allocations alone

struct Row {
  std::string peer;       // a PeerKind's name, or "machine"
  std::string transport;  // "unix", ...
  std::string workload;   // "unary/two-cores", ...
  size_t payload = 0;
  std::optional<double> p50_us;
  std::optional<double> p90_us;
  std::optional<double> p99_us;
  std::optional<double> cpu_us_per_call;  // client and server together
  std::optional<double> calls_per_s;
  std::optional<double> mb_per_s;      // payload, one way
  std::optional<double> instructions;  // per call, in user space, client and server together
  std::optional<double> allocations;   // per call, client and server together, beyond protobuf's own
  std::optional<double> cpu_share;     // of one core, client and server together
  std::string floor;                   // the floor of the ratios, by its transport
  // To the floor's slots beside it; absent in the floor's own row.
  std::optional<Quartiles> p50_ratio;
  std::optional<Quartiles> cpu_ratio;
  std::optional<Quartiles> rate_ratio;
  // To slots of the same peer, one call at a time, beside it.
  std::optional<Quartiles> one_thread_ratio;  // of calls/s
  std::optional<Quartiles> alone_p99_ratio;
  std::optional<double> others_cpu;  // share of the machine that other processes used meanwhile
};

std::string Table(const std::vector<Row>& rows);
std::string GoalLines(const std::vector<Row>& rows);  // the goals that have a row, and whether they are met
std::string JsonLine(const Row& row);
absl::Status WriteJson(const std::string& path, const std::vector<Row>& rows);
absl::Status WriteText(const std::string& path, const std::string& text);

}  // namespace nearcall::bench

#endif  // NEARCALL_TESTS_BENCH_REPORT_H_
