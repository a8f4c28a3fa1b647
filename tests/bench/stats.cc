// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
#include "nearcall/tests/bench/stats.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_format.h"

namespace nearcall::bench {
namespace {

// Linear between neighbours; `sorted` is not empty.
template <class T>
double Quantile(const std::vector<T>& sorted, double quantile) {
  const double place = quantile * static_cast<double>(sorted.size() - 1);
  const size_t below = static_cast<size_t>(place);
  const size_t above = std::min(below + 1, sorted.size() - 1);
  const double share = place - std::floor(place);
  return static_cast<double>(sorted[below]) * (1 - share) + static_cast<double>(sorted[above]) * share;
}

}  // namespace

void Latencies::Merge(const Latencies& other) {
  nanos_.insert(nanos_.end(), other.nanos_.begin(), other.nanos_.end());
  sorted_ = false;
}

double Latencies::Micros(double quantile) const {
  if (nanos_.empty()) return 0;
  if (!sorted_) std::sort(nanos_.begin(), nanos_.end());
  sorted_ = true;
  return Quantile(nanos_, quantile) / 1000;
}

std::string Quartiles::ToString() const { return absl::StrFormat("%.2f [%.2f %.2f]", median, low, high); }

Quartiles QuartilesOf(std::vector<double> values) {
  if (values.empty()) return {};
  std::sort(values.begin(), values.end());
  return {Quantile(values, 0.25), Quantile(values, 0.5), Quantile(values, 0.75)};
}

}  // namespace nearcall::bench
