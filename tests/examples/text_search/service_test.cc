// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// The service in this process: its matches, its refusals, and what becomes of searches that nobody reads.
#include "nearcall/examples/text_search/service.h"

#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "gtest/gtest.h"
#include "text_search.nearcall.h"

namespace text_search {
namespace {

using v1::Match;
using v1::SearchRequest;
using v1::StatsReply;
using v1::StatsRequest;
using Stub = v1::TextSearch::Stub;

SearchRequest For(const std::string& pattern) {
  SearchRequest request;
  request.set_pattern(pattern);
  return request;
}

class ServiceTest : public ::testing::Test {
 protected:
  Stub Serve(Tree tree) {
    service_ = std::make_unique<SearchService>(std::move(tree));
    server_ = std::make_unique<nearcall::Server>();
    server_->AddService(service_.get());
    const std::string address =
        absl::StrCat("inproc:", ::testing::UnitTest::GetInstance()->current_test_info()->name());
    const absl::Status listening = server_->Listen(address);
    EXPECT_TRUE(listening.ok()) << listening;
    absl::StatusOr<nearcall::Channel> channel = nearcall::Connect(address);
    EXPECT_TRUE(channel.ok()) << channel.status();
    return Stub(*channel);
  }
  static StatsReply Stats(const Stub& stub) {
    const absl::StatusOr<StatsReply> reply = stub.Stats(StatsRequest()).Wait();
    EXPECT_TRUE(reply.ok()) << reply.status();
    return reply.value_or(StatsReply());
  }
  // More than any stream's credit, or queue, holds.
  static Tree Large() {
    Tree tree;
    const std::string line = std::string(1023, 'x') + '\n';
    std::string text;
    for (int i = 0; i < 1024; ++i) text += line;
    for (int i = 0; i < 32; ++i) tree.index.Add(absl::StrCat("file", i), text);
    return tree;
  }
  // Once the one search has ended.
  static StatsReply AfterTheSearch(const Stub& stub) {
    const absl::Time end = absl::Now() + absl::Seconds(20);
    StatsReply stats = Stats(stub);
    while (stats.searches_ended() == 0 && absl::Now() < end) stats = Stats(stub);
    EXPECT_EQ(stats.searches_begun(), 1u);
    EXPECT_EQ(stats.searches_ended(), 1u);
    return stats;
  }

  std::unique_ptr<SearchService> service_;
  std::unique_ptr<nearcall::Server> server_;
};

TEST_F(ServiceTest, StreamsMatchesInOrder) {
  Tree tree;
  tree.index.Add("a", "one\nTwo\n");
  tree.index.Add("b", "two\ntwo \xff two");
  tree.left_out.git_folders = 3;
  tree.left_out.unreadable.Add("c: Permission denied");
  const Stub stub = Serve(std::move(tree));
  for (const bool ignore_case : {false, true}) {
    SearchRequest request = For("two");
    request.set_ignore_case(ignore_case);
    auto matches = stub.Search(request);
    std::vector<std::string> lines;
    for (Match match; matches.Read(match);) {
      lines.push_back(absl::StrCat(match.path(), ":", match.line(), ":", match.text()));
    }
    const absl::Status status = matches.Finish();
    EXPECT_TRUE(status.ok()) << status;
    std::vector<std::string> expected = {"b:1:two", "b:2:two \xff two"};
    if (ignore_case) expected.insert(expected.begin(), "a:2:Two");
    EXPECT_EQ(lines, expected);
  }
  const StatsReply stats = Stats(stub);
  EXPECT_EQ(stats.files(), 2u);
  EXPECT_EQ(stats.lines(), 4u);
  EXPECT_EQ(stats.bytes(), 21u);
  EXPECT_EQ(stats.trigrams(), 7u) << "one two 'wo ' 'o ?' ' ? ' '? t' ' tw'";
  EXPECT_EQ(stats.left_out().git_folders(), 3u);
  EXPECT_EQ(stats.left_out().unreadable().count(), 1u);
  EXPECT_EQ(stats.left_out().unreadable().first(0), "c: Permission denied");
  EXPECT_EQ(stats.searches_begun(), 2u);
  EXPECT_EQ(stats.searches_cut_short(), 0u);
}

TEST_F(ServiceTest, RefusesPatternsThatNoLineCanHold) {
  const Stub stub = Serve(Large());
  const std::string longest(SearchService::kLongestPattern, 'y');
  EXPECT_TRUE(stub.Search(For(longest)).Finish().ok());
  for (const std::string& pattern : {std::string(), std::string("a\nb"), longest + "y"}) {
    const absl::Status status = stub.Search(For(pattern)).Finish();
    EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
  }
  EXPECT_EQ(Stats(stub).searches_begun(), 1u);
}

TEST_F(ServiceTest, ACancelledSearchEnds) {
  const Stub stub = Serve(Large());
  auto matches = stub.Search(For("x"));
  Match match;
  ASSERT_TRUE(matches.Read(match));
  matches.Cancel();
  EXPECT_TRUE(absl::IsCancelled(matches.Finish()));
  EXPECT_EQ(AfterTheSearch(stub).searches_cut_short(), 1u);
}

TEST_F(ServiceTest, ASearchWhoseReaderIsGoneEnds) {
  const Stub stub = Serve(Large());
  {
    auto matches = stub.Search(For("x"));
    Match match;
    ASSERT_TRUE(matches.Read(match));
  }
  EXPECT_EQ(AfterTheSearch(stub).searches_cut_short(), 1u);
}

TEST_F(ServiceTest, ASearchThatNobodyReadsWaitsUntilItsDeadline) {
  const Stub stub = Serve(Large());
  auto matches = stub.Search(For("x"), nearcall::CallOptions().set_timeout(absl::Milliseconds(300)));
  const StatsReply stats = AfterTheSearch(stub);
  EXPECT_EQ(stats.searches_cut_short(), 1u) << "it was not held back: all its matches were queued";
  EXPECT_TRUE(absl::IsDeadlineExceeded(matches.Finish()));
}

}  // namespace
}  // namespace text_search
