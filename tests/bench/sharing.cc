// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
#include "nearcall/tests/bench/sharing.h"

#include <cstdint>
#include <memory>
#include <thread>
#include <utility>
#include <vector>

#include "nearcall/transports/api/clock.h"

namespace nearcall::bench {
namespace {

constexpr int kThreads = 64;

struct Slot {
  absl::Status status;
  Latencies latencies;
  double seconds = 0;

  double calls_per_s() const { return static_cast<double>(latencies.size()) / seconds; }
};

void CallUntil(EchoLink& link, int64_t end, Slot& slot) {
  for (int64_t begun = MonotonicNanos(); begun < end && slot.status.ok();) {
    slot.status = link.Echo();
    const int64_t now = MonotonicNanos();
    slot.latencies.Add(now - begun);
    begun = now;
  }
}

// So many threads on one link. They begin together, as far as threads do, and are there before the time runs.
Slot Measure(EchoLink& link, int count, double seconds) {
  std::vector<Slot> slots(static_cast<size_t>(count));
  std::vector<std::thread> threads;
  const int64_t begun = MonotonicNanos();
  const int64_t end = begun + static_cast<int64_t>(seconds * 1e9);
  for (size_t i = 1; i < slots.size(); ++i) {
    threads.emplace_back([&link, end, &slot = slots[i]] { CallUntil(link, end, slot); });
  }
  CallUntil(link, end, slots[0]);
  for (std::thread& thread : threads) thread.join();
  Slot all;
  all.seconds = static_cast<double>(MonotonicNanos() - begun) / 1e9;
  for (const Slot& slot : slots) {
    all.status.Update(slot.status);
    all.latencies.Merge(slot.latencies);
  }
  return all;
}

absl::StatusOr<Slot> MeasureShared(EchoLink& link, Sharing sharing, double seconds) {
  if (sharing == Sharing::kThreads) return Measure(link, kThreads, seconds);
  absl::StatusOr<std::unique_ptr<EchoLink::SlowStream>> stream = link.ReadSlowly();
  if (!stream.ok()) return stream.status();
  return Measure(link, 1, seconds);
}

}  // namespace

const char* NameOf(Sharing sharing) { return sharing == Sharing::kThreads ? kThreadsWorkload : kSlowStreamWorkload; }

absl::StatusOr<Row> MeasureSharing(const Peer& peer, Sharing sharing, size_t payload, const RoundOptions& options) {
  absl::StatusOr<std::unique_ptr<EchoLink>> link = peer.Open(payload, 1);
  if (!link.ok()) return link.status();
  peer.Pin(**link, StartCpus().at(0), StartCpus().at(1));
  Slot before = Measure(**link, 1, options.seconds);
  std::vector<double> rate_ratios, p99_ratios;
  Slot all;
  for (int round = 0; round < options.rounds; ++round) {
    if (Interrupted()) return absl::CancelledError("interrupted");
    absl::StatusOr<Slot> shared = MeasureShared(**link, sharing, options.seconds);
    if (!shared.ok()) return shared.status();
    Slot after = Measure(**link, 1, options.seconds);
    for (const Slot* slot : {&before, &*shared, &after}) {
      if (!slot->status.ok()) return slot->status;
    }
    const auto ratio = [](double value, double a, double b) { return value * 2 / (a + b); };
    rate_ratios.push_back(ratio(shared->calls_per_s(), before.calls_per_s(), after.calls_per_s()));
    p99_ratios.push_back(
        ratio(shared->latencies.Micros(0.99), before.latencies.Micros(0.99), after.latencies.Micros(0.99)));
    all.latencies.Merge(shared->latencies);
    all.seconds += shared->seconds;
    before = std::move(after);
  }
  Row row;
  row.peer = peer.kind().name;
  row.transport = peer.kind().transport;
  row.workload = NameOf(sharing);
  row.payload = payload;
  row.p50_us = all.latencies.Micros(0.5);
  row.p90_us = all.latencies.Micros(0.9);
  row.p99_us = all.latencies.Micros(0.99);
  row.calls_per_s = all.calls_per_s();
  if (sharing == Sharing::kThreads) row.one_thread_ratio = QuartilesOf(rate_ratios);
  if (sharing == Sharing::kSlowStream) row.alone_p99_ratio = QuartilesOf(p99_ratios);
  return row;
}

}  // namespace nearcall::bench
