// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// The contract's programs, as they stand, run against each other as real processes: every server with every client, at
// every kind of address.
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <ostream>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "nearcall/tests/contract/program.h"
#include "nearcall/tests/transports/process_util.h"

namespace nearcall::test {
namespace {

constexpr int kUnavailable = 64 + 14;
constexpr int kUnimplemented = 64 + 12;
constexpr int kDeadlineExceeded = 64 + 4;

struct Pairing {
  std::string name;
  std::string server;
  std::string client;
  int exit_code;
  std::string out;
  std::string err;  // part of it
};
std::ostream& operator<<(std::ostream& out, const Pairing& pairing) { return out << pairing.name; }

const std::vector<Pairing>& Pairings() {
  static const auto* const pairings = new std::vector<Pairing>{
      {"BlockingBlocking", "server_blocking", "client_blocking", 0, "hello world\n3\n2\n1\nhi\nroom 1\n", ""},
      {"BlockingAsync", "server_blocking", "client_async", 0, "hello world\n", ""},
      {"CoroutineBlocking", "server_coroutine", "client_blocking", 0, "hello world\n3\n2\n1\nhi\n", ""},
      {"CoroutineAsync", "server_coroutine", "client_async", 0, "hello world\n", ""},
      // The async server sends one tick, takes one number and has no chat: the client says so and fails.
      {"AsyncBlocking", "server_async", "client_blocking", kUnimplemented, "hello world\n3\n",
       "UNIMPLEMENTED: no chat today"},
      {"AsyncAsync", "server_async", "client_async", 0, "hello world\n", ""},
  };
  return *pairings;
}

struct Place {
  std::string name;
  std::string server;  // address; $DIR is a fresh directory; empty: none given, the program's default
  std::string client;
  std::string socket;  // the file that must be gone afterwards
};
std::ostream& operator<<(std::ostream& out, const Place& place) { return out << place.name; }

const std::vector<Place>& Places() {
  static const auto* const places = new std::vector<Place>{
      {"LocalDefault", "", "", "$DIR/nearcall/greeter"},
      {"LocalName", "local:somebody", "local:somebody", "$DIR/nearcall/somebody"},
      {"LocalPath", "local:$DIR/greeter.sock", "local:$DIR/greeter.sock", "$DIR/greeter.sock"},
      {"Unix", "unix:$DIR/greeter.sock", "unix:$DIR/greeter.sock", "$DIR/greeter.sock"},
      {"UnixToLocal", "local:$DIR/greeter.sock", "unix:$DIR/greeter.sock", "$DIR/greeter.sock"},
  };
  return *places;
}

std::string Expand(std::string text, const std::string& directory) {
  const size_t at = text.find("$DIR");
  return at == std::string::npos ? text : text.replace(at, 4, directory);
}

std::vector<std::string> Arguments(const std::string& address, const std::string& directory) {
  if (address.empty()) return {};
  return {Expand(address, directory)};
}

bool IsSocket(const std::string& path) {
  struct stat info = {};
  return ::stat(path.c_str(), &info) == 0 && S_ISSOCK(info.st_mode);
}

class ContractTest : public ::testing::Test {
 protected:
  // Names of local: live in $XDG_RUNTIME_DIR: each test has its own.
  ContractTest() { ::setenv("XDG_RUNTIME_DIR", directory_.path().c_str(), 1); }
  ~ContractTest() override {
    for (const std::string& name : FilesIn(directory_ / "nearcall")) {
      ::unlink((directory_ / ("nearcall/" + name)).c_str());
    }
  }
  const std::string& directory() const { return directory_.path(); }
  std::string At(const std::string& text) const { return Expand(text, directory()); }

 private:
  TempDir directory_;
};

class RunTest : public ContractTest, public ::testing::WithParamInterface<std::tuple<Pairing, Place>> {};

TEST_P(RunTest, Runs) {
  const auto& [pairing, place] = GetParam();
  Program server(ProgramPath(pairing.server), Arguments(place.server, directory()));
  ASSERT_TRUE(Eventually([&] { return IsSocket(At(place.socket)) || !server.Running(); }));
  ASSERT_TRUE(server.Running()) << (server.Wait(), server.err());

  int code = -1;
  std::string out;
  std::string err;
  // client_async gives one call 50 ms, which a loaded machine may not keep.
  for (int i = 0; i < 10; ++i) {
    Program client(ProgramPath(pairing.client), Arguments(place.client, directory()));
    code = client.Wait();
    out = client.out();
    err = client.err();
    if (pairing.client != "client_async" || code != kDeadlineExceeded) break;
  }
  EXPECT_EQ(code, pairing.exit_code) << out << err;
  EXPECT_EQ(out, pairing.out);
  if (pairing.err.empty()) {
    EXPECT_EQ(err, "");
  } else {
    EXPECT_NE(err.find(pairing.err), std::string::npos) << err;
  }

  server.Signal(SIGTERM);
  EXPECT_EQ(server.Wait(), 0) << server.err();
  EXPECT_EQ(server.out(), "");
  EXPECT_EQ(server.err(), "");
  EXPECT_FALSE(IsSocket(At(place.socket))) << "the server has left its socket behind";
}

INSTANTIATE_TEST_SUITE_P(All, RunTest,
                         ::testing::Combine(::testing::ValuesIn(Pairings()), ::testing::ValuesIn(Places())),
                         [](const auto& info) {
                           return std::get<0>(info.param).name + "_" + std::get<1>(info.param).name;
                         });

TEST_F(ContractTest, ClientsWithoutServerNameTheAddress) {
  for (const std::string name : {"client_blocking", "client_async"}) {
    Program client(ProgramPath(name), {At("unix:$DIR/nobody.sock")});
    const int code = client.Wait();
    const std::string said = client.out() + client.err();  // client_async prints the call's status itself
    EXPECT_EQ(code, name == "client_blocking" ? kUnavailable : EXIT_FAILURE) << said;
    EXPECT_NE(said.find("UNAVAILABLE"), std::string::npos) << said;
    EXPECT_NE(said.find(At("$DIR/nobody.sock")), std::string::npos) << said;
  }
}

TEST_F(ContractTest, SecondServerIsRefusedAndTheFirstServesOn) {
  const std::string address = At("local:$DIR/greeter.sock");
  Program first(ProgramPath("server_blocking"), {address});
  ASSERT_TRUE(Eventually([&] { return IsSocket(At("$DIR/greeter.sock")); }));
  Program second(ProgramPath("server_coroutine"), {address});
  EXPECT_GT(second.Wait(), 64);
  EXPECT_NE(second.err().find(At("$DIR/greeter.sock")), std::string::npos) << second.err();
  Program client(ProgramPath("client_blocking"), {address});
  EXPECT_EQ(client.Wait(), 0) << client.err();
  EXPECT_TRUE(first.Running());
}

TEST_F(ContractTest, KilledServersPlaceIsTakenOver) {
  const std::string address = At("local:$DIR/greeter.sock");
  for (int i = 0; i < 3; ++i) {
    Program server(ProgramPath("server_blocking"), {address});
    // The leftover of the last round is a socket too: ask by a call.
    ASSERT_TRUE(Eventually([&] {
      Program client(ProgramPath("client_blocking"), {address});
      return client.Wait() == 0;
    }));
    server.Kill();
  }
}

}  // namespace
}  // namespace nearcall::test
