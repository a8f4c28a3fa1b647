// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// Percentiles of one series of latencies, and quartiles of the ratios between alternating series.
//
//   Latencies latencies; latencies.Add(nanos); ... latencies.Micros(0.5)
//
// Thread safety: none.
#ifndef NEARCALL_TESTS_BENCH_STATS_H_
#define NEARCALL_TESTS_BENCH_STATS_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace nearcall::bench {

// Of constant size, so that counting millions costs the same as counting one: exact below 512 ns, to 0.4 % above.
class Latencies {
 public:
  void Add(int64_t nanos);
  void Merge(const Latencies& other);
  size_t size() const { return size_; }
  double Micros(double quantile) const;  // 0.5 is the median, 1 the longest; 0 where nothing was added

 private:
  std::vector<uint64_t> counts_;  // by bucket; empty until something is added
  size_t size_ = 0;
  int64_t longest_ = 0;
};

struct Quartiles {
  double low = 0;
  double median = 0;
  double high = 0;
  std::string ToString() const;  // "1.43 [1.38 1.50]"
};
Quartiles QuartilesOf(std::vector<double> values);

}  // namespace nearcall::bench

#endif  // NEARCALL_TESTS_BENCH_STATS_H_
