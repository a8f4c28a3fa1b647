// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
#include "nearcall/tests/bench/figures.h"

#include <algorithm>
#include <fstream>
#include <optional>
#include <sstream>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "nearcall/tests/bench/detector.h"
#include "nearcall/tests/bench/plan.h"

namespace nearcall::bench {
namespace {

const char kUnary[] = "unary/two-cores";
const char kOutstandingCalls[] = "64-outstanding/two-cores";
constexpr double kTrusted = 0.1;  // share of all cores that others may use

const Row* Find(const std::vector<Row>& rows, const std::string& peer, const std::string& transport,
                const std::string& workload, size_t payload) {
  const auto it = std::find_if(rows.begin(), rows.end(), [&](const Row& row) {
    return row.peer == peer && row.transport == transport && row.workload == workload && row.payload == payload;
  });
  return it == rows.end() ? nullptr : &*it;
}

std::string Figure(const Row* row, std::optional<double> Row::*figure, int decimals) {
  if (row == nullptr || !(row->*figure).has_value()) return "-";
  return absl::StrFormat("%.*f", decimals, *(row->*figure));
}

std::string Line(const std::vector<Row>& rows, const Row& asleep) {
  const std::string& transport = asleep.transport;
  const Row* const adaptive = Find(rows, kAdaptive, transport, kUnary, kSmallPayload);
  const Row* const large = Find(rows, kAdaptive, transport, kUnary, kLargePayload);
  const Row* const many = Find(rows, kAdaptive, transport, kOutstandingCalls, kSmallPayload);
  const std::string ratio =
      asleep.p50_ratio.has_value() ? absl::StrCat(asleep.p50_ratio->ToString(), " x ", asleep.floor) : "-";
  return absl::StrCat("| `", transport, ":` | ", Figure(&asleep, &Row::p50_us, 1), " | ", ratio, " | ",
                      Figure(&asleep, &Row::cpu_us_per_call, 1), " | ", Figure(adaptive, &Row::p50_us, 1), " | ",
                      Figure(adaptive, &Row::cpu_us_per_call, 1), " | ", Figure(large, &Row::p50_us, 0), " | ",
                      Figure(many, &Row::calls_per_s, 0), " |\n");
}

// What is before the figures, with the line that begins them, and what is behind.
absl::StatusOr<std::pair<std::string, std::string>> Around(const std::string& path) {
  std::ifstream in(path);
  std::stringstream whole;
  whole << in.rdbuf();
  if (!in) return absl::NotFoundError(absl::StrCat("cannot read ", path));
  const std::string text = whole.str();
  const size_t begin = text.find(kFiguresBegin), end = text.find(kFiguresEnd);
  for (const auto& [at, line] : {std::pair(begin, kFiguresBegin), std::pair(end, kFiguresEnd)}) {
    if (at == std::string::npos) {
      return absl::FailedPreconditionError(absl::StrCat(path, " has no line '", line, "' to put the figures beside"));
    }
  }
  if (end < begin) return absl::FailedPreconditionError(absl::StrCat(path, ": the figures end before they begin"));
  return std::pair(text.substr(0, begin + sizeof(kFiguresBegin) - 1), text.substr(end));
}

}  // namespace

bool WantedFor(const PeerKind& kind, const Workload& workload) {
  if (kind.is_floor() || workload.placement != Placement::kTwoCores) return false;
  return kind.name == kAdaptive || (workload.payload == kSmallPayload && workload.outstanding == 1);
}

std::string FiguresText(const std::vector<Row>& rows, const RoundOptions& options) {
  std::string text =
      "| transport | asleep: 64 B, p50 us | beside raw calls | CPU us/call | by default: 64 B, p50 us | CPU us/call | "
      "1 MiB, p50 us | calls/s, 64 outstanding |\n|---|---|---|---|---|---|---|---|\n";
  std::vector<Row> machine;
  double others = 0;
  for (const Row& row : rows) {
    if (row.peer == "machine") machine.push_back(row);
    if (row.peer == kNearcall && row.workload == kUnary && row.payload == kSmallPayload) {
      absl::StrAppend(&text, Line(rows, row));
    }
    others = std::max(others, row.others_cpu.value_or(0));
  }
  absl::StrAppend(&text, "\nMeasured ", absl::FormatTime("%Y-%m-%d", absl::Now(), absl::UTCTimeZone()), ", ",
                  options.rounds, " rounds of ", options.seconds, " s; ", DetectorLine(machine),
                  absl::StrFormat("; other processes used up to %.0f %% of all cores meanwhile.\n", others * 100));
  if (others > kTrusted)
    text += "**That is too much to trust the figures by default: threads that found no processor slept.**\n";
  return text;
}

absl::Status CheckFigures(const std::string& path) {
  if (StartCpus().size() < 2) return absl::FailedPreconditionError("the figures are of two cores; there is one");
  return Around(path).status();
}

absl::Status UpdateFigures(const std::string& path, const std::string& text) {
  const absl::StatusOr<std::pair<std::string, std::string>> around = Around(path);
  if (!around.ok()) return around.status();
  return WriteText(path, absl::StrCat(around->first, "\n", text, around->second));
}

}  // namespace nearcall::bench
