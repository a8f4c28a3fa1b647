// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0

#include "nearcall/codegen/comments.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace nearcall::codegen {
namespace {

using Lines = std::vector<std::string>;

TEST(CommentsTest, LinesAreKeptAndTrimmed) {
  EXPECT_EQ(CommentLines(""), Lines{});
  EXPECT_EQ(CommentLines("\n \n\t\n"), Lines{});
  EXPECT_EQ(CommentLines(" One.\n"), Lines{"One."});
  EXPECT_EQ(CommentLines(" One.  \r\n\r\n   two\n\n"), (Lines{"One.", "", "  two"}));
  EXPECT_EQ(CommentLines("\n   a\n    b\n"), (Lines{"a", " b"}));
  EXPECT_EQ(CommentLines(" a\tb\n"), Lines{"a  b"});
}

TEST(CommentsTest, NoLineSwallowsTheNext) {
  EXPECT_EQ(CommentLines(" a \\\n b\n"), (Lines{"a \\ .", "b"}));
  EXPECT_EQ(CommentLines(" a \\  \t\n"), Lines{"a \\ ."});
  EXPECT_EQ(CommentLines(" a \\\r\n"), Lines{"a \\ ."});
  EXPECT_EQ(CommentLines(" a ?\?/\n"), Lines{"a ?\?/ ."});
  EXPECT_EQ(CommentLines("\\"), Lines{"\\ ."});
  EXPECT_EQ(CommentLines(" a \\ b \" /* */ //\n"), Lines{"a \\ b \" /* */ //"});
}

TEST(CommentsTest, CharactersThatMisleadAreShown) {
  EXPECT_EQ(CommentLines(" \xc3\xa4 \xe2\x82\xac \xf0\x9f\x98\x80"), Lines{"\xc3\xa4 \xe2\x82\xac \xf0\x9f\x98\x80"});
  EXPECT_EQ(CommentLines("a\xe2\x80\xae"
                         "b"),
            Lines{"a<U+202E>b"});
  EXPECT_EQ(CommentLines("a\xe2\x81\xa6"
                         "b"),
            Lines{"a<U+2066>b"});
  EXPECT_EQ(CommentLines("a\x01\x7f"
                         "b"),
            Lines{"a<U+0001><U+007F>b"});
  EXPECT_EQ(CommentLines(std::string("a\0b", 3)), Lines{"a<U+0000>b"});
  EXPECT_EQ(CommentLines("a\xff\xc3"), Lines{"a??"});
  EXPECT_EQ(CommentLines("a\xc0\x80\xed\xa0\x80"), Lines{"a?????"});  // overlong, surrogate
}

}  // namespace
}  // namespace nearcall::codegen
