// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// EndWith: a demo's last line.
//
//   return EndWith(wrong == 0, "26 of 26 as they should be", result_file);
//
// Prints the line and, where `file` is not empty, leaves it there as well, for a script that runs several demos. Gives
// the exit code. Thread safety: none needed. Errors: a file that cannot be written makes the demo fail.
#ifndef NEARCALL_EXAMPLES_DEMO_PROCESS_RESULT_H_
#define NEARCALL_EXAMPLES_DEMO_PROCESS_RESULT_H_

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string>

inline int EndWith(bool right, const std::string& line, const std::string& file) {
  std::printf("\n%s.\n", line.c_str());
  if (!file.empty() && !(std::ofstream(file) << line << std::flush)) {
    std::fprintf(stderr, "demo: cannot write its result to %s\n", file.c_str());
    return EXIT_FAILURE;
  }
  return right ? EXIT_SUCCESS : EXIT_FAILURE;
}

#endif  // NEARCALL_EXAMPLES_DEMO_PROCESS_RESULT_H_
