// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
#include "nearcall/tests/bench/measure.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "nearcall/tests/bench/allocations.h"
#include "nearcall/tests/bench/echo_work.h"
#include "nearcall/transports/api/clock.h"

namespace nearcall::bench {
namespace {

// Of all cores. Above it a slot counts as disturbed.
constexpr double kDisturbed = 0.1;

// One peer measured for a short time.
struct Slot {
  Latencies latencies;
  double seconds = 0;
  double cpu_seconds = 0;
  double others = 0;  // share of the machine's cores that others used

  double cpu_us_per_call() const { return cpu_seconds * 1e6 / static_cast<double>(latencies.size()); }
  double calls_per_s() const { return static_cast<double>(latencies.size()) / seconds; }
};

absl::Status Calls(EchoLink& link, int outstanding, int64_t end, Latencies& latencies) {
  if (outstanding > 1) return link.Flood(end, latencies);
  for (int64_t begun = MonotonicNanos(); begun < end;) {
    if (absl::Status status = link.Echo(); !status.ok()) return status;
    const int64_t now = MonotonicNanos();
    latencies.Add(now - begun);
    begun = now;
  }
  return absl::OkStatus();
}

// A measured peer and what its slots have given so far.
struct Contestant {
  const Peer* peer;
  std::unique_ptr<EchoLink> link;
  std::vector<Slot> slots;
  std::vector<double> p50_ratios, cpu_ratios, rate_ratios;
};

class Rounds {
 public:
  Rounds(const Workload& workload, const RoundOptions& options) : workload_(workload), options_(options) {
    const std::vector<int>& cpus = StartCpus();
    client_cpu_ = cpus.front();
    server_cpu_ = workload.placement == Placement::kOneCore ? cpus.front() : cpus.at(1);
    patience_ends_ = MonotonicNanos() + static_cast<int64_t>(options.quiet_seconds * 1e9);
  }

  absl::Status Open(const std::vector<const Peer*>& peers) {
    for (const Peer* peer : peers) {
      absl::StatusOr<std::unique_ptr<EchoLink>> link = peer->Open(workload_.payload, workload_.outstanding);
      if (!link.ok()) return link.status();
      contestants_.push_back({peer, *std::move(link), {}, {}, {}, {}});
    }
    return absl::OkStatus();
  }

  absl::Status Run() {
    Contestant& floor = contestants_[0];
    absl::StatusOr<Slot> before = Measure(floor);
    if (!before.ok()) return before.status();
    floor.slots.push_back(*before);
    for (int round = 0; round < options_.rounds; ++round) {
      // With the floor alone there is nothing to compare, but its own row.
      for (size_t i = std::min<size_t>(1, contestants_.size() - 1); i < contestants_.size(); ++i) {
        absl::StatusOr<Slot> after = Beside(contestants_[i], *before);
        if (!after.ok()) return after.status();
        before = std::move(after);
      }
    }
    return absl::OkStatus();
  }

  std::vector<Row> Rows() const {
    std::vector<Row> rows;
    for (const Contestant& contestant : contestants_) rows.push_back(RowOf(contestant));
    return rows;
  }

 private:
  // Measures the contestant, whose floor before was `before`, and the floor after, which it gives back.
  absl::StatusOr<Slot> Beside(Contestant& contestant, Slot before) {
    for (;;) {
      absl::StatusOr<Slot> own = Measure(contestant);
      if (!own.ok()) return own.status();
      absl::StatusOr<Slot> after = Measure(contestants_[0]);
      if (!after.ok()) return after.status();
      const bool disturbed = std::max({before.others, own->others, after->others}) > kDisturbed;
      if (disturbed && MonotonicNanos() < patience_ends_) {
        before = *std::move(after);
        continue;
      }
      const auto ratio = [](double value, double a, double b) { return value * 2 / (a + b); };
      contestant.p50_ratios.push_back(
          ratio(own->latencies.Micros(0.5), before.latencies.Micros(0.5), after->latencies.Micros(0.5)));
      contestant.cpu_ratios.push_back(
          ratio(own->cpu_us_per_call(), before.cpu_us_per_call(), after->cpu_us_per_call()));
      contestant.rate_ratios.push_back(ratio(own->calls_per_s(), before.calls_per_s(), after->calls_per_s()));
      contestant.slots.push_back(*std::move(own));
      contestants_[0].slots.push_back(*after);
      return after;
    }
  }

