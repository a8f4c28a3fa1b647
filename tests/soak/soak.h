// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// A soak case runs a check for very many times. To add one: a function of this form in a file of its own, declared
// here, and one line in AllSoakCases() (soak_cases.cc).
//
//   bool SoakKills(const SoakOptions& options, SoakReport* report) {
//     ... report->Progress(done, options.count) ...
//     report->Figure("kills", kills);
//     return true;                        // false: a finding, said with report->Finding()
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
};

// What a case prints while it runs, and its figures: for people on stdout, for machines with --json.
class SoakReport {
 public:
  explicit SoakReport(std::string name) : name_(std::move(name)), started_(std::chrono::steady_clock::now()) {}
  double Seconds() const;                        // since it began
  void Progress(uint64_t done, uint64_t count);  // at most a line every five seconds; cheap enough for every input
  void Say(const std::string& text);             // a table
  void Finding(const std::string& text);         // what is wrong, and how to see it again
  void Figure(const std::string& key, double value);
  std::string Json(bool ok) const;  // one line

 private:
  const std::string name_;
  const std::chrono::steady_clock::time_point started_;
  double last_progress_ = 0;
  std::vector<std::pair<std::string, double>> figures_;
};

struct SoakCase {
  const char* name;
  const char* what;  // one line for --list
  bool (*run)(const SoakOptions& options, SoakReport* report);
};
const std::vector<SoakCase>& AllSoakCases();

bool SoakSessionMutations(const SoakOptions& options, SoakReport* report);
bool SoakSessionLibFuzzer(const SoakOptions& options, SoakReport* report);

}  // namespace nearcall

#endif  // NEARCALL_TESTS_SOAK_SOAK_H_
