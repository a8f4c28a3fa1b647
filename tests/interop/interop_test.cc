// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// Every interop case, over the transport named by --transport, with every form of client and server, or only with the
// pairs that match (--pairs=matching). Each server is a process of its own (this program again, with --serve); over
// inproc: it is here. At the end the table of results is printed, and an empty cell fails.
#include <cstdio>
#include <cstdlib>
#include <map>
#include <memory>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "gtest/gtest.h"
#include "nearcall/tests/bench/process.h"
#include "nearcall/tests/interop/cases.h"
#include "nearcall/tests/interop/servers.h"

namespace nearcall::interop {
namespace {

struct Flags {
  std::string transport = "unix";
  std::vector<FormPair> pairs = AllPairs();
};
Flags& TheFlags() {
  static auto* const flags = new Flags;
  return *flags;
}

// (case, client form, server form) -> what came of it
std::map<std::tuple<std::string, std::string, std::string>, std::string>& Results() {
  static auto* const results = new std::map<std::tuple<std::string, std::string, std::string>, std::string>;
  return *results;
}

std::unique_ptr<InteropServers> servers;

class Environment : public ::testing::Environment {
 public:
  void SetUp() override {
    auto started = InteropServers::Start(TheFlags().transport, {bench::SelfPath(), "--serve"});
    ASSERT_TRUE(started.ok()) << started.status();
    servers = *std::move(started);
  }
  void TearDown() override {
    if (servers != nullptr) {
      EXPECT_EQ(servers->Stop(), absl::OkStatus());
    }
    servers.reset();
    PrintResults();
  }

 private:
  static void PrintResults() {
    std::printf("\ninterop over %s: (case) by client form > server form\n%-28s",
                TransportText(TheFlags().transport).c_str(), "case");
    for (const FormPair& pair : TheFlags().pairs) {
      std::printf(" %s>%-9.9s", pair.client.substr(0, 4).c_str(), pair.server.c_str());
    }
    int empty = 0;
    for (const Case& one : Cases()) {
      std::printf("\n%-28s", one.name.c_str());
      for (const FormPair& pair : TheFlags().pairs) {
        const std::string& result = Results()[{one.name, pair.client, pair.server}];
        if (result.empty()) ++empty;
        std::printf(" %-14s", result.empty() ? "-" : result.c_str());
      }
    }
    std::printf(
        "\nnot portable: cacheable_unary, *_creds, orca_*, grpclb (HTTP, TLS, load reports); compressed_*: nearcall "
        "does not "
        "compress messages\n");
    if (GTEST_FLAG_GET(filter) == "*") {
      EXPECT_EQ(empty, 0) << "cells of the table are empty";
    }
  }
};

class InteropTest : public ::testing::TestWithParam<std::tuple<Case, FormPair>> {};

TEST_P(InteropTest, Case) {
  const auto& [one, pair] = GetParam();
  ASSERT_NE(servers, nullptr);
  const absl::Time start = absl::Now();
  RunCase(one, pair.client, servers->address(pair.server));
  Results()[{one.name, pair.client, pair.server}] =
      absl::StrCat(HasFailure() ? "FAILED" : "ok", " ", absl::ToInt64Milliseconds(absl::Now() - start), "ms");
}

INSTANTIATE_TEST_SUITE_P(All, InteropTest,
                         ::testing::Combine(::testing::ValuesIn(Cases()), ::testing::ValuesIn(TheFlags().pairs)),
                         [](const auto& info) {
                           const FormPair& pair = std::get<1>(info.param);
                           return std::get<0>(info.param).name + "_" + pair.client + "_client_" + pair.server +
                                  "_server";
                         });

int Main(int argc, char** argv) {
  if (argc > 1 && absl::string_view(argv[1]) == "--serve") return ServeInterop({argv + 2, argv + argc});
  for (int i = 1; i < argc; ++i) {  // before InitGoogleTest(), which makes the tests of them
    absl::string_view flag = argv[i];
    if (absl::ConsumePrefix(&flag, "--transport=")) TheFlags().transport = std::string(flag);
    if (flag == "--pairs=matching") TheFlags().pairs = MatchingPairs();
  }
  ::testing::InitGoogleTest(&argc, argv);
  ::testing::AddGlobalTestEnvironment(new Environment);  // GoogleTest's from here on
  return RUN_ALL_TESTS();
}

}  // namespace
}  // namespace nearcall::interop

int main(int argc, char** argv) { return nearcall::interop::Main(argc, argv); }
