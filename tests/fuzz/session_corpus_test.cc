// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// Replays the corpus, and a small share of the soak's mutations. Fails if a frame kind, an event or a state of the
// session was never reached.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "nearcall/tests/fuzz/session_conversations.h"
#include "nearcall/tests/fuzz/session_mutator.h"

namespace nearcall::internal {
namespace {

std::string ReadFile(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

std::vector<std::filesystem::path> CorpusFiles() {
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator("tests/fuzz/corpus")) {
    if (entry.path().extension() == ".txt") files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  return files;
}

TEST(SessionCorpusTest, EveryFileRunsCleanAndNothingIsLeftOut) {
  SessionCoverage coverage;
  const std::vector<std::filesystem::path> files = CorpusFiles();
  ASSERT_GE(files.size(), 20u);
  for (const auto& path : files) {
    std::string bytes;
    ASSERT_TRUE(ParseCorpusText(ReadFile(path), &bytes)) << path;
    EXPECT_EQ(RunProgram(ParseProgram(reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()), &coverage), "")
        << path;
  }
  std::string missing;
  const std::string table = coverage.Table(&missing);
  std::printf("%zu files\n%s", files.size(), table.c_str());
  EXPECT_EQ(missing, "") << "never reached";
}

TEST(SessionCorpusTest, TheFilesAreWhatTheToolWrites) {
  for (const Conversation& conversation : Conversations()) {
    EXPECT_EQ(ReadFile("tests/fuzz/corpus/" + conversation.name + ".txt"),
              CorpusText(conversation.comment, conversation.program))
        << "run make_session_corpus, see README.md";
  }
}

TEST(SessionCorpusTest, ProgramsSurviveTheirText) {
  SessionMutator mutator(3);
  for (const Conversation& conversation : Conversations()) {
    FuzzProgram program = conversation.program;
    mutator.Mutate(&program, conversation.program);
    std::string bytes;
    ASSERT_TRUE(ParseCorpusText(CorpusText("x", program), &bytes));
    EXPECT_EQ(bytes, SerializeProgram(program));
    EXPECT_EQ(SerializeProgram(ParseProgram(reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size())), bytes);
  }
  std::string bytes;
  EXPECT_FALSE(ParseCorpusText("0g", &bytes));
  EXPECT_FALSE(ParseCorpusText("012", &bytes));
}

TEST(SessionCorpusTest, AFewThousandMutations) {
  const std::vector<Conversation> all = Conversations();
  SessionCoverage coverage;
  SessionMutator mutator(1);
  for (size_t i = 0; i < 5000; ++i) {
    FuzzProgram program = all[i % all.size()].program;
    mutator.Mutate(&program, all[i * 7 % all.size()].program);
    ASSERT_EQ(RunProgram(program, &coverage), "") << CorpusText("finding", program);
  }
}

}  // namespace
}  // namespace nearcall::internal
