// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// The command line of the benchmark. Errors name the flag and what it takes.
#ifndef NEARCALL_TESTS_BENCH_OPTIONS_H_
#define NEARCALL_TESTS_BENCH_OPTIONS_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "nearcall/tests/bench/measure.h"

namespace nearcall::bench {

struct Options {
  bool help = false;
  bool load = false;
  std::vector<std::string> transports;
  std::vector<std::string> briefly;  // of these only the shortest calls, one at a time, asleep
  std::vector<size_t> payloads = {64, 64 << 10, 1 << 20};
  std::vector<std::string> only;  // parts of row names
  RoundOptions rounds;
  int64_t calls = 0;  // for the counts; 0: as each wants it
  bool count_instructions = true;
  bool only_instructions = false;
  std::string json;
  std::string profile;
  std::string update;  // the file whose figures are to be written: only those are measured

  // What the benchmark starts itself for: see peer.h.
  std::string serve;
  std::string call;
  std::string address;
};

absl::StatusOr<Options> ParseOptions(int argc, char** argv);
std::string HelpText();

}  // namespace nearcall::bench

#endif  // NEARCALL_TESTS_BENCH_OPTIONS_H_
