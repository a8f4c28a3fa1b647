// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
#include "nearcall/tests/bench/stats.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include "absl/strings/str_format.h"

namespace nearcall::bench {
namespace {

// Buckets are one nanosecond wide below 2^(kBits + 1), and double their width with every power of two above.
constexpr int kBits = 8;
constexpr int64_t kMost = (int64_t{1} << 40) - 1;  // 18 minutes

constexpr size_t BucketOf(uint64_t nanos) {
  const int shift = std::max(0, static_cast<int>(std::bit_width(nanos)) - kBits - 1);
  return (static_cast<size_t>(shift) << kBits) + static_cast<size_t>(nanos >> shift);
}
constexpr size_t kBuckets = BucketOf(kMost) + 1;

double MiddleOf(size_t bucket) {
  const size_t shift = bucket < (size_t{2} << kBits) ? 0 : (bucket >> kBits) - 1;
  const uint64_t first = static_cast<uint64_t>(bucket - (shift << kBits)) << shift;
  return static_cast<double>(first) + static_cast<double>((uint64_t{1} << shift) - 1) / 2;
}

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

void Latencies::Add(int64_t nanos) {
  if (counts_.empty()) counts_.resize(kBuckets);
  const int64_t clamped = std::clamp<int64_t>(nanos, 0, kMost);
  ++counts_[BucketOf(static_cast<uint64_t>(clamped))];
  ++size_;
  longest_ = std::max(longest_, clamped);
}

void Latencies::Merge(const Latencies& other) {
  if (other.size_ == 0) return;
  if (counts_.empty()) counts_.resize(kBuckets);
  for (size_t i = 0; i < kBuckets; ++i) counts_[i] += other.counts_[i];
  size_ += other.size_;
  longest_ = std::max(longest_, other.longest_);
}

double Latencies::Micros(double quantile) const {
  if (size_ == 0) return 0;
  if (quantile >= 1) return static_cast<double>(longest_) / 1000;
  const size_t rank = static_cast<size_t>(quantile * static_cast<double>(size_ - 1));
  size_t bucket = 0;
  for (size_t below = counts_[0]; below <= rank; below += counts_[bucket]) ++bucket;
  return std::min(MiddleOf(bucket), static_cast<double>(longest_)) / 1000;
}

std::string Quartiles::ToString() const { return absl::StrFormat("%.2f [%.2f %.2f]", median, low, high); }

Quartiles QuartilesOf(std::vector<double> values) {
  if (values.empty()) return {};
  std::sort(values.begin(), values.end());
  return {Quantile(values, 0.25), Quantile(values, 0.5), Quantile(values, 0.75)};
}

}  // namespace nearcall::bench
