// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// What is promised of an Op: consumed once, callbacks exactly once and in their place, what dropping and cancelling do.
#include <atomic>
#include <future>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "nearcall/tests/rpc/rpc_test_util.h"

namespace nearcall::test {
namespace {

using Code = absl::StatusCode;

// Cleared by the destructor of whatever owns it; so a test can tell whether a callback was kept, run or dropped.
class OpTest : public EachTransport {
 protected:
  void SetUp() override {
    service_.unary = [this](ServerContext& context, const Message& request) -> absl::StatusOr<Message> {
      if (request.text() == "hold") {
        ++held_;
        if (HoldUntilCancelled(context)) ++cancelled_;
      }
      if (request.text() == "gate") {
        ++held_;
        gate_.Wait();
        if (context.IsCancelled()) ++cancelled_;
      }
      return request;
    };
    server_ = Serve(service_, Address());
    stub_.emplace(Dial(Address()));
  }

  ProbeService service_;
  Event gate_;
  std::atomic<int> held_{0};
  std::atomic<int> cancelled_{0};
  std::unique_ptr<Server> server_;
  std::optional<ProbeStub> stub_;
};
NEARCALL_EACH_TRANSPORT(OpTest);

TEST_P(OpTest, ConsumedOnce) {
  Call<Message> call = stub_->Unary(Text("x"));
  EXPECT_TRUE(call.Wait().ok());
  EXPECT_THAT(call.Wait().status(), HasCode(Code::kFailedPrecondition));
  absl::Status status;
  call.Then([&](absl::StatusOr<Message> reply) { status = reply.status(); });
  EXPECT_THAT(status, HasCode(Code::kFailedPrecondition));
  call.Cancel();  // legal, without effect

  auto output = stub_->Output(Number(1));
  auto next = output.Next();
  EXPECT_TRUE(next.Wait().has_value());
  EXPECT_FALSE(next.Wait().has_value());
  auto finished = output.Finished();
  EXPECT_EQ(finished.Wait(), absl::OkStatus());
  EXPECT_THAT(finished.Wait(), HasCode(Code::kFailedPrecondition));

  Call<Message> moved = stub_->Unary(Text("moved"));
  Call<Message> target = std::move(moved);
  EXPECT_EQ(target.Wait().value_or(Message()).text(), "moved");
  // NOLINTNEXTLINE(bugprone-use-after-move): an Op that was moved from counts as consumed
  EXPECT_THAT(moved.Wait().status(), HasCode(Code::kFailedPrecondition));
}

TEST_P(OpTest, ThenIsCalledOnceAndNotInsideThen) {
  for (int i = 0; i < 50; ++i) {
    std::mutex inside;  // Then() itself
    std::promise<std::string> answered;
    std::atomic<int> times{0};
    Call<Message> call = stub_->Unary(Text("x"));
    if (i % 2 == 0) ::poll(nullptr, 0, 1);  // so that the reply is sometimes there before
    {
      std::lock_guard<std::mutex> lock(inside);
      call.Then([&](absl::StatusOr<Message> reply) {
        { std::lock_guard<std::mutex> not_inside(inside); }
        ++times;
        answered.set_value(reply.ok() ? reply->text() : reply.status().ToString());
      });
    }
    EXPECT_EQ(answered.get_future().get(), "x");
    EXPECT_EQ(times, 1);
  }
}

TEST_P(OpTest, CallbacksMayCallAndWait) {
  std::promise<std::string> answered;
  stub_->Unary(Text("first")).Then([&](absl::StatusOr<Message> first) {
    // Blocking is legal everywhere, in callbacks too.
    absl::StatusOr<Message> second = stub_->Unary(Text("second")).Wait();
    stub_->Unary(Text("third")).Then([&, first, second](absl::StatusOr<Message> third) {
      answered.set_value(first.value_or(Message()).text() + second.value_or(Message()).text() +
                         third.value_or(Message()).text());
    });
  });
  EXPECT_EQ(answered.get_future().get(), "firstsecondthird");
}

TEST_P(OpTest, AfterThenDestructionDoesNotCancelButCancelDoes) {
  std::promise<absl::Status> first;
  {
    stub_->Unary(Text("gate")).Then([&](absl::StatusOr<Message> reply) { first.set_value(reply.status()); });
  }
  ASSERT_TRUE(Eventually([&] { return held_ == 1; }));
  gate_.Set();
  EXPECT_EQ(first.get_future().get(), absl::OkStatus());
  EXPECT_EQ(cancelled_, 0);

  std::promise<absl::Status> second;
  Call<Message> call = stub_->Unary(Text("hold"));
  call.Then([&](absl::StatusOr<Message> reply) { second.set_value(reply.status()); });
  ASSERT_TRUE(Eventually([&] { return held_ == 2; }));
  call.Cancel();
  EXPECT_THAT(second.get_future().get(), HasCode(Code::kCancelled));
  EXPECT_TRUE(Eventually([&] { return cancelled_ == 1; }));
}

TEST_P(OpTest, CallbackIsDestroyedAfterItHasRun) {
  auto token = std::make_shared<int>(0);
  std::promise<void> answered;
  stub_->Unary(Text("x")).Then([token, &answered](absl::StatusOr<Message>) { answered.set_value(); });
  answered.get_future().get();
  EXPECT_TRUE(Eventually([&] { return token.use_count() == 1; }));
}

TEST_P(OpTest, CallOutlivesStubAndChannel) {
  std::optional<Call<Message>> call;
  std::promise<absl::Status> answered;
  {
    const ProbeStub stub(Dial(Address()));
    call.emplace(stub.Unary(Text("gate")));
    stub.Unary(Text("gate")).Then([&](absl::StatusOr<Message> reply) { answered.set_value(reply.status()); });
  }
  stub_.reset();
  ASSERT_TRUE(Eventually([&] { return held_ == 2; }));
  gate_.Set();
  EXPECT_TRUE(call->Wait().ok());
  EXPECT_EQ(answered.get_future().get(), absl::OkStatus());
}

TEST_P(OpTest, DroppedNextLeavesTheMessageForTheNextRead) {
  auto output = stub_->Output(Number(4));
  { auto dropped = output.Next(); }
  Message message;
  ASSERT_TRUE(output.Read(message));
  EXPECT_EQ(message.number(), 0);
  { auto dropped = output.Next(); }
  EXPECT_EQ(output.Next().Wait().value_or(Number(-1)).number(), 1);
  ASSERT_TRUE(output.Read(message));
  EXPECT_EQ(message.number(), 2);
  EXPECT_EQ(output.Finish(), absl::OkStatus());
}

TEST_P(OpTest, DroppedSendStillGoesOut) {
  auto input = stub_->Input();
  for (int i = 1; i <= 10; ++i) {
    auto dropped = input.Send(Number(i));
  }
  absl::StatusOr<Message> reply = input.Finish();
  ASSERT_TRUE(reply.ok()) << reply.status();
  EXPECT_EQ(reply->number(), 55);
}

TEST_P(OpTest, RequestsAreSerializedBeforeTheMethodReturns) {
  Message request = Text("before");
  Call<Message> call = stub_->Unary(request);
  request.set_text("after");
  EXPECT_EQ(call.Wait().value_or(Message()).text(), "before");
  auto input = stub_->Input();
  Message number = Number(1);
  auto sent = input.Send(number);
  number.set_number(100);
  EXPECT_TRUE(sent.Wait());
  EXPECT_EQ(input.Finish().value_or(Message()).number(), 1);
}

TEST_P(OpTest, StreamsByCallbacks) {
  struct State {
    State(ClientReaderWriter<Message, Message> s) : stream(std::move(s)) {}
    ClientReaderWriter<Message, Message> stream;
    int64_t sum = 0;
    std::promise<absl::Status> done;
    std::function<void(int)> step;
  };
  auto state = std::make_shared<State>(stub_->Duplex());
  state->step = [state = state.get()](int i) {
    if (i == 20) {
      state->stream.WritesDone();
      state->stream.Finished().Then([state](absl::Status status) { state->done.set_value(std::move(status)); });
      return;
    }
    state->stream.Send(Number(i)).Then([state, i](bool sent) {
      EXPECT_TRUE(sent);
      state->stream.Next().Then([state, i](std::optional<Message> message) {
        state->sum += message.value_or(Message()).number();
        state->step(i + 1);
      });
    });
  };
  state->step(0);
  EXPECT_EQ(state->done.get_future().get(), absl::OkStatus());
  EXPECT_EQ(state->sum, 190);
}

Task<absl::StatusOr<std::string>> Chained(const ProbeStub& stub, int depth) {
  absl::StatusOr<Message> reply = co_await stub.Unary(Text(std::to_string(depth)));
  if (!reply.ok()) co_return reply.status();
  if (depth == 0) co_return reply->text();
  absl::StatusOr<std::string> rest = co_await Chained(stub, depth - 1);
  if (!rest.ok()) co_return rest.status();
  co_return reply->text() + *rest;
}

TEST_P(OpTest, Coroutines) { EXPECT_EQ(Await(Chained(*stub_, 5)).value_or("failed"), "543210"); }

Task<> Throws(const ProbeStub& stub) {
  absl::StatusOr<Message> reply = co_await stub.Unary(Text("x"));
  throw std::runtime_error(reply.value_or(Message()).text());
}

TEST_P(OpTest, AwaitThrowsWhatTheTaskThrows) { EXPECT_THROW(Await(Throws(*stub_)), std::runtime_error); }

TEST_P(OpTest, ManyThreadsStartWaitAndCancel) {
  std::vector<std::thread> threads;
  std::atomic<int> wrong{0};
  for (int t = 0; t < 8; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 100; ++i) {
        Call<Message> call = stub_->Unary(Number(i));
        if ((i + t) % 3 == 0) continue;  // dropped
        if ((i + t) % 3 == 1) call.Cancel();
        absl::StatusOr<Message> reply = call.Wait();
        if (reply.ok() ? reply->number() != i : reply.status().code() != Code::kCancelled) ++wrong;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
  EXPECT_EQ(stub_->Unary(Text("after")).Wait().value_or(Message()).text(), "after");
}

}  // namespace
}  // namespace nearcall::test
