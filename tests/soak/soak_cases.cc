// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
#include "nearcall/tests/soak/soak.h"

namespace nearcall {

const std::vector<SoakCase>& AllSoakCases() {
  static const std::vector<SoakCase>* const cases = new std::vector<SoakCase>{
      {"session-mutations", "10 million mutated conversations through two sessions", &SoakSessionMutations},
      {"session-libfuzzer", "the same with libFuzzer's coverage feedback (clang 16), a fiftieth with sanitizers",
       &SoakSessionLibFuzzer},
  };
  return *cases;
}

}  // namespace nearcall
