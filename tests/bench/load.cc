// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
#include "nearcall/tests/bench/load.h"

#include <errno.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "nearcall/tests/bench/peer.h"
#include "nearcall/tests/bench/plan.h"
#include "nearcall/transports/api/clock.h"

namespace nearcall::bench {
namespace {

constexpr int64_t kAsFastAsItGoes = 0;
constexpr int64_t kRates[] = {100, 1'000, 5'000, 20'000, 50'000, 100'000, kAsFastAsItGoes};  // calls/s
constexpr double kCallsInSlot = 30;     // at least; slow rates get longer slots
constexpr double kSharePerMark = 0.05;  // of the graph: two busy cores are 40 marks

std::string NameOf(int64_t rate) { return rate == kAsFastAsItGoes ? "load/max" : absl::StrCat("load/", rate); }

// Absolute, so that lateness does not add up.
void SleepUntil(int64_t instant) {
  const timespec at = {static_cast<time_t>(instant / 1'000'000'000), static_cast<long>(instant % 1'000'000'000)};
  while (::clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, nullptr) == EINTR) {
  }
}

// Calls, or only keeps the time where `link` is null, until `end`. A backlog is not worked off.
absl::Status PacedCalls(EchoLink* link, int64_t rate, int64_t end, Latencies& latencies) {
  const int64_t begun = MonotonicNanos();
  for (int64_t i = 0, now = begun; now < end; ++i) {
    int64_t from = now;
    if (rate != kAsFastAsItGoes) {
      from = begun + static_cast<int64_t>(static_cast<double>(i) * 1e9 / static_cast<double>(rate));
      if (from >= end) {
        SleepUntil(end);
        return absl::OkStatus();
      }
      if (now < from) {
        SleepUntil(from);
        if (link != nullptr) from = MonotonicNanos();
      }
    }
    if (link != nullptr) {
      if (absl::Status status = link->Echo(); !status.ok()) return status;
    }
    now = MonotonicNanos();
    latencies.Add(now - from);
  }
  return absl::OkStatus();
}

// One rate of one peer, over all rounds.
struct Cell {
  const Peer* peer;  // null: pacing
  EchoLink* link;
  int64_t rate;
  Latencies latencies;
  double seconds = 0;
  double cpu_seconds = 0;
  double others = 0;  // seconds of all cores
};

int64_t CpuNanosOf(const Cell& cell) {
  return cell.peer != nullptr ? cell.peer->CpuNanos(*cell.link) : CpuNanos(::getpid());
}

absl::Status MeasureSlot(Cell& cell, double seconds) {
  if (Interrupted()) return absl::CancelledError("interrupted");
  const std::vector<int>& cpus = StartCpus();
  if (cell.peer != nullptr) {
    cell.peer->Pin(*cell.link, cpus.front(), cpus.back());
  } else {
    PinThisThread(cpus.front());
  }
  const int64_t length = static_cast<int64_t>(
      1e9 *
      (cell.rate == kAsFastAsItGoes ? seconds : std::max(seconds, kCallsInSlot / static_cast<double>(cell.rate))));
  Latencies warm_up;
  absl::Status status = PacedCalls(cell.link, cell.rate, MonotonicNanos() + length / 10, warm_up);
  if (!status.ok()) return status;
  const int64_t cpu = CpuNanosOf(cell);
  const int64_t busy = MachineBusyNanos();
  const int64_t begun = MonotonicNanos();
  status = PacedCalls(cell.link, cell.rate, begun + length, cell.latencies);
  const double own = static_cast<double>(CpuNanosOf(cell) - cpu) / 1e9;
  cell.seconds += static_cast<double>(MonotonicNanos() - begun) / 1e9;
  cell.cpu_seconds += own;
  cell.others += std::max(0.0, static_cast<double>(MachineBusyNanos() - busy) / 1e9 - own);
  return status;
}

Row RowOf(const Cell& cell) {
  const double calls = static_cast<double>(cell.latencies.size());
  Row row;
  row.peer = cell.peer != nullptr ? cell.peer->kind().name : kPacing;
  row.transport = cell.peer != nullptr ? cell.peer->kind().transport : "-";
  row.workload = NameOf(cell.rate);
  row.payload = cell.peer != nullptr ? kSmallPayload : 0;
  row.p50_us = cell.latencies.Micros(0.5);
  row.p90_us = cell.latencies.Micros(0.9);
  row.p99_us = cell.latencies.Micros(0.99);
  row.cpu_us_per_call = cell.cpu_seconds * 1e6 / calls;
  row.calls_per_s = calls / cell.seconds;
  row.cpu_share = cell.cpu_seconds / cell.seconds;
  row.others_cpu = cell.others / cell.seconds / static_cast<double>(StartCpus().size());
  return row;
}

}  // namespace

absl::StatusOr<std::vector<Row>> MeasureLoad(const std::vector<std::string>& transports, const RoundOptions& options) {
  absl::StatusOr<std::unique_ptr<ScratchFolder>> folder = ScratchFolder::Make("bench");
  if (!folder.ok()) return folder.status();
  ::prctl(PR_SET_TIMERSLACK, 1UL);  // sleeps end up to 50 us late otherwise
  Peers peers(**folder);
  std::vector<std::unique_ptr<EchoLink>> links;
  std::vector<Cell> cells;
  for (int64_t rate : kRates) {
    if (rate != kAsFastAsItGoes) cells.push_back({nullptr, nullptr, rate, {}});
  }
  for (const std::string& transport : transports) {
    for (const char* name : {kNearcall, kAdaptive, kPrefer}) {
      const PeerKind kind = {name, transport};
      if (absl::Status status = peers.Start(kind); !status.ok()) return status;
      absl::StatusOr<std::unique_ptr<EchoLink>> link = peers.Get(kind).Open(kSmallPayload, 1);
      if (!link.ok()) return link.status();
      links.push_back(*std::move(link));
      for (int64_t rate : kRates) cells.push_back({&peers.Get(kind), links.back().get(), rate, {}});
    }
  }
  for (int round = 0; round < options.rounds; ++round) {
    for (Cell& cell : cells) {
      if (absl::Status status = MeasureSlot(cell, options.seconds); !status.ok()) return status;
    }
  }
  std::vector<Row> rows;
  for (const Cell& cell : cells) rows.push_back(RowOf(cell));
  links.clear();
  UnpinThisProcess();
  if (absl::Status status = peers.End(); !status.ok()) return status;
  return rows;
}

std::string LoadTable(const std::vector<Row>& rows) {
  std::string out = absl::StrFormat(
      "CPU against load: %d B calls at fixed rates, client and server on a core each where there are two. CPU is that "
      "of\n"
      "both, in %% of one core; a mark is %.0f %%. Keeping the pace costs CPU too: \"pacing\" is the same loop without "
      "calls.\n\n"
      "%-18s %-9s %9s %10s %9s %9s %7s %9s\n",
      kSmallPayload, kSharePerMark * 100, "peer", "transport", "wanted/s", "calls/s", "p50 us", "p99 us", "CPU %",
      "others %");
  const Row* before = nullptr;
  for (const Row& row : rows) {
    if (before != nullptr && (before->peer != row.peer || before->transport != row.transport)) out += "\n";
    before = &row;
    const double share = row.cpu_share.value_or(0);
    absl::StrAppendFormat(&out, "%-18s %-9s %9s %10.0f %9.2f %9.2f %7.1f %9.0f  %s\n", row.peer, row.transport,
                          row.workload.substr(row.workload.find('/') + 1), row.calls_per_s.value_or(0),
                          row.p50_us.value_or(0), row.p99_us.value_or(0), share * 100, row.others_cpu.value_or(0) * 100,
                          std::string(static_cast<size_t>(std::lround(share / kSharePerMark)), '#'));
  }
  return out;
}

}  // namespace nearcall::bench
