// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// The index against a search that looks at every line, on random texts and patterns.
#include "nearcall/examples/text_search/index.h"

#include <algorithm>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "gtest/gtest.h"

namespace text_search {
namespace {

std::string Line(absl::string_view path, size_t line, absl::string_view text) {
  return absl::StrCat(path, ":", line, ":", text);
}

std::vector<std::string> Search(const Index& index, const Query& query) {
  std::vector<std::string> lines;
  for (const Index::FileId file : index.Candidates(query)) {
    EXPECT_TRUE(index.SearchFile(file, query, [&](const Hit& hit) {
      lines.push_back(Line(index.path(file), hit.line, hit.text));
      return true;
    }));
  }
  return lines;
}

std::vector<absl::string_view> Lines(absl::string_view text) {
  std::vector<absl::string_view> lines = absl::StrSplit(text, '\n');
  if (lines.back().empty()) lines.pop_back();  // what follows the last '\n' is no line
  return lines;
}

bool Holds(absl::string_view text, const Query& query) {
  if (!query.ignore_case) return absl::StrContains(text, query.pattern);
  return absl::StrContains(absl::AsciiStrToLower(text), absl::AsciiStrToLower(query.pattern));
}

std::vector<std::string> SearchEverything(const Index& index, const Query& query) {
  std::vector<std::string> found;
  for (size_t file = 0; file < index.files(); ++file) {
    const auto id = static_cast<Index::FileId>(file);
    size_t number = 0;
    for (const absl::string_view line : Lines(index.text(id))) {
      ++number;
      if (Holds(line, query)) found.push_back(Line(index.path(id), number, line));
    }
  }
  return found;
}

class Random {
 public:
  explicit Random(unsigned seed) : engine_(seed) {}
  size_t Below(size_t end) { return std::uniform_int_distribution<size_t>(0, end - 1)(engine_); }
  std::string Text(absl::string_view alphabet, size_t size) {
    std::string text(size, '\0');
    for (char& c : text) c = alphabet[Below(alphabet.size())];
    return text;
  }

 private:
  std::mt19937 engine_;
};

TEST(IndexTest, FindsWhatALookAtEveryLineFinds) {
  size_t hits = 0, none = 0, left_out = 0;
  for (unsigned seed = 0; seed < 200; ++seed) {
    Random random(seed);
    // Few different bytes: patterns are often found. Some beyond ASCII, a letter's two cases, '\r'.
    const absl::string_view alphabet = seed % 2 == 0 ? "ab\n" : "aAbZz@[\xc3\xa4\xe4\r \n\n";
    Index index;
    for (size_t files = random.Below(8); files > 0; --files) {
      index.Add(absl::StrCat("file", files), random.Text(alphabet, random.Below(60)));
    }
    for (int i = 0; i < 40; ++i) {
      const Query query{random.Text(alphabet.substr(0, alphabet.find('\n')), 1 + random.Below(6)),
                        random.Below(2) == 0};
      const std::vector<std::string> found = Search(index, query);
      ASSERT_EQ(found, SearchEverything(index, query))
          << "seed " << seed << ", pattern \"" << query.pattern << "\", ignore_case " << query.ignore_case;
      hits += found.size();
      none += found.empty() ? 1 : 0;
      left_out += index.files() - index.Candidates(query).size();
    }
  }
  // That both happen, and that the index spares work.
  EXPECT_GT(hits, 1000u);
  EXPECT_GT(none, 500u);
  EXPECT_GT(left_out, 5000u);
}

TEST(IndexTest, CandidatesHoldAllTrigrams) {
  Index index;
  index.Add("0", "abc bcd");
  index.Add("1", "abcd");
  index.Add("2", "ABC\nBCD");
  index.Add("3", "ab\ncd");
  index.Add("4", "");
  index.Add("5", "abc");
  index.Add("6", "bcd");
  using Files = std::vector<Index::FileId>;
  EXPECT_EQ(index.Candidates({"abcd", false}), (Files{0, 1, 2}));  // it says who may, not who does
  EXPECT_EQ(index.Candidates({"bcd", false}), (Files{0, 1, 2, 6}));
  EXPECT_EQ(index.Candidates({"c b", false}), (Files{0}));
  EXPECT_EQ(index.Candidates({"bcda", false}), Files());
  EXPECT_EQ(index.Candidates({"zz", false}), (Files{0, 1, 2, 3, 4, 5, 6})) << "too short for the index";
  EXPECT_EQ(index.trigrams(), 5u) << "abc, \"bc \", \"c b\", \" bc\", bcd";
}

TEST(IndexTest, LinesAreCountedAsGrepDoes) {
  Index index;
  index.Add("a", "x\n\nx y x\r\nlast x");
  index.Add("b", "x\n");
  index.Add("c", "");
  EXPECT_EQ(Search(index, {"x", false}), (std::vector<std::string>{"a:1:x", "a:3:x y x\r", "a:4:last x", "b:1:x"}));
  EXPECT_EQ(index.lines(), 5u);
  EXPECT_EQ(index.bytes(), 18u);
  EXPECT_EQ(index.files(), 3u);
}

TEST(IndexTest, StopsWhenItIsTold) {
  Index index;
  const Index::FileId file = index.Add("a", "x\nx\nx\n");
  int calls = 0;
  EXPECT_FALSE(index.SearchFile(file, {"x", false}, [&](const Hit&) { return ++calls < 2; }));
  EXPECT_EQ(calls, 2);
}

TEST(IndexTest, WhatNoLineHasIsFoundNowhere) {
  Index index;
  const Index::FileId file = index.Add("a", "x\ny\n\n");
  for (const char* pattern : {"", "\n", "x\ny", "\n\n\n"}) {
    EXPECT_TRUE(index.Candidates({pattern, false}).empty());
    EXPECT_TRUE(index.SearchFile(file, {pattern, false}, [](const Hit&) { return false; }));
  }
}

}  // namespace
}  // namespace text_search