  absl::StatusOr<Slot> Measure(const Contestant& contestant) const {
    if (Interrupted()) return absl::CancelledError("interrupted");
    const Peer& peer = *contestant.peer;
    EchoLink& link = *contestant.link;
    peer.Pin(link, client_cpu_, server_cpu_);
    Slot slot;
    const int64_t length = static_cast<int64_t>(options_.seconds * 1e9);
    Latencies warm_up;
    const int64_t warm_end = MonotonicNanos() + length / 20;
    if (absl::Status status = Calls(link, workload_.outstanding, warm_end, warm_up); !status.ok()) return status;

    const int64_t cpu = peer.CpuNanos(link);
    const int64_t busy = MachineBusyNanos();
    const int64_t begun = MonotonicNanos();
    const absl::Status status = Calls(link, workload_.outstanding, begun + length, slot.latencies);
    if (!status.ok()) return status;
    const double nanos = static_cast<double>(MonotonicNanos() - begun);
    const int64_t own = peer.CpuNanos(link) - cpu;
    const double others = static_cast<double>(MachineBusyNanos() - busy - own);
    slot.seconds = nanos / 1e9;
    slot.cpu_seconds = static_cast<double>(own) / 1e9;
    slot.others = std::max(0.0, others / nanos / static_cast<double>(StartCpus().size()));
    return slot;
  }

  Row RowOf(const Contestant& contestant) const {
    Latencies all;
    double seconds = 0, cpu_seconds = 0, others = 0;
    for (const Slot& slot : contestant.slots) {
      all.Merge(slot.latencies);
      seconds += slot.seconds;
      cpu_seconds += slot.cpu_seconds;
      others += slot.others * slot.seconds;
    }
    const double calls = static_cast<double>(all.size());
    Row row;
    row.peer = contestant.peer->kind().name;
    row.transport = contestant.peer->kind().transport;
    row.workload = workload_.Name();
    row.payload = workload_.payload;
    row.p50_us = all.Micros(0.5);
    row.p90_us = all.Micros(0.9);
    row.p99_us = all.Micros(0.99);
    row.cpu_us_per_call = cpu_seconds * 1e6 / calls;
    row.calls_per_s = calls / seconds;
    row.mb_per_s = calls * static_cast<double>(workload_.payload) / 1e6 / seconds;
    row.others_cpu = others / seconds;
    if (&contestant != &contestants_[0]) {
      row.floor = contestants_[0].peer->kind().transport;
      row.p50_ratio = QuartilesOf(contestant.p50_ratios);
      row.cpu_ratio = QuartilesOf(contestant.cpu_ratios);
      row.rate_ratio = QuartilesOf(contestant.rate_ratios);
    }
    return row;
  }

  const Workload workload_;
  const RoundOptions options_;
  int client_cpu_;
  int server_cpu_;
  int64_t patience_ends_;
  std::vector<Contestant> contestants_;
};

}  // namespace

std::string Workload::Name() const {
  return absl::StrCat(outstanding == 1 ? "unary" : absl::StrCat(outstanding, "-outstanding"),
                      placement == Placement::kTwoCores ? "/two-cores" : "/one-core");
}

absl::StatusOr<std::vector<Row>> MeasureRounds(const std::vector<const Peer*>& peers, const Workload& workload,
                                               const RoundOptions& options) {
  Rounds rounds(workload, options);
  if (absl::Status status = rounds.Open(peers); !status.ok()) return status;
  if (absl::Status status = rounds.Run(); !status.ok()) return status;
  return rounds.Rows();
}

absl::StatusOr<double> MeasureAllocations(const Peer& peer, size_t payload, int64_t calls, Waiting waiting) {
  absl::StatusOr<std::unique_ptr<EchoLink>> link = peer.Open(payload, 1);
  if (!link.ok()) return link.status();
  const auto call = [&link, waiting](int64_t count) -> absl::Status {
    for (int64_t i = 0; i < count; ++i) {
      const absl::Status status = waiting == Waiting::kWait ? (*link)->Echo() : (*link)->EchoThen();
      if (!status.ok()) return status;
    }
    return absl::OkStatus();
  };
  if (absl::Status status = call(calls / 10); !status.ok()) return status;
  if (absl::Status status = peer.StartCountingAllocations(); !status.ok()) return status;
  if (absl::Status status = call(calls); !status.ok()) return status;
  absl::StatusOr<int64_t> counted = peer.StopCountingAllocations();
  if (!counted.ok()) return counted.status();
  if (peer.kind().is_floor()) return static_cast<double>(*counted) / static_cast<double>(calls);

  StartCountingAllocations();
  const bool survived = ProtobufAlone(payload, calls);
  const int64_t of_protobuf = StopCountingAllocations();
  if (!survived) return absl::InternalError("a message did not survive protobuf alone");
  return static_cast<double>(*counted - of_protobuf) / static_cast<double>(calls);
}

}  // namespace nearcall::bench
