// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// The interop cases (tests/interop) over every transport, with each form of client and each form of server.
#include <algorithm>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "gtest/gtest-spi.h"
#include "gtest/gtest.h"
#include "nearcall/tests/interop/cases.h"
#include "nearcall/tests/interop/servers.h"
#include "nearcall/tests/soak/soak.h"

namespace nearcall {
namespace {

using interop::FormPair;

// What came of all cases with one pair of forms, in all rounds.
struct Cell {
  uint64_t passed = 0;
  uint64_t failed = 0;
  double seconds = 0;
  std::string Text() const {
    if (passed + failed == 0) return "-";
    return failed == 0 ? absl::StrFormat("%d in %.1f s", passed, seconds) : absl::StrFormat("%d FAILED", failed);
  }
};
// by transport and pair
using Cells = std::map<std::pair<std::string, std::string>, Cell>;

std::string TextOf(const FormPair& pair) { return absl::StrCat(pair.client, ">", pair.server); }

// The cases check with GoogleTest's macros: what those report comes here, from whatever thread.
class Reported {
 public:
  Reported() : interception_(::testing::ScopedFakeTestPartResultReporter::INTERCEPT_ALL_THREADS, &results_) {}
  // Empty: nothing failed.
  std::string FirstFailure() const {
    for (int i = 0; i < results_.size(); ++i) {
      const ::testing::TestPartResult& result = results_.GetTestPartResult(i);
      if (result.failed()) return absl::StrCat(result.file_name(), ":", result.line_number(), ": ", result.message());
    }
    return "";
  }

 private:
  ::testing::TestPartResultArray results_;
  ::testing::ScopedFakeTestPartResultReporter interception_;
};

void RunCases(const std::string& transport, const FormPair& pair, const std::string& address, SoakReport* report,
              Cell* cell) {
  const double start = report->Seconds();
  for (const interop::Case& one : interop::Cases()) {
    std::string failure;
    {
      const Reported reported;
      interop::RunCase(one, pair.client, address);
      failure = reported.FirstFailure();
    }
    ++(failure.empty() ? cell->passed : cell->failed);
    if (!failure.empty()) {
      report->Finding(absl::StrCat(transport, ", ", TextOf(pair), ", ", one.name, ": ", failure));
    }
  }
  cell->seconds += report->Seconds() - start;
}

void RunTransport(const std::string& transport, SoakReport* report, Cells* cells) {
  auto servers = interop::InteropServers::Start(transport, {bench::SelfPath(), "--role", "interop-server"});
  if (!servers.ok()) return report->Finding(servers.status().ToString());
  for (const FormPair& pair : interop::AllPairs()) {
    RunCases(transport, pair, (*servers)->address(pair.server), report, &(*cells)[{transport, TextOf(pair)}]);
  }
  if (absl::Status ended = (*servers)->Stop(); !ended.ok()) report->Finding(ended.ToString());
}

void Print(const SoakOptions& options, Cells& cells, SoakReport* report) {
  std::vector<std::string> head = {"transport"};
  for (const FormPair& pair : interop::AllPairs()) head.push_back(TextOf(pair));
  SoakTable table(std::move(head));
  for (const std::string& transport : options.schemes) {
    std::vector<std::string> row = {interop::TransportText(transport)};
    Cell whole;
    for (const FormPair& pair : interop::AllPairs()) {
      const Cell& cell = cells[{transport, TextOf(pair)}];
      whole.passed += cell.passed;
      whole.failed += cell.failed;
      whole.seconds += cell.seconds;
      row.push_back(cell.Text());
      if (cell.passed + cell.failed == 0) {
        report->Finding(absl::StrCat("the cell ", transport, ", ", TextOf(pair), " of the table is empty"));
      }
    }
    table.Row(std::move(row));
    report->Figure(transport + "_passed", static_cast<double>(whole.passed));
    report->Figure(transport + "_failed", static_cast<double>(whole.failed));
    report->Figure(transport + "_seconds", whole.seconds);
  }
  report->Say(table.Text());
}

}  // namespace

int RunInteropServer(const std::vector<std::string>& arguments) { return interop::ServeInterop(arguments); }

bool SoakInterop(const SoakOptions& options, SoakReport* report) {
  const uint64_t rounds = std::max<uint64_t>(1, options.count);
  Cells cells;
  // The first round is whole, whatever the time: its table has no empty cell.
  for (uint64_t round = 0; round < rounds && (round == 0 || !report->TimeIsUp(options)); ++round) {
    for (size_t i = 0; i < options.schemes.size(); ++i) {
      RunTransport(options.schemes[i], report, &cells);
      report->Progress(round * options.schemes.size() + i + 1, rounds * options.schemes.size());
    }
  }
  Print(options, cells, report);
  return report->ok();
}

}  // namespace nearcall
