// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
#include "nearcall/examples/text_search/patterns.h"

#include <string>
#include <vector>

#include "gtest/gtest.h"

namespace text_search {
namespace {

std::vector<std::string> Texts(const Index& index) {
  std::vector<std::string> texts;
  for (const Pattern& pattern : ChoosePatterns(index)) texts.push_back(pattern.kind + " " + pattern.text);
  return texts;
}

TEST(PatternsTest, AreTakenFromTheTree) {
  Index index;
  index.Add("a", "#one two#\n#two three#\n#two#\n#\n");
  index.Add("b", "#two seventeen a(\"\\$)' zz\n#one\n#three");
  EXPECT_EQ(Texts(index), (std::vector<std::string>{"byte #", "frequent two", "rare seventeen", "odd  a(\"\\$)'",
                                                    "absent seventeentwoseventeen~"}));
}

TEST(PatternsTest, TheAbsentIsInNoFile) {
  Index index;
  index.Add("a", "word\nwordwordword~~\n");
  EXPECT_EQ(Texts(index).back(), "absent wordwordwordwordwordwordword~");
  index.Add("b", "wordwordwordwordwordwordword~\nword word");
  EXPECT_EQ(ChoosePatterns(index).back().text.substr(0, 4), "word");
  const Query query{ChoosePatterns(index).back().text, false};
  for (const Index::FileId file : index.Candidates(query)) {
    EXPECT_TRUE(index.SearchFile(file, query, [](const Hit&) { return false; }));
  }
}

TEST(PatternsTest, ATreeWithoutTextGivesFewer) {
  EXPECT_EQ(Texts(Index()), (std::vector<std::string>{"absent ~"}));
  Index index;
  index.Add("a", "\n\n");
  index.Add("b", "x");
  EXPECT_EQ(Texts(index), (std::vector<std::string>{"byte x", "absent ~"}));
}

}  // namespace
}  // namespace text_search
