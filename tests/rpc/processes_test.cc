// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// Servers and clients as processes of their own: killed in mid-call, restarted, run as another user.
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <future>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "nearcall/tests/contract/program.h"
#include "nearcall/tests/rpc/rpc_test_util.h"

namespace nearcall::test {
namespace {

using Code = absl::StatusCode;
using ::testing::AllOf;

class ProcessesTest : public RpcTest, public ::testing::WithParamInterface<const char*> {
 protected:
  std::string Address(const std::string& name = "server") { return AddressOf(GetParam(), name); }
  std::unique_ptr<Program> StartServer(uid_t uid = 0) {
    auto server = std::make_unique<Program>(ProgramPath("probe_server"), std::vector<std::string>{Address()}, uid);
    EXPECT_TRUE(server->AwaitOutput("ready")) << server->Wait(1000) << server->err();
    return server;
  }
};
INSTANTIATE_TEST_SUITE_P(All, ProcessesTest, ::testing::Values("unix", "shm", "local"),
                         [](const auto& info) { return std::string(info.param); });

TEST_P(ProcessesTest, KilledInMidCallIsUnavailableAtOnceAndRecovers) {
  const Channel channel = Dial(Address());
  const ProbeStub stub(channel);
  for (int i = 0; i < 5; ++i) {
    auto server = StartServer();
    ASSERT_TRUE(stub.Unary(Text("before")).Wait().ok());
    std::vector<Call<Message>> calls;
    for (int c = 0; c < 3; ++c) calls.push_back(stub.Unary(Text("hold")));
    std::promise<absl::Status> then;
    stub.Unary(Text("hold")).Then([&](absl::StatusOr<Message> reply) { then.set_value(reply.status()); });
    auto duplex = stub.Duplex();
    Message message;
    ASSERT_TRUE(duplex.Write(Text("x")) && duplex.Read(message));
    ASSERT_TRUE(server->AwaitOutput("held\nheld\nheld\nheld"));
    std::thread waiter([&] { EXPECT_THAT(calls[0].Wait().status(), HasCode(Code::kUnavailable)); });
    const Stopwatch watch;
    server->Kill();
    waiter.join();
    for (size_t c = 1; c < calls.size(); ++c) {
      EXPECT_THAT(calls[c].Wait().status(), AllOf(HasCode(Code::kUnavailable), Says(Address())));
    }
    EXPECT_THAT(then.get_future().get(), HasCode(Code::kUnavailable));
    EXPECT_FALSE(duplex.Read(message));
    EXPECT_THAT(duplex.Finish(), HasCode(Code::kUnavailable));
    EXPECT_LT(watch.elapsed(), absl::Seconds(2));
    EXPECT_THAT(stub.Unary(Text("nobody")).Wait().status(), AllOf(HasCode(Code::kUnavailable), Says(Address())));
  }
}

TEST_P(ProcessesTest, RestartBetweenCallsIsInvisible) {
  const ProbeStub stub(Dial(Address()));
  for (int i = 0; i < 12; ++i) {
    auto server = StartServer();
    absl::StatusOr<Message> reply = stub.Unary(Number(i)).Wait();
    ASSERT_TRUE(reply.ok()) << i << ": " << reply.status();
    EXPECT_EQ(reply->number(), i);
    if (i % 2 == 0) {
      server->Kill();
    } else {
      server->Signal(SIGTERM);
      EXPECT_EQ(server->Wait(), 0);
    }
  }
}

TEST_P(ProcessesTest, SecondSignalEndsTheDrain) {
  const ProbeStub stub(Dial(Address()));
  auto server = StartServer();
  Call<Message> held = stub.Unary(Text("hold"));
  ASSERT_TRUE(server->AwaitOutput("held"));
  const Stopwatch watch;
  server->Signal(SIGINT);
  // It drains: nobody new is served, and the call under way keeps it for up to 5 s.
  ASSERT_TRUE(Eventually([&] { return !ProbeStub(Dial(Address())).Unary(Number(1)).Wait().ok(); }));
  server->Signal(SIGINT);
  EXPECT_EQ(server->Wait(3000), 0) << server->err();
  EXPECT_LT(watch.elapsed(), absl::Seconds(4));
  EXPECT_THAT(held.Wait().status(), HasCode(Code::kUnavailable));
}

TEST_P(ProcessesTest, KilledClientCancelsItsCallsAndNothingElse) {
  ProbeService service;
  std::atomic<int> held{0};
  std::atomic<int> cancelled{0};
  service.unary = [&](ServerContext& context, const Message& request) -> absl::StatusOr<Message> {
    if (request.text() != "hold") return request;
    ++held;
    if (HoldUntilCancelled(context)) ++cancelled;
    return request;
  };
  auto server = Serve(service, Address());
  const ProbeStub stub(Dial(Address()));
  auto bystander = stub.Duplex();
  for (int i = 1; i <= 5; ++i) {
    Program client(ProgramPath("probe_client"), {Address(), "hold"});
    ASSERT_TRUE(Eventually([&] { return held == i; }));
    client.Kill();
    EXPECT_TRUE(Eventually([&] { return cancelled == i; }));
  }
  Message message;
  EXPECT_TRUE(bystander.Write(Text("x")) && bystander.Read(message));
  EXPECT_EQ(bystander.Finish(), absl::OkStatus());
}

TEST_P(ProcessesTest, StoppedServerIsADeadlineAndThenGoesOn) {
  auto server = StartServer();
  const ProbeStub stub(Dial(Address()));
  ASSERT_TRUE(stub.Unary(Message()).Wait().ok());
  server->Signal(SIGSTOP);
  EXPECT_THAT(stub.Unary(Message(), CallOptions().set_timeout(absl::Milliseconds(100))).Wait().status(),
              HasCode(Code::kDeadlineExceeded));
  Call<Message> call = stub.Unary(Text("later"));
  server->Signal(SIGCONT);
  EXPECT_EQ(call.Wait().value_or(Message()).text(), "later");
}

TEST_P(ProcessesTest, TooMuchKeptForAStoppedServerIsRefusedAtOnce) {
  auto server = StartServer();
  const ProbeStub stub(Dial(Address(), ChannelOptions().set_max_pending_bytes(2'000'000)));
  ASSERT_TRUE(stub.Unary(Message()).Wait().ok());
  server->Signal(SIGSTOP);
  std::vector<Call<Message>> calls;
  for (int i = 0; i < 50; ++i) calls.push_back(stub.Unary(Body(100'000)));
  const Stopwatch watch;
  EXPECT_THAT(calls.back().Wait().status(), AllOf(HasCode(Code::kResourceExhausted), Says("2000000")));
  EXPECT_LT(watch.elapsed(), absl::Seconds(2));
  calls.pop_back();
  server->Signal(SIGCONT);
  EXPECT_TRUE(calls.front().Wait().ok()) << "what was kept goes out";
  for (size_t i = 1; i < calls.size(); ++i) calls[i].Wait().status().IgnoreError();
  EXPECT_TRUE(stub.Unary(Body(100'000)).Wait().ok());
}

TEST_P(ProcessesTest, LeftoverOfAKilledServerIsNoServer) {
  StartServer()->Kill();
  const ProbeStub stub(Dial(Address()));
  EXPECT_THAT(stub.Unary(Message()).Wait().status(),
              AllOf(HasCode(Code::kUnavailable), Says(Address()), Says("refused")));
  auto server = StartServer();
  EXPECT_TRUE(stub.Unary(Message()).Wait().ok());
}

TEST_P(ProcessesTest, NotListeningProgramIsClear) {
  FILE* file = ::fopen((directory() / "server").c_str(), "w");
  ASSERT_NE(file, nullptr);
  ::fclose(file);
  EXPECT_THAT(ProbeStub(Dial(Address())).Unary(Message()).Wait().status(),
              AllOf(HasCode(Code::kUnavailable), Says(directory() / "server"), Says("not a socket")));
}

// As other users: from root only.
class UsersTest : public ProcessesTest {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "needs root, to become nobody";
    ASSERT_EQ(::chmod(directory().path().c_str(), 0777), 0);
  }
};
INSTANTIATE_TEST_SUITE_P(All, UsersTest, ::testing::Values("unix", "shm", "local"),
                         [](const auto& info) { return std::string(info.param); });

constexpr int kPermissionDenied = 64 + 7;

TEST_P(UsersTest, OthersMayNotConnectUnlessTheAddressSaysSo) {
  {
    auto server = StartServer();
    Program client(ProgramPath("probe_client"), {Address(), "x"}, kNobody);
    EXPECT_EQ(client.Wait(), kPermissionDenied) << client.err();
    for (const std::string& text : {Address(), std::string("Permission denied"), std::string("0600")}) {
      EXPECT_NE(client.err().find(text), std::string::npos) << text << " is not in " << client.err();
    }
    EXPECT_TRUE(ProbeStub(Dial(Address())).Unary(Message()).Wait().ok());
  }
  Program open(ProgramPath("probe_server"), {Address() + "?mode=0666"});
  ASSERT_TRUE(open.AwaitOutput("ready")) << open.err();
  Program client(ProgramPath("probe_client"), {Address(), "who"}, kNobody);
  EXPECT_EQ(client.Wait(), 0) << client.err();
  EXPECT_EQ(client.out(), absl::StrCat(" ", kNobody, "\n")) << "the server sees who calls";
}

TEST_P(UsersTest, ADirectoryThatIsClosedToUs) {
  auto server = StartServer();
  ASSERT_EQ(::chmod(directory().path().c_str(), 0700), 0);
  Program client(ProgramPath("probe_client"), {Address(), "x"}, kNobody);
  EXPECT_EQ(client.Wait(), kPermissionDenied) << client.err();
  EXPECT_NE(client.err().find(Address()), std::string::npos) << client.err();
  Program other(ProgramPath("probe_server"), {Address("other")}, kNobody);
  EXPECT_EQ(other.Wait(), kPermissionDenied) << other.err();
  EXPECT_NE(other.err().find(directory().path()), std::string::npos) << other.err();
}

TEST_P(UsersTest, ForeignServersAreNotTrusted) {
  auto server = StartServer(kNobody);
  EXPECT_THAT(ProbeStub(Dial(Address())).Unary(Message()).Wait().status(),
              AllOf(HasCode(Code::kPermissionDenied), Says(Address()), Says(absl::StrCat(kNobody))));
  EXPECT_EQ(ProbeStub(Dial(absl::StrCat(Address(), "?server_uid=", kNobody)))
                .Unary(Text("x"))
                .Wait()
                .value_or(Message())
                .text(),
            "x");
}

TEST_P(UsersTest, ForeignLeftoversAreNotTakenOver) {
  StartServer(kNobody)->Kill();
  Server server;
  EXPECT_THAT(server.Listen(Address()),
              AllOf(HasCode(Code::kPermissionDenied), Says(directory() / "server"), Says(absl::StrCat(kNobody))));
}

}  // namespace
}  // namespace nearcall::test
