// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// The session under libFuzzer. Assertions are on; a broken promise ends the program with its text. With
// NEARCALL_FUZZ_COVERAGE=FILE, what was reached is written there at the end.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "nearcall/tests/fuzz/session_program.h"

namespace {

nearcall::internal::SessionCoverage& Coverage() {
  static nearcall::internal::SessionCoverage coverage;
  return coverage;
}

void WriteCoverage() {
  const char* path = std::getenv("NEARCALL_FUZZ_COVERAGE");
  std::FILE* file = path == nullptr ? nullptr : std::fopen(path, "we");
  if (file == nullptr) return;
  std::string missing;
  const std::string table = Coverage().Table(&missing);
  std::fprintf(file, "%s%s%s", table.c_str(), missing.empty() ? "" : "never reached:\n", missing.c_str());
  std::fclose(file);
}

}  // namespace

extern "C" int LLVMFuzzerInitialize(int*, char***) {
  Coverage();  // made before the handler is registered: it lives longer
  std::atexit(WriteCoverage);
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string failure = nearcall::internal::RunProgram(nearcall::internal::ParseProgram(data, size), &Coverage());
  if (failure.empty()) return 0;
  std::fprintf(stderr, "session: %s\n", failure.c_str());
  std::abort();
}
