// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// Servers that come, drain and go: wait-for-ready, the drain and its bound, Run() and its signals, misuse of a Server.
#include <signal.h>

#include <atomic>
#include <filesystem>
#include <future>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "nearcall/tests/rpc/rest.h"
#include "nearcall/tests/rpc/rpc_test_util.h"

namespace nearcall::test {
namespace {

using Code = absl::StatusCode;
using ::testing::AllOf;
using ::testing::AnyOf;

class LifecycleTest : public EachTransport {};
NEARCALL_EACH_TRANSPORT(LifecycleTest);

TEST_P(LifecycleTest, NoServerIsUnavailableAtOnce) {
  const ProbeStub stub(Dial(Address()));
  for (int i = 0; i < 3; ++i) {
    const Stopwatch watch;
    EXPECT_THAT(stub.Unary(Message()).Wait().status(), AllOf(HasCode(Code::kUnavailable), Says(Address())));
    auto duplex = stub.Duplex();
    EXPECT_THAT(duplex.Finish(), AllOf(HasCode(Code::kUnavailable), Says(Address())));
    EXPECT_LT(watch.elapsed(), absl::Seconds(2));
  }
  EXPECT_FALSE(Dial(Address()).WaitForConnected(absl::Milliseconds(20)));
}

TEST_P(LifecycleTest, WaitForReadyWaitsForALaterServer) {
  ProbeService service;
  Channel channel = Dial(Address());
  const ProbeStub stub(channel);
  Call<Message> unary = stub.Unary(Text("early"), CallOptions().set_wait_for_ready(true));
  std::promise<absl::Status> then;
  stub.Unary(Text("early"), CallOptions().set_wait_for_ready(true)).Then([&](absl::StatusOr<Message> reply) {
    then.set_value(reply.status());
  });
  auto input = stub.Input(CallOptions().set_wait_for_ready(true));
  std::thread writer([&] {
    EXPECT_TRUE(input.Write(Number(7)));
    EXPECT_EQ(input.Finish().value_or(Message()).number(), 7);
  });
  EXPECT_THAT(stub.Unary(Message()).Wait().status(), HasCode(Code::kUnavailable))
      << "who does not wait fails meanwhile";
  auto server = Serve(service, Address());
  EXPECT_EQ(unary.Wait().value_or(Message()).text(), "early");
  EXPECT_EQ(then.get_future().get(), absl::OkStatus());
  writer.join();
  EXPECT_TRUE(channel.WaitForConnected(absl::Seconds(5)));
}

// Whoever waits is woken by the server's coming, and by nothing before it.
TEST_P(LifecycleTest, WaitForReadySleepsUntilTheServerComes) {
  ProbeService service;
  const ProbeStub stub(Dial(Address("later/server")));
  for (int round = 0; round < 3; ++round) {
    const auto wait = CallOptions().set_wait_for_ready(true).set_timeout(absl::Seconds(30));
    std::promise<absl::Status> then;
    stub.Unary(Text("early"), wait).Then([&](absl::StatusOr<Message> reply) { then.set_value(reply.status()); });
    Call<Message> call = stub.Unary(Text("early"), wait);
    ASSERT_TRUE(ComesToRest()) << "somebody polls";
    std::error_code ignored;
    std::filesystem::create_directory(directory() / "later", ignored);
    auto server = Serve(service, Address("later/server"));
    EXPECT_EQ(call.Wait().status(), absl::OkStatus());
    EXPECT_EQ(then.get_future().get(), absl::OkStatus());
  }
}

TEST_P(LifecycleTest, WaitForReadyEndsAtTheDeadlineOrByCancel) {
  const ProbeStub stub(Dial(Address()));
  const Stopwatch watch;
  EXPECT_THAT(
      stub.Unary(Message(), CallOptions().set_wait_for_ready(true).set_timeout(absl::Milliseconds(80))).Wait().status(),
      HasCode(Code::kDeadlineExceeded));
  EXPECT_GE(watch.elapsed(), absl::Milliseconds(80));
  EXPECT_LT(watch.elapsed(), absl::Seconds(5));
  Call<Message> call = stub.Unary(Message(), CallOptions().set_wait_for_ready(true));
  call.Cancel();
  EXPECT_THAT(call.Wait().status(), HasCode(Code::kCancelled));
}

TEST_P(LifecycleTest, WaitForConnectedWaitsForALaterServer) {
  ProbeService service;
  Channel channel = Dial(Address());
  Event waiting;
  std::thread waiter([&] {
    waiting.Set();
    EXPECT_TRUE(channel.WaitForConnected(absl::Seconds(10)));
  });
  waiting.Wait();
  auto server = Serve(service, Address());
  waiter.join();
  EXPECT_NE(channel.transport(), "");
}

TEST_P(LifecycleTest, DrainFinishesCallsUnderWayAndTakesNoNewOnes) {
  ProbeService service;
  Event entered;
  Event release;
  std::atomic<int> late{0};
  service.unary = [&](ServerContext& context, const Message& request) -> absl::StatusOr<Message> {
    if (request.text() == "late") ++late;
    if (request.text() == "hold") {
      entered.Set();
      release.Wait();
      EXPECT_FALSE(context.IsCancelled());
    }
    return request;
  };
  auto server = Serve(service, Address());
  const ProbeStub stub(Dial(Address()));
  auto duplex = stub.Duplex();
  Message message;
  ASSERT_TRUE(duplex.Write(Number(1)) && duplex.Read(message));
  Call<Message> held = stub.Unary(Text("hold"));
  ASSERT_TRUE(entered.Wait());

  const Stopwatch watch;
  server->Shutdown(absl::Seconds(20));
  EXPECT_LT(watch.elapsed(), absl::Seconds(2)) << "Shutdown() returns at once";
  // As the address is given up, another server may take it.
  EXPECT_TRUE(Eventually([&] { return stub.Unary(Text("late")).Wait().status().code() == Code::kUnavailable; }));
  const int before = late;
  EXPECT_THAT(stub.Unary(Text("late")).Wait().status(), HasCode(Code::kUnavailable));
  EXPECT_EQ(late, before);

  ProbeService other;
  other.unary = [](ServerContext&, const Message&) -> absl::StatusOr<Message> { return Text("other"); };
  auto successor = Serve(other, Address());
  EXPECT_EQ(stub.Unary(Text("late"), CallOptions().set_wait_for_ready(true)).Wait().value_or(Message()).text(),
            "other");

  ASSERT_TRUE(duplex.Write(Number(2)) && duplex.Read(message)) << "a stream under way goes on";
  EXPECT_EQ(message.number(), 2);
  EXPECT_EQ(duplex.Finish(), absl::OkStatus());
  release.Set();
  EXPECT_TRUE(held.Wait().ok());
  const Stopwatch end;
  server.reset();
  EXPECT_LT(end.elapsed(), absl::Seconds(5));
}

TEST_P(LifecycleTest, DrainIsBounded) {
  ProbeService service;
  Event entered;
  std::atomic<bool> cancelled{false};
  service.unary = [&](ServerContext& context, const Message& request) -> absl::StatusOr<Message> {
    entered.Set();
    cancelled = HoldUntilCancelled(context);
    return request;
  };
  auto server = Serve(service, Address());
  const ProbeStub stub(Dial(Address()));
  Call<Message> held = stub.Unary(Message());
  ASSERT_TRUE(entered.Wait());
  const Stopwatch watch;
  server->Shutdown(absl::Milliseconds(100));
  EXPECT_THAT(held.Wait().status(), AnyOf(HasCode(Code::kUnavailable), HasCode(Code::kCancelled)));
  EXPECT_GE(watch.elapsed(), absl::Milliseconds(90));
  server.reset();
  EXPECT_LT(watch.elapsed(), absl::Seconds(5));
  EXPECT_TRUE(cancelled);
}

TEST_P(LifecycleTest, DestructorCancelsAndWaitsForHandlers) {
  ProbeService service;
  std::atomic<int> running{0};
  service.unary = [&](ServerContext& context, const Message& request) -> absl::StatusOr<Message> {
    ++running;
    HoldUntilCancelled(context);
    --running;
    return request;
  };
  auto server = Serve(service, Address());
  const ProbeStub stub(Dial(Address()));
  std::vector<Call<Message>> calls;
  for (int i = 0; i < 8; ++i) calls.push_back(stub.Unary(Message()));
  ASSERT_TRUE(Eventually([&] { return running == 8; }));
  server.reset();
  EXPECT_EQ(running, 0);
  for (Call<Message>& call : calls) {
    EXPECT_THAT(call.Wait().status(), AnyOf(HasCode(Code::kUnavailable), HasCode(Code::kCancelled)));
  }
}

TEST_P(LifecycleTest, RunReturnsAfterShutdownFromAHandler) {
  ProbeService service;
  Server server;
  service.unary = [&](ServerContext&, const Message& request) -> absl::StatusOr<Message> {
    server.Shutdown();
    return request;
  };
  server.AddService(&service);
  ASSERT_EQ(server.Listen(Address()), absl::OkStatus());
  Event returned;
  std::thread runner([&] {
    server.Run();
    returned.Set();
  });
  const ProbeStub stub(Dial(Address()));
  EXPECT_TRUE(stub.Unary(Message()).Wait().ok()) << "the call that shuts down is under way, and finishes";
  EXPECT_TRUE(returned.Wait());
  runner.join();
  server.Run();  // returns at once
}

TEST_P(LifecycleTest, ServersComeAndGoUnderOneChannel) {
  const Channel channel = Dial(Address());
  for (int i = 0; i < 10; ++i) {
    ProbeService service;
    service.unary = [i](ServerContext&, const Message&) -> absl::StatusOr<Message> { return Number(i); };
    auto server = Serve(service, Address());
    const ProbeStub stub(channel);
    // The last server went in order: nobody is told "unavailable" for that.
    absl::StatusOr<Message> reply = stub.Unary(Message()).Wait();
    ASSERT_TRUE(reply.ok()) << reply.status();
    EXPECT_EQ(reply->number(), i);
  }
}

class MisuseTest : public EachTransport {};
NEARCALL_EACH_TRANSPORT(MisuseTest);

TEST_P(MisuseTest, WrongServicesAreReportedByListen) {
  ProbeService a;
  ProbeService b;
  Server null;
  null.AddService(nullptr);
  EXPECT_FALSE(null.Listen(Address()).ok());
  Server twice;
  twice.AddService(&a);
  twice.AddService(&b);
  EXPECT_THAT(twice.Listen(Address()), Says("rpctest.Probe"));
  Server late;
  late.AddService(&a);
  ASSERT_EQ(late.Listen(Address("first")), absl::OkStatus());
  ::rpctest::Unserved::Service more;
  late.AddService(&more);
  EXPECT_THAT(late.Listen(Address("second")), Says("rpctest.Unserved"));
  EXPECT_TRUE(ProbeStub(Dial(Address("first"))).Unary(Message()).Wait().ok()) << "it goes on where it listens";
}

TEST_P(MisuseTest, TwoServersAtOneAddress) {
  ProbeService a;
  auto first = Serve(a, Address());
  Server second;
  EXPECT_THAT(second.Listen(Address()), Says(AddressOf("", "server").substr(1)));
  EXPECT_FALSE(first->Listen(Address()).ok()) << "nor twice at the same";
  EXPECT_TRUE(ProbeStub(Dial(Address())).Unary(Message()).Wait().ok());
  first.reset();
  EXPECT_EQ(second.Listen(Address()), absl::OkStatus()) << "free again";
}

TEST_P(MisuseTest, ListenAfterShutdown) {
  Server server;
  server.Shutdown();
  EXPECT_FALSE(server.Listen(Address()).ok());
}

}  // namespace
}  // namespace nearcall::test
