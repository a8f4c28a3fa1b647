// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// The session under libFuzzer. Assertions are on; a broken promise ends the program with its text. With
// NEARCALL_FUZZ_COVERAGE=FILE, what was reached is written there at the end.
#include <malloc.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

#include "nearcall/tests/fuzz/session_mutator.h"
#include "nearcall/tests/fuzz/session_program.h"

extern "C" size_t LLVMFuzzerMutate(uint8_t* data, size_t size, size_t max_size);

namespace {

using nearcall::internal::FuzzProgram;

unsigned long long g_inputs = 0;

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
  std::fprintf(file, "inputs %llu\n%s%s%s", g_inputs, table.c_str(), missing.empty() ? "" : "never reached:\n",
               missing.c_str());
  std::fclose(file);
}

void RunOne(const FuzzProgram& program) {
  ++g_inputs;
  const std::string failure = nearcall::internal::RunProgram(program, &Coverage());
  if (failure.empty()) return;
  std::fprintf(stderr, "session: %s\n%s", failure.c_str(),
               nearcall::internal::CorpusText("finding of the fuzzer", program).c_str());
  std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerInitialize(int*, char***) {
  // Large messages stay in the heap: a mapping of its own for each costs as much as the rest of an input.
  ::mallopt(M_MMAP_THRESHOLD, 64 << 20);
  ::mallopt(M_TRIM_THRESHOLD, 256 << 20);
  Coverage();  // made before the handler is registered: it lives longer
  std::atexit(WriteCoverage);
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  RunOne(nearcall::internal::ParseProgram(data, size));
  return 0;
}

// Half of the changes are libFuzzer's own, half know what a program is.
extern "C" size_t LLVMFuzzerCustomMutator(uint8_t* data, size_t size, size_t max_size, unsigned int seed) {
  if (seed % 2 == 0) return LLVMFuzzerMutate(data, size, max_size);
  FuzzProgram program = nearcall::internal::ParseProgram(data, size);
  nearcall::internal::SessionMutator(seed).Mutate(&program, program);
  const std::string bytes = nearcall::internal::SerializeProgram(program);
  if (bytes.size() > max_size) return LLVMFuzzerMutate(data, size, max_size);
  std::memcpy(data, bytes.data(), bytes.size());
  return bytes.size();
}

extern "C" size_t LLVMFuzzerCustomCrossOver(const uint8_t* data, size_t size, const uint8_t* other, size_t other_size,
                                            uint8_t* out, size_t max_size, unsigned int seed) {
  FuzzProgram program = nearcall::internal::ParseProgram(data, size);
  nearcall::internal::SessionMutator(seed).Mutate(&program, nearcall::internal::ParseProgram(other, other_size));
  const std::string bytes = nearcall::internal::SerializeProgram(program);
  const size_t length = bytes.size() < max_size ? bytes.size() : max_size;
  std::memcpy(out, bytes.data(), length);
  return length;
}
