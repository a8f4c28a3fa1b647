// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
#include "nearcall/tests/bench/report.h"

#include <errno.h>
#include <string.h>

#include <algorithm>
#include <fstream>
#include <functional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "nearcall/tests/bench/peer.h"

namespace nearcall::bench {
namespace {

std::string Payload(size_t bytes) {
  if (bytes == 0) return "-";
  if (bytes % (1 << 20) == 0) return absl::StrCat(bytes >> 20, " MiB");
  if (bytes % (1 << 10) == 0) return absl::StrCat(bytes >> 10, " KiB");
  return absl::StrCat(bytes, " B");
}

std::string Number(std::optional<double> value, int decimals) {
  return value.has_value() ? absl::StrFormat("%.*f", decimals, *value) : "-";
}

std::string Ratio(const std::optional<Quartiles>& ratio) { return ratio.has_value() ? ratio->ToString() : "-"; }

struct Column {
  const char* title;
  bool left;
  std::function<std::string(const Row&)> cell;
};

const std::vector<Column>& Columns() {
  static const auto& columns = *new std::vector<Column>{
      {"workload", true, [](const Row& r) { return r.workload; }},
      {"payload", false, [](const Row& r) { return Payload(r.payload); }},
      {"peer", true, [](const Row& r) { return r.peer; }},
      {"transport", true, [](const Row& r) { return r.transport; }},
      {"p50 us", false, [](const Row& r) { return Number(r.p50_us, 2); }},
      {"p90 us", false, [](const Row& r) { return Number(r.p90_us, 2); }},
      {"p99 us", false, [](const Row& r) { return Number(r.p99_us, 2); }},
      {"CPU us/call", false, [](const Row& r) { return Number(r.cpu_us_per_call, 2); }},
      {"calls/s", false, [](const Row& r) { return Number(r.calls_per_s, 0); }},
      {"MB/s", false, [](const Row& r) { return Number(r.mb_per_s, 1); }},
      {"p50 : floor", false, [](const Row& r) { return Ratio(r.p50_ratio); }},
      {"CPU : floor", false, [](const Row& r) { return Ratio(r.cpu_ratio); }},
      {"calls/s : floor", false, [](const Row& r) { return Ratio(r.rate_ratio); }},
      {"calls/s : 1 thread", false, [](const Row& r) { return Ratio(r.one_thread_ratio); }},
      {"p99 : alone", false, [](const Row& r) { return Ratio(r.alone_p99_ratio); }},
      {"instr.", false, [](const Row& r) { return Number(r.instructions, 0); }},
      {"allocs", false, [](const Row& r) { return Number(r.allocations, 3); }},
      {"others %", false,
       [](const Row& r) { return r.others_cpu.has_value() ? Number(*r.others_cpu * 100, 0) : std::string("-"); }},
  };
  return columns;
}

std::string JsonNumber(std::optional<double> value) {
  return value.has_value() ? absl::StrFormat("%.6g", *value) : "null";
}

std::string JsonQuartiles(const std::optional<Quartiles>& q) {
  return q.has_value() ? absl::StrFormat("[%.4g,%.4g,%.4g]", q->low, q->median, q->high) : "null";
}

// Names of ours only: letters, digits and a few marks.
std::string JsonString(const std::string& text) { return absl::StrCat("\"", text, "\""); }

struct Goal {
  const char* peer;
  const char* transport;
  size_t payload;
  const char* workload;
  const char* what;
  std::optional<Quartiles> Row::*ratio;
  bool at_least;
  double limit;
};
constexpr size_t kMiB = 1 << 20;
const Goal kGoals[] = {
    {kNearcall, "unix", 64, "unary/two-cores", "p50", &Row::p50_ratio, false, 1.2},
    {kNearcall, "unix", 64, "unary/two-cores", "CPU", &Row::cpu_ratio, false, 1.3},
    {kNearcall, "unix", 64, "unary/one-core", "p50", &Row::p50_ratio, false, 1.5},
    {kNearcall, "unix", 64, "64-outstanding/two-cores", "calls/s", &Row::rate_ratio, true, 0.4},
    {kNearcall, "unix", 64, kThreadsWorkload, "calls/s to one thread's", &Row::one_thread_ratio, true, 0.4},
    {kNearcall, "unix", 64, kSlowStreamWorkload, "p99 to that without the stream", &Row::alone_p99_ratio, false, 3},
    {kNearcall, "shm", 64, "unary/two-cores", "p50", &Row::p50_ratio, false, 1.15},
    {kNearcall, "shm", 64, "unary/one-core", "p50", &Row::p50_ratio, false, 1.3},
    {kNearcall, "mmap", 64, "unary/two-cores", "p50", &Row::p50_ratio, false, 1.15},
    {kNearcall, "mmap", 64, "unary/one-core", "p50", &Row::p50_ratio, false, 1.3},
    {kNearcall, "mq", 64, "unary/two-cores", "p50", &Row::p50_ratio, false, 1.3},
    {kNearcall, "exec", 64, "unary/two-cores", "p50", &Row::p50_ratio, false, 1.3},
    {kNearcall, "fifo", 64, "unary/two-cores", "p50", &Row::p50_ratio, false, 1.3},
    {kNearcall, "tcp", 64, "unary/two-cores", "p50", &Row::p50_ratio, false, 1.3},
    {kAdaptive, "shm", 64, "unary/two-cores", "p50", &Row::p50_ratio, false, 4},
    {kAdaptive, "shm", kMiB, "unary/two-cores", "p50", &Row::p50_ratio, false, 1.6},
    {kAdaptive, "shm", 64, "64-outstanding/two-cores", "calls/s", &Row::rate_ratio, true, 2},
};
struct AllocationsGoal {
  const char* peer;
  const char* transport;
};
const AllocationsGoal kAllocationsGoals[] = {{kNearcall, "unix"}, {kNearcall, "shm"}, {kAdaptive, "shm"}};
constexpr size_t kAllocationsPayload = 64;
// A handful of calls in ten thousand may grow a pool; one in a hundred may not.
constexpr double kAllocationsGoal = 0.01;

std::string Said(const Row& row, const std::string& what, const std::string& figure, const std::string& goal,
                 bool met) {
  return absl::StrCat("goal: ", row.peer, " ", row.transport, " ", Payload(row.payload), " ", row.workload, " ", what,
                      " ", figure, ", wanted ", goal, ": ", met ? "met" : "NOT met", "\n");
}

// Empty where the row is not the goal's.
std::string GoalLine(const Row& row, const Goal& goal) {
  const std::optional<Quartiles>& ratio = row.*goal.ratio;
  if (row.peer != goal.peer || row.transport != goal.transport || row.payload != goal.payload ||
      row.workload != goal.workload || !ratio.has_value()) {
    return "";
  }
  const std::string floor = row.floor.empty() ? "" : absl::StrCat(" to floor ", row.floor, "'s");
  return Said(row, absl::StrCat(goal.what, floor), ratio->ToString(),
              absl::StrFormat("%s %.2f (%s quartile)", goal.at_least ? "at least" : "at most", goal.limit,
                              goal.at_least ? "lower" : "upper"),
              goal.at_least ? ratio->low >= goal.limit : ratio->high <= goal.limit);
}

std::string GoalLine(const Row& row, const AllocationsGoal& goal) {
  if (row.peer != goal.peer || row.transport != goal.transport || row.payload != kAllocationsPayload ||
      (row.workload != "unary/two-cores" && row.workload != kThenWorkload) || !row.allocations.has_value()) {
    return "";
  }
  return Said(row, "allocations per call", Number(row.allocations, 4), "0", *row.allocations <= kAllocationsGoal);
}

}  // namespace

std::string Table(const std::vector<Row>& rows) {
  const std::vector<Column>& columns = Columns();
  std::vector<std::vector<std::string>> cells;
  cells.emplace_back();
  for (const Column& column : columns) cells[0].push_back(column.title);
  for (const Row& row : rows) {
    cells.emplace_back();
    for (const Column& column : columns) cells.back().push_back(column.cell(row));
  }
  std::string out;
  for (const std::vector<std::string>& line : cells) {
    std::string text;
    for (size_t c = 0; c < columns.size(); ++c) {
      size_t width = 0;
      for (const auto& other : cells) width = std::max(width, other[c].size());
      const std::string space(width - line[c].size(), ' ');
      absl::StrAppend(&text, columns[c].left ? line[c] + space : space + line[c], "  ");
    }
    text.erase(text.find_last_not_of(' ') + 1);
    absl::StrAppend(&out, text, "\n");
  }
  return out;
}

std::string GoalLines(const std::vector<Row>& rows) {
  std::string out;
  for (const Row& row : rows) {
    for (const Goal& goal : kGoals) absl::StrAppend(&out, GoalLine(row, goal));
    for (const AllocationsGoal& goal : kAllocationsGoals) absl::StrAppend(&out, GoalLine(row, goal));
  }
  return out;
}

std::string JsonLine(const Row& row) {
  const std::vector<std::pair<const char*, std::string>> fields = {
      {"peer", JsonString(row.peer)},
      {"transport", JsonString(row.transport)},
      {"workload", JsonString(row.workload)},
      {"payload", absl::StrCat(row.payload)},
      {"p50_us", JsonNumber(row.p50_us)},
      {"p90_us", JsonNumber(row.p90_us)},
      {"p99_us", JsonNumber(row.p99_us)},
      {"cpu_us_per_call", JsonNumber(row.cpu_us_per_call)},
      {"calls_per_s", JsonNumber(row.calls_per_s)},
      {"mb_per_s", JsonNumber(row.mb_per_s)},
      {"instructions", JsonNumber(row.instructions)},
      {"allocations", JsonNumber(row.allocations)},
      {"p50_ratio", JsonQuartiles(row.p50_ratio)},
      {"cpu_ratio", JsonQuartiles(row.cpu_ratio)},
      {"rate_ratio", JsonQuartiles(row.rate_ratio)},
      {"one_thread_ratio", JsonQuartiles(row.one_thread_ratio)},
      {"alone_p99_ratio", JsonQuartiles(row.alone_p99_ratio)},
      {"cpu_share", JsonNumber(row.cpu_share)},
      {"floor", row.floor.empty() ? "null" : JsonString(row.floor)},
      {"others_cpu", JsonNumber(row.others_cpu)},
  };
  return absl::StrCat("{",
                      absl::StrJoin(fields, ",",
                                    [](std::string* out, const auto& field) {
                                      absl::StrAppend(out, "\"", field.first, "\":", field.second);
                                    }),
                      "}");
}

absl::Status WriteText(const std::string& path, const std::string& text) {
  std::ofstream file(path, std::ios::trunc);
  file << text;
  file.close();
  return file ? absl::OkStatus() : absl::InternalError(absl::StrCat("cannot write ", path, ": ", ::strerror(errno)));
}

absl::Status WriteJson(const std::string& path, const std::vector<Row>& rows) {
  std::string text;
  for (const Row& row : rows) absl::StrAppend(&text, JsonLine(row), "\n");
  return WriteText(path, text);
}

}  // namespace nearcall::bench
