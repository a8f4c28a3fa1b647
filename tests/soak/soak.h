// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// A soak case runs a check for very many times. To add one: a function of this form in a file of its own, declared
// here, and one line in AllSoakCases() (soak_cases.cc). What its other processes do are roles: a function, declared
// here, and a line in AllSoakRoles(); see soak_process.h.
//
//   bool SoakKills(const SoakOptions& options, SoakReport* report) {
//     ... report->Progress(done, count) ...
//     report->Figure("kills", kills);
//     report->Goal("p99_ms", p99, 25 * options.slack);
//     return report->ok();                // false: a finding, or a goal that was missed
//   }
#ifndef NEARCALL_TESTS_SOAK_SOAK_H_
#define NEARCALL_TESTS_SOAK_SOAK_H_

#include <chrono>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace nearcall {

struct SoakOptions {
  uint64_t count = 0;  // 0: the case's own
  double minutes = 0;  // 0: until the count is reached; else the count may be missed, and the report says so
  uint64_t seed = 1;
  double slack = 1;                       // goals of time are multiplied by it
  std::vector<std::string> schemes = {};  // the case's own, or those of --address-scheme
};

// What a case prints while it runs, and its figures: for people on stdout, for machines with --json. One thread.
class SoakReport {
 public:
  explicit SoakReport(std::string name) : name_(std::move(name)), started_(std::chrono::steady_clock::now()) {}
  double Seconds() const;                        // since it began
  bool TimeIsUp(const SoakOptions& options);     // says so, once
  void Progress(uint64_t done, uint64_t count);  // now and then a line; cheap enough for every input
  void Say(const std::string& text);             // a table
  void Finding(const std::string& text);         // what is wrong, and how to see it again
  void Figure(const std::string& key, double value);
  void Goal(const std::string& key, double value, double at_most);  // a figure; a finding if it is above
  bool ok() const { return findings_ == 0; }
  uint64_t findings() const { return findings_; }
  std::string Json(bool ok) const;  // one line

 private:
  const std::string name_;
  const std::chrono::steady_clock::time_point started_;
  double last_progress_ = 0;
  bool time_was_up_ = false;
  uint64_t findings_ = 0;
  std::vector<std::pair<std::string, double>> figures_;
};

// Aligned columns, the first to the left.
class SoakTable {
 public:
  explicit SoakTable(std::vector<std::string> head) { rows_.push_back(std::move(head)); }
  void Row(std::vector<std::string> cells) { rows_.push_back(std::move(cells)); }
  std::string Text() const;

 private:
  std::vector<std::vector<std::string>> rows_;
};

struct SoakCase {
  const char* name;
  const char* what;  // one line for --list
  const char* help;  // for --case NAME --help: what is done, what --count counts, the goals
  bool (*run)(const SoakOptions& options, SoakReport* report);
  std::vector<std::string> schemes = {"unix", "local"};  // unless the user names others
};
const std::vector<SoakCase>& AllSoakCases();

bool SoakSessionMutations(const SoakOptions& options, SoakReport* report);
bool SoakSessionLibFuzzer(const SoakOptions& options, SoakReport* report);
bool SoakServerKills(const SoakOptions& options, SoakReport* report);
bool SoakStorm(const SoakOptions& options, SoakReport* report);
bool SoakClientAndServerKills(const SoakOptions& options, SoakReport* report);
bool SoakRandomOperations(const SoakOptions& options, SoakReport* report);
bool SoakIdle(const SoakOptions& options, SoakReport* report);
bool SoakStoppedPeer(const SoakOptions& options, SoakReport* report);
bool SoakInterop(const SoakOptions& options, SoakReport* report);

// What another process of a case does: it says "ready", and obeys the lines that it hears until there are no more.
struct SoakRole {
  const char* name;
  int (*run)(const std::vector<std::string>& arguments);
};
const std::vector<SoakRole>& AllSoakRoles();

int RunServer(const std::vector<std::string>& arguments);
int RunBare(const std::vector<std::string>& arguments);
int RunBusy(const std::vector<std::string>& arguments);
int RunStormClient(const std::vector<std::string>& arguments);
int RunCycleClient(const std::vector<std::string>& arguments);
int RunCycleServer(const std::vector<std::string>& arguments);
int RunHistoryClient(const std::vector<std::string>& arguments);
int RunIdleClient(const std::vector<std::string>& arguments);
int RunInteropServer(const std::vector<std::string>& arguments);

}  // namespace nearcall

#endif  // NEARCALL_TESTS_SOAK_SOAK_H_
