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

class Latencies {
 public:
  void Reserve(size_t count) { nanos_.reserve(count); }
  void Add(int64_t nanos) {
    nanos_.push_back(nanos);
    sorted_ = false;
  }
  void Merge(const Latencies& other);
  size_t size() const { return nanos_.size(); }
  double Micros(double quantile) const;  // 0.5 is the median; 0 where nothing was added

 private:
  mutable std::vector<int64_t> nanos_;
  mutable bool sorted_ = false;
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
