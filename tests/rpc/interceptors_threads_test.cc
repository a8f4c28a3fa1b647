// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// Interceptors are user code: they throw, block, make calls of their own over the same channel, and are called by
// several threads at once.
#include <atomic>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "nearcall/tests/rpc/interceptor_recorder.h"

namespace nearcall::test {
namespace {

using Code = absl::StatusCode;
using ::testing::AllOf;

constexpr char kUnary[] = "/rpctest.Probe/Unary";

class InterceptorThreadsTest : public EachTransport {
 protected:
  void Begin() {
    server_ = Serve(service_, Address(), ServerOptions().add_interceptor(served_));
    channel_.emplace(Dial(Address(), ChannelOptions().add_interceptor(called_)));
    stub_.emplace(*channel_);
  }
  const ProbeStub& stub() const { return *stub_; }

  ProbeService service_;
  Events client_events_;
  Events server_events_;
  std::shared_ptr<Recorder> called_ = std::make_shared<Recorder>(&client_events_);
  std::shared_ptr<Recorder> served_ = std::make_shared<Recorder>(&server_events_);
  std::unique_ptr<Server> server_;
  std::optional<Channel> channel_;
  std::optional<ProbeStub> stub_;
};
NEARCALL_EACH_TRANSPORT(InterceptorThreadsTest);

// ---- exceptions

TEST_P(InterceptorThreadsTest, WhatAHookThrowsEndsTheCall) {
  Begin();
  ASSERT_TRUE(channel_->WaitForConnected(absl::Seconds(10)));  // else a call that fails early may never be sent
  const auto throws = []() -> absl::Status { throw std::runtime_error("out of paper"); };
  const auto throws_one = [](const Message&) -> absl::Status { throw 1; };
  for (const std::shared_ptr<Recorder>& side : {called_, served_}) {
    Places& places = side->places;
    const auto settle = [&](bool reached) {
      client_events_.Take();
      if (reached) server_events_.TakeEnded();
      server_events_.Take();
    };
    places.start = throws;
    EXPECT_THAT(
        stub().Unary(Number(1)).Wait().status(),
        AllOf(HasCode(Code::kUnknown), Says("an interceptor threw in OnStart of /rpctest.Probe/Unary: out of paper")));
    settle(false);
    places.start = nullptr;
    places.request = throws_one;
    EXPECT_THAT(stub().Unary(Number(1)).Wait().status(),
                AllOf(HasCode(Code::kUnknown), Says("threw in OnRequest"), Says("no std::exception")));
    settle(side == served_);
    auto duplex = stub().Duplex();
    duplex.Write(Number(1));
    Message message;
    EXPECT_FALSE(duplex.Read(message));
    EXPECT_THAT(duplex.Finish(), AllOf(HasCode(Code::kUnknown), Says("threw in OnRequest")));
    settle(true);
    places.request = nullptr;
    places.reply = throws_one;
    EXPECT_THAT(stub().Unary(Number(1)).Wait().status(), AllOf(HasCode(Code::kUnknown), Says("threw in OnReply")));
    settle(true);
    auto output = stub().Output(Number(1));
    EXPECT_FALSE(output.Read(message));
    EXPECT_THAT(output.Finish(), AllOf(HasCode(Code::kUnknown), Says("threw in OnReply")));
    settle(true);
    places.reply = nullptr;
  }
  EXPECT_EQ(stub().Unary(Number(1)).Wait().status(), absl::OkStatus());
}

// The status is what it was; the exception is told of.
TEST_P(InterceptorThreadsTest, WhatTheEndThrowsIsWrittenToStderr) {
  std::atomic<int> thrown{0};
  const auto throws = [&](const absl::Status&, const Metadata&) {
    ++thrown;
    throw std::runtime_error("out of ink");
  };
  called_->places.end = served_->places.end = throws;
  Begin();
  ::testing::internal::CaptureStderr();
  for (const Form form : kForms) EXPECT_EQ(Get(form, stub().Unary(Number(1))).status(), absl::OkStatus());
  { auto dropped = stub().Duplex(); }
  EXPECT_TRUE(Eventually([&] { return thrown == 8; }));
  server_ = nullptr;
  EXPECT_THAT(::testing::internal::GetCapturedStderr(),
              ::testing::HasSubstr("nearcall: an interceptor threw in OnEnd of /rpctest.Probe/Unary: out of ink\n"));
}

// ---- calls within hooks

// A blocking call over the same channel (of another method, which the recorders leave alone), at every place of both
// sides; with a reply so large that it is parsed where it lies, while its reader holds the connection.
TEST_P(InterceptorThreadsTest, HooksMakeBlockingCallsOverTheSameChannel) {
  std::atomic<int> inner{0};
  const auto call = [&] {
    auto stream = stub().Output(Number(3), CallOptions().set_timeout(absl::Seconds(20)));
    Message message;
    while (stream.Read(message)) continue;
    EXPECT_EQ(stream.Finish(), absl::OkStatus());
    ++inner;
    return absl::OkStatus();
  };
  for (const std::shared_ptr<Recorder>& side : {called_, served_}) {
    side->only = [](absl::string_view method) { return method == kUnary; };
    side->places.start = call;
    side->places.request = side->places.reply = [&](const Message&) { return call(); };
    side->places.end = [&](const absl::Status&, const Metadata&) { EXPECT_EQ(call(), absl::OkStatus()); };
  }
  Begin();
  int calls = 0;
  for (const size_t size : {size_t{1}, size_t{10} << 10, size_t{200} << 10}) {
    for (int round = 0; round < 10; ++round) {
      for (const Form form : kForms) {
        EXPECT_EQ(Get(form, stub().Unary(Body(size))).status(), absl::OkStatus());
        ++calls;
      }
    }
  }
  EXPECT_TRUE(Eventually([&] { return inner == 8 * calls; })) << inner << " of " << 8 * calls;
}

// A hook that blocks holds up its call, and nobody else's on the connection.
TEST_P(InterceptorThreadsTest, AHookThatBlocksHoldsUpNobodyElse) {
  Event entered, go_on;
  served_->only = [](absl::string_view method) { return method == kUnary; };
  served_->places.start = [&] {
    entered.Set();
    EXPECT_TRUE(go_on.Wait());
    return absl::OkStatus();
  };
  Begin();
  Call<Message> slow = stub().Unary(Number(1));
  ASSERT_TRUE(entered.Wait());
  for (int i = 0; i < 20; ++i) {
    auto stream = stub().Output(Number(1));
    EXPECT_EQ(stream.Finish(), absl::OkStatus());
  }
  go_on.Set();
  EXPECT_EQ(slow.Wait().status(), absl::OkStatus());
}

// Calls made in the server's start are made within the call; those at its end are not.
TEST_P(InterceptorThreadsTest, CallsOfTheStartInheritThoseOfTheEndDoNot) {
  std::vector<absl::Time> deadlines;  // of the inner calls, one after the other
  std::mutex mutex;
  service_.output = [&](ServerContext& context, const Message&, ServerWriter<Message>&) {
    std::lock_guard<std::mutex> lock(mutex);
    deadlines.push_back(context.deadline());
    return absl::OkStatus();
  };
  Event ended;
  served_->only = [](absl::string_view method) { return method == kUnary; };
  const auto call = [&] { return stub().Output(Number(0)).Finish(); };
  served_->places.start = call;
  served_->places.request = [&](const Message&) { return call(); };
  served_->places.end = [&](const absl::Status&, const Metadata&) {
    EXPECT_EQ(call(), absl::OkStatus());
    ended.Set();
  };
  Begin();
  EXPECT_EQ(stub().Unary(Number(1), CallOptions().set_timeout(absl::Seconds(30))).Wait().status(), absl::OkStatus());
  ASSERT_TRUE(ended.Wait());
  ASSERT_EQ(deadlines.size(), 3u);
  EXPECT_LT(deadlines[0], absl::Now() + absl::Seconds(31));
  EXPECT_LT(deadlines[1], absl::Now() + absl::Seconds(31));
  EXPECT_EQ(deadlines[2], absl::InfiniteFuture());
}

// ---- threads

// The two directions of one stream on two threads, and many calls at once.
TEST_P(InterceptorThreadsTest, TwoThreadsOnOneStreamAndManyCalls) {
  Begin();
  constexpr int kMessages = 200;
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (int n = 0; n < kMessages; ++n) EXPECT_EQ(stub().Unary(Number(n)).Wait().status(), absl::OkStatus());
    });
  }
  auto stream = stub().Duplex();
  std::thread writer([&] {
    for (int n = 0; n < kMessages; ++n) EXPECT_TRUE(stream.Write(Number(1000 + n)));
    stream.WritesDone();
  });
  Message message;
  int read = 0;
  while (stream.Read(message)) ++read;
  writer.join();
  EXPECT_EQ(read, kMessages);
  EXPECT_EQ(stream.Finish(), absl::OkStatus());
  for (std::thread& thread : threads) thread.join();
  EXPECT_TRUE(Eventually([&] { return server_events_.Count("end OK") == 4 * kMessages + 1; }));
  for (const Events* events : {&client_events_, &server_events_}) {
    EXPECT_EQ(events->Count("end"), 4 * kMessages + 1);
    EXPECT_EQ(events->Count("start"), 4 * kMessages + 1);
    EXPECT_EQ(events->Count("request"), 5 * kMessages);
    EXPECT_EQ(events->Count("reply"), 5 * kMessages);
  }
}

