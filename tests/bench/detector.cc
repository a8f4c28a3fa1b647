// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
#include "nearcall/tests/bench/detector.h"

#include <sys/eventfd.h>

#include <atomic>
#include <cstdint>
#include <functional>
#include <thread>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "nearcall/tests/bench/process.h"
#include "nearcall/transports/api/clock.h"
#include "nearcall/transports/api/unique_fd.h"

namespace nearcall::bench {
namespace {

constexpr int64_t kLength = 60'000'000;  // per figure
constexpr int kBatch = 500;              // cache line round trips per clock reading

// Runs both on their cores until `first` returns.
void RunPair(int first_cpu, int second_cpu, const std::function<void()>& first, const std::function<void()>& second) {
  std::thread a([&] {
    PinThisThread(first_cpu);
    first();
  });
  std::thread b([&] {
    PinThisThread(second_cpu);
    second();
  });
  a.join();
  b.join();
}

Latencies CacheLine(int first_cpu, int second_cpu) {
  Latencies latencies;
  alignas(64) std::atomic<uint32_t> line{0};  // odd: the second thread's turn; ~0: the end
  constexpr uint32_t kEnd = ~uint32_t{0};
  const auto first = [&] {
    uint32_t turn = 0;
    for (int64_t begun = MonotonicNanos(), end = begun + kLength; begun < end;) {
      for (int i = 0; i < kBatch; ++i) {
        line.store(++turn);
        ++turn;
        while (line.load() != turn) {
        }
      }
      const int64_t now = MonotonicNanos();
      latencies.Add((now - begun) / kBatch);
      begun = now;
    }
    line.store(kEnd);
  };
  const auto second = [&] {
    for (uint32_t seen = 0; seen != kEnd; seen = line.load()) {
      if (seen % 2 == 1) line.store(seen + 1);
    }
  };
  RunPair(first_cpu, second_cpu, first, second);
  return latencies;
}

Latencies EventFd(int first_cpu, int second_cpu) {
  Latencies latencies;
  const UniqueFd there(::eventfd(0, EFD_CLOEXEC));
  const UniqueFd back(::eventfd(0, EFD_CLOEXEC));
  std::atomic<bool> ended{false};
  const auto first = [&] {
    eventfd_t value;
    for (int64_t begun = MonotonicNanos(), end = begun + kLength; begun < end;) {
      ::eventfd_write(there.get(), 1);
      ::eventfd_read(back.get(), &value);
      const int64_t now = MonotonicNanos();
      latencies.Add(now - begun);
      begun = now;
    }
    ended.store(true);
    ::eventfd_write(there.get(), 1);
  };
  const auto second = [&] {
    for (eventfd_t value; ::eventfd_read(there.get(), &value) == 0 && !ended.load();) ::eventfd_write(back.get(), 1);
  };
  RunPair(first_cpu, second_cpu, first, second);
  return latencies;
}

Row RowOf(const char* transport, const char* workload, const Latencies& latencies) {
  Row row;
  row.peer = "machine";
  row.transport = transport;
  row.workload = workload;
  row.p50_us = latencies.Micros(0.5);
  row.p90_us = latencies.Micros(0.9);
  row.p99_us = latencies.Micros(0.99);
  return row;
}

}  // namespace

std::vector<Row> DetectMachine() {
  const std::vector<int>& cpus = StartCpus();
  std::vector<Row> rows;
  if (cpus.size() > 1) {
    rows.push_back(RowOf("cache-line", "round-trip/two-cores", CacheLine(cpus[0], cpus[1])));
    rows.push_back(RowOf("eventfd", "round-trip/two-cores", EventFd(cpus[0], cpus[1])));
  }
  rows.push_back(RowOf("eventfd", "round-trip/one-core", EventFd(cpus[0], cpus[0])));
  return rows;
}

std::string DetectorLine(const std::vector<Row>& rows) {
  std::string line = "machine:";
  for (const Row& row : rows) {
    absl::StrAppendFormat(&line, " %s %s p50 %.2f p99 %.2f us;", row.transport, row.workload, *row.p50_us, *row.p99_us);
  }
  absl::StrAppendFormat(&line, " %d cores, load %.1f", StartCpus().size(), LoadAverage());
  return line;
}

}  // namespace nearcall::bench
