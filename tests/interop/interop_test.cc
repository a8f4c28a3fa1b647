// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// Every interop case, over the transport named by --transport, with every form of client and server. Over unix: and
// shm: each server is a process of its own (this program again, with --serve), over inproc: it is here. At the end the
// table of results is printed, and an empty cell fails.
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

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
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "gtest/gtest.h"
#include "nearcall/tests/interop/cases.h"
#include "nearcall/tests/interop/client.h"
#include "nearcall/tests/interop/services.h"

namespace nearcall::interop {
namespace {

const char* const kServerForms[] = {"blocking", "async", "coroutine"};
const char* const kClientForms[] = {"blocking", "callback", "coroutine"};

std::string& TransportName() {
  static auto* const transport = new std::string("unix");
  return *transport;
}

// (case, client form, server form) -> what came of it
std::map<std::tuple<std::string, std::string, std::string>, std::string>& Results() {
  static auto* const results = new std::map<std::tuple<std::string, std::string, std::string>, std::string>;
  return *results;
}

// The servers, in other processes or in this one.
class Servers : public ::testing::Environment {
 public:
  // REQUIRES: no thread has been started yet.
  void StartProcesses() {
    char directory[] = "/tmp/nearcall-interop-XXXXXX";
    if (::mkdtemp(directory) == nullptr) ::abort();
    directory_ = directory;
    for (const std::string form : kServerForms) {
      addresses_[form] = absl::StrCat(TransportName(), ":", directory_, "/", form);
      Start(form);
    }
  }
  void SetUp() override {
    if (TransportName() != "inproc") return;
    for (const std::string form : kServerForms) {
      addresses_[form] = absl::StrCat("inproc:interop-", form);
      services_.push_back(NewTestService(form));
      servers_.push_back(std::make_unique<Server>());
      servers_.back()->AddService(services_.back().get());
      ASSERT_EQ(servers_.back()->Listen(addresses_[form]), absl::OkStatus());
    }
  }
  void TearDown() override {
    servers_.clear();
    for (pid_t pid : pids_) {
      ::kill(pid, SIGTERM);
      int status = 0;
      ::waitpid(pid, &status, 0);
      EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << "a server ended with wait status " << status;
    }
    if (!directory_.empty()) {
      EXPECT_EQ(::rmdir(directory_.c_str()), 0) << "a server left something in " << directory_;
    }
    PrintResults();
  }
  const std::string& address(const std::string& form) { return addresses_[form]; }

 private:
  void Start(const std::string& form) {
    int ready[2];
    if (::pipe2(ready, O_CLOEXEC) != 0) ::abort();
    const pid_t pid = ::fork();
    if (pid == 0) {
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);
      ::dup2(ready[1], 3);
      ::execl("/proc/self/exe", "interop_server", ("--serve=" + form).c_str(), addresses_[form].c_str(), nullptr);
      ::_exit(127);
    }
    ::close(ready[1]);
    char c = 0;
    if (pid < 0 || ::read(ready[0], &c, 1) != 1) {
      std::fprintf(stderr, "the %s server did not start\n", form.c_str());
      ::exit(EXIT_FAILURE);
    }
    ::close(ready[0]);
    pids_.push_back(pid);
  }

  static void PrintResults() {
    std::printf("\ninterop over %s: (case) by client form > server form\n%-28s", TransportName().c_str(), "case");
    for (const std::string client : kClientForms) {
      for (const std::string server : kServerForms)
        std::printf(" %s>%-9.9s", client.substr(0, 4).c_str(), server.c_str());
    }
    int empty = 0;
    for (const Case& one : Cases()) {
      std::printf("\n%-28s", one.name.c_str());
      for (const std::string client : kClientForms) {
        for (const std::string server : kServerForms) {
          const std::string& result = Results()[{one.name, client, server}];
          if (result.empty()) ++empty;
          std::printf(" %-14s", result.empty() ? "-" : result.c_str());
        }
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

  std::string directory_;
  std::map<std::string, std::string> addresses_;
  std::vector<pid_t> pids_;
  std::vector<std::unique_ptr<ServiceBase>> services_;
  std::vector<std::unique_ptr<Server>> servers_;
};

Servers* servers = nullptr;

class InteropTest : public ::testing::TestWithParam<std::tuple<Case, const char*, const char*>> {};

TEST_P(InteropTest, Case) {
  const auto& [one, client_form, server_form] = GetParam();
  const std::string& address = servers->address(server_form);
  const absl::string_view form = client_form;
  auto new_client = [&address, &form](const ChannelOptions& options) {
    absl::StatusOr<Channel> channel = Connect(address, options);
    EXPECT_TRUE(channel.ok()) << channel.status();
    return NewInteropClient(form, *channel);
  };
  const absl::Time start = absl::Now();
  std::unique_ptr<InteropClient> client = new_client(ChannelOptions());
  CaseContext context = {*client, new_client};
  one.run(context);
  Results()[{one.name, client_form, server_form}] =
      absl::StrCat(HasFailure() ? "FAILED" : "ok", " ", absl::ToInt64Milliseconds(absl::Now() - start), "ms");
}

INSTANTIATE_TEST_SUITE_P(All, InteropTest,
                         ::testing::Combine(::testing::ValuesIn(Cases()), ::testing::ValuesIn(kClientForms),
                                            ::testing::ValuesIn(kServerForms)),
                         [](const auto& info) {
                           return std::get<0>(info.param).name + "_" + std::get<1>(info.param) + "_client_" +
                                  std::get<2>(info.param) + "_server";
                         });

int Serve(const std::string& form, const std::string& address) {
  const std::unique_ptr<ServiceBase> service = NewTestService(form);
  Server server;
  server.AddService(service.get());
  if (absl::Status status = server.Listen(address); !status.ok()) return ExitWith(status);
  if (::write(3, "r", 1) != 1) return EXIT_FAILURE;
  ::close(3);
  server.Run();
  return EXIT_SUCCESS;
}

int Main(int argc, char** argv) {
  if (argc == 3 && absl::string_view(argv[1]).substr(0, 8) == "--serve=") return Serve(argv[1] + 8, argv[2]);
  ::testing::InitGoogleTest(&argc, argv);
  for (int i = 1; i < argc; ++i) {
    if (absl::string_view(argv[i]).substr(0, 12) == "--transport=") TransportName() = argv[i] + 12;
  }
  servers = new Servers;  // GoogleTest's from here on
  if (TransportName() != "inproc") servers->StartProcesses();
  ::testing::AddGlobalTestEnvironment(servers);
  return RUN_ALL_TESTS();
}

}  // namespace
}  // namespace nearcall::interop

int main(int argc, char** argv) { return nearcall::interop::Main(argc, argv); }
