// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// Valid conversations: what the corpus is made of, and what the soak's mutations begin with.
#ifndef NEARCALL_TESTS_FUZZ_SESSION_CONVERSATIONS_H_
#define NEARCALL_TESTS_FUZZ_SESSION_CONVERSATIONS_H_

#include <string>
#include <vector>

#include "nearcall/tests/fuzz/session_program.h"

namespace nearcall::internal {

struct Conversation {
  std::string name;     // of its file, without .txt
  std::string comment;  // one line
  FuzzProgram program;
};

// Each as a script of both sides' owners and of the medium, and once more *recorded*: the frames themselves as bytes
// that are injected, so that a changed byte is a changed frame. Always the same.
std::vector<Conversation> Conversations();

}  // namespace nearcall::internal

#endif  // NEARCALL_TESTS_FUZZ_SESSION_CONVERSATIONS_H_
