// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
#include "nearcall/examples/text_search/json.h"

#include <string>

#include "absl/strings/match.h"
#include "gtest/gtest.h"

namespace text_search {
namespace {

TEST(JsonTest, EscapesWhatItMust) {
  EXPECT_EQ(JsonField("path", "a.txt"), R"("path":"a.txt")");
  EXPECT_EQ(JsonField("text", ""), R"("text":"")");
  EXPECT_EQ(JsonField("text", "\"\\\t\r\x01\x7f"), "\"text\":\"\\\"\\\\\\t\\u000d\\u0001\x7f\"");
}

TEST(JsonTest, KeepsUtf8AndEncodesTheRest) {
  for (const char* text : {"\xc3\xa4", "\xe2\x82\xac", "\xf0\x9f\x98\x80", "\xf4\x8f\xbf\xbf", "\xee\x80\x80"}) {
    EXPECT_EQ(JsonField("t", text), std::string("\"t\":\"") + text + "\"");
  }
  // Alone, cut off, longer than need be, surrogates, beyond the last.
  for (const char* text : {"\x80", "\xc3", "\xe2\x82", "\xf0\x9f\x98", "\xc1\x81", "\xe0\x9f\xbf", "\xf0\x8f\xbf\xbf",
                           "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xff", "\xc3(", "\xe2\x82("}) {
    EXPECT_TRUE(absl::StartsWith(JsonField("t", text), R"("t_base64":")")) << JsonField("t", text);
  }
  EXPECT_EQ(JsonField("path", "\xff"), R"("path_base64":"/w==")");
}

}  // namespace
}  // namespace text_search
