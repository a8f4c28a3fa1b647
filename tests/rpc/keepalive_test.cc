// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// Keepalive: peers that are stopped or hang are given up, those that are only slow are not. Stopped servers are real
// processes.
#include <signal.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "nearcall/tests/contract/program.h"
#include "nearcall/tests/rpc/rest.h"
#include "nearcall/tests/rpc/rpc_test_util.h"

namespace nearcall::test {
namespace {

using Code = absl::StatusCode;
using ::testing::AllOf;

const absl::Duration kTime = absl::Milliseconds(50);
const absl::Duration kTimeout = absl::Milliseconds(300);  // a busy machine keeps a good peer waiting

class KeepaliveTest : public RpcTest, public ::testing::WithParamInterface<const char*> {
 protected:
  std::string Address() { return AddressOf(GetParam()); }
  std::unique_ptr<Program> StartServer() {
    auto server = std::make_unique<Program>(ProgramPath("probe_server"), std::vector<std::string>{Address()});
    EXPECT_TRUE(server->AwaitOutput("ready")) << server->Wait(1000) << server->err();
    return server;
  }
};
INSTANTIATE_TEST_SUITE_P(All, KeepaliveTest, ::testing::Values("unix", "local"),
                         [](const auto& info) { return std::string(info.param); });

TEST_P(KeepaliveTest, AStoppedServersCallsEnd) {
  auto server = StartServer();
  const ProbeStub stub(Dial(Address(), ChannelOptions().set_keepalive(kTime, kTimeout)));
  ASSERT_TRUE(stub.Unary(Text("x")).Wait().ok());
  server->Signal(SIGSTOP);
  const Stopwatch watch;
  Event ended;
  absl::Status then;
  stub.Unary(Text("x")).Then([&](absl::StatusOr<Message> reply) {
    then = reply.status();
    ended.Set();
  });
  EXPECT_THAT(stub.Unary(Text("x")).Wait().status(),
              AllOf(HasCode(Code::kUnavailable), Says("stopped"), Says(Address())));
  EXPECT_GE(watch.elapsed(), kTime + kTimeout);
  EXPECT_LT(watch.elapsed(), absl::Seconds(10));
  ASSERT_TRUE(ended.Wait());
  EXPECT_THAT(then, HasCode(Code::kUnavailable));
  server->Signal(SIGCONT);
  EXPECT_TRUE(stub.Unary(Text("x"), CallOptions().set_wait_for_ready(true)).Wait().ok()) << "on a new connection";
}

// A call that nobody waits for is not the peer's fault.
TEST_P(KeepaliveTest, ACallThatNobodyWaitsForYet) {
  auto server = StartServer();
  const ProbeStub stub(Dial(Address(), ChannelOptions().set_keepalive(absl::Milliseconds(10), kTimeout)));
  Call<Message> call = stub.Unary(Text("hold"), CallOptions().set_timeout(absl::Milliseconds(1500)));
  ASSERT_TRUE(server->AwaitOutput("held"));
  std::this_thread::sleep_for(std::chrono::milliseconds(1200));  // several times what is needed to give up
  EXPECT_THAT(call.Wait().status(), HasCode(Code::kDeadlineExceeded));
}

// This process was stopped itself; the answer has been there for long.
TEST_P(KeepaliveTest, AStoppedClientDoesNotBlameTheServer) {
  ProbeService service;
  Event release;
  service.unary = [&](ServerContext&, const Message& request) {
    EXPECT_TRUE(release.Wait());
    return request;
  };
  auto server = Serve(service, Address());
  Program client(ProgramPath("probe_client"), {Address(), "x", "50", "300"});
  for (int i = 0; i < 4; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(60));  // stopped at different moments of the watch
    client.Signal(SIGSTOP);
    std::this_thread::sleep_for(std::chrono::milliseconds(700));
    client.Signal(SIGCONT);
  }
  release.Set();
  EXPECT_EQ(client.Wait(), 0) << client.err();
}

TEST_P(KeepaliveTest, AStoppedClientsCallsAreCancelled) {
  ProbeService service;
  Event began, cancelled;
  service.unary = [&](ServerContext& context, const Message& request) {
    began.Set();
    if (HoldUntilCancelled(context)) cancelled.Set();
    return request;
  };
  auto server = Serve(service, Address(), ServerOptions().set_keepalive(kTime, kTimeout));
  Program client(ProgramPath("probe_client"), {Address(), "x"});
  ASSERT_TRUE(began.Wait());
  client.Signal(SIGSTOP);
  EXPECT_TRUE(cancelled.Wait());
}

TEST_P(KeepaliveTest, WithoutCallsNothingWakes) {
  ProbeService service;
  const auto often = absl::Milliseconds(5);
  auto server = Serve(service, Address(), ServerOptions().set_keepalive(often, kTimeout));
  const ProbeStub stub(Dial(Address(), ChannelOptions().set_keepalive(often, kTimeout)));
  ASSERT_TRUE(stub.Unary(Text("x")).Wait().ok());
  EXPECT_TRUE(ComesToRest());
}

}  // namespace
}  // namespace nearcall::test