// A writer's message is being shown while the reader finishes: the end is seen after it.
TEST_P(InterceptorThreadsTest, TheEndWaitsForAMessageThatIsShown) {
  service_.duplex = [](ServerContext&, ServerReaderWriter<Message, Message>&) { return absl::AbortedError("enough"); };
  Event shown, go_on;
  called_->places.request = [&](const Message&) {
    shown.Set();
    EXPECT_TRUE(go_on.Wait());
    return absl::OkStatus();
  };
  Begin();
  auto stream = stub().Duplex();
  std::thread writer([&] { EXPECT_FALSE(stream.Write(Number(1))); });
  ASSERT_TRUE(shown.Wait());
  Message message;
  EXPECT_FALSE(stream.Read(message));
  std::thread finisher([&] { EXPECT_THAT(stream.Finish(), HasCode(Code::kAborted)); });
  server_events_.TakeEnded();
  EXPECT_EQ(client_events_.Count("end"), 0);
  go_on.Set();
  writer.join();
  finisher.join();
  EXPECT_THAT(client_events_.Take(), ::testing::ElementsAre("start /rpctest.Probe/Duplex", "request 1", "end ABORTED"));
}

// Cancel() from elsewhere races the result: one end, the same as the program's.
TEST_P(InterceptorThreadsTest, CancelRacesTheEnd) {
  std::atomic<int> different{0};
  Code seen = Code::kOk;
  called_->places.end = [&](const absl::Status& status, const Metadata&) { seen = status.code(); };
  Begin();
  for (int i = 0; i < 300; ++i) {
    Call<Message> call = stub().Unary(Number(i));
    std::atomic<bool> begun{false};
    std::thread canceller([&] {
      begun = true;
      call.Cancel();
    });
    while (!begun) std::this_thread::yield();
    if (call.Wait().status().code() != seen) ++different;
    canceller.join();
  }
  EXPECT_EQ(different, 0);
  EXPECT_EQ(client_events_.Count("end"), 300);
  server_ = nullptr;
  EXPECT_EQ(server_events_.Count("start"), server_events_.Count("end"));
}

}  // namespace
}  // namespace nearcall::test
