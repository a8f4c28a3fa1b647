// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// Writes the corpus: make_session_corpus DIRECTORY. README.md beside this file says when.
#include <cstdio>
#include <fstream>

#include "nearcall/tests/fuzz/session_conversations.h"

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: make_session_corpus DIRECTORY\n");
    return 2;
  }
  for (const auto& conversation : nearcall::internal::Conversations()) {
    const std::string path = std::string(argv[1]) + "/" + conversation.name + ".txt";
    std::ofstream file(path, std::ios::binary);
    file << nearcall::internal::CorpusText(conversation.comment, conversation.program);
    if (!file.flush()) {
      std::fprintf(stderr, "make_session_corpus: cannot write %s\n", path.c_str());
      return 1;
    }
    std::printf("%s\n", path.c_str());
  }
  return 0;
}
