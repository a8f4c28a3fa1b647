// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// Mutates programs with a knowledge of what they are: steps are dropped, doubled, exchanged, spliced in from another
// program; in frames, lengths and ids become odd ones, bits flip, ends are cut. Seeded: the same seed gives the same.
#ifndef NEARCALL_TESTS_FUZZ_SESSION_MUTATOR_H_
#define NEARCALL_TESTS_FUZZ_SESSION_MUTATOR_H_

#include <cstdint>
#include <random>
#include <vector>

#include "nearcall/tests/fuzz/session_program.h"

namespace nearcall::internal {

class SessionMutator {
 public:
  explicit SessionMutator(uint64_t seed) : random_(seed) {}
  void Mutate(FuzzProgram* program, const FuzzProgram& other);  // one to six changes; `other` is spliced from

 private:
  size_t Below(size_t bound) { return bound == 0 ? 0 : static_cast<size_t>(random_() % bound); }
  void MutateOnce(FuzzProgram* program, const FuzzProgram& other);
  void MutateArguments(FuzzStep* step);
  void MutateFrame(std::string* arguments);
  FuzzStep RandomStep();

  std::mt19937_64 random_;
};

}  // namespace nearcall::internal

#endif  // NEARCALL_TESTS_FUZZ_SESSION_MUTATOR_H_
