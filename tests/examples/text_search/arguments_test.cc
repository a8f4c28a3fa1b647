// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
#include "nearcall/examples/text_search/arguments.h"

#include <optional>
#include <string>
#include <vector>

#include "gtest/gtest.h"

namespace text_search {
namespace {

using Strings = std::vector<std::string>;

Arguments Given(Strings words) {
  words.insert(words.begin(), "program");
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  return Arguments(static_cast<int>(argv.size()), argv.data());
}

TEST(ArgumentsTest, OptionsInBothFormsThenWords) {
  Arguments arguments = Given({"--root=a", "one", "--root", "b", "--count", "--", "--root", "-"});
  EXPECT_EQ(arguments.Value("--root"), "b");
  EXPECT_EQ(arguments.Value("--root"), std::nullopt);
  EXPECT_TRUE(arguments.Flag("--count"));
  EXPECT_FALSE(arguments.Flag("--json"));
  EXPECT_EQ(arguments.Words().value(), (Strings{"one", "--root", "-"}));
  EXPECT_EQ(Given({"-", ""}).Words().value(), (Strings{"-", ""}));
  EXPECT_EQ(Given({}).Words().value(), Strings());
}

TEST(ArgumentsTest, Numbers) {
  EXPECT_EQ(Given({"--n", "7"}).Number("--n", 1), 7u);
  EXPECT_EQ(Given({}).Number("--n", 1), 1u);
  EXPECT_EQ(Given({"--n=0"}).Number("--n", 1), 0u);
  EXPECT_EQ(Given({"--n=3K"}).Number("--n", 1, true), 3072u);
  EXPECT_EQ(Given({"--n=3M"}).Number("--n", 1, true), 3u << 20);
  EXPECT_EQ(Given({"--n=1G"}).Number("--n", 1, true, 1 << 30), 1u << 30);
  for (const char* wrong : {"", "K", "-1", "3K", "x", "18446744073709551616"}) {
    Arguments arguments = Given({"--n", wrong});
    EXPECT_EQ(arguments.Number("--n", 5), 5u);
    EXPECT_TRUE(absl::IsInvalidArgument(arguments.Words().status())) << wrong;
  }
  for (const char* wrong : {"", "K", "KK", "1.5M", "2G", "17179869184G"}) {
    Arguments arguments = Given({"--n", wrong});
    EXPECT_EQ(arguments.Number("--n", 5, true, 1 << 30), 5u);
    EXPECT_TRUE(absl::IsInvalidArgument(arguments.Words().status())) << wrong;
  }
}

TEST(ArgumentsTest, WhatIsWrongIsNamed) {
  EXPECT_EQ(Given({"--what", "x"}).Words().status().message(), "--what: there is no such option");
  Arguments arguments = Given({"x", "--root"});
  EXPECT_EQ(arguments.Value("--root"), std::nullopt);
  EXPECT_EQ(arguments.Words().status().message(), "--root needs a value");
}

}  // namespace
}  // namespace text_search
