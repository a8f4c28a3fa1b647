// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// Callbacks and coroutines on an executor of the user's.
#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "nearcall/rpc/run_loop.h"
#include "nearcall/tests/rpc/rpc_test_util.h"

namespace nearcall::test {
namespace {

class ExecutorTest : public EachTransport {
 protected:
  void SetUp() override { server_ = Serve(service_, Address()); }
  ProbeStub StubOn(std::shared_ptr<Executor> executor) {
    return ProbeStub(Dial(Address(), ChannelOptions().set_executor(std::move(executor))));
  }

  ProbeService service_;
  std::unique_ptr<Server> server_;
};
NEARCALL_EACH_TRANSPORT(ExecutorTest);

TEST_P(ExecutorTest, CallbacksRunWhereTheLoopIsRun) {
  auto loop = std::make_shared<RunLoop>();
  const ProbeStub stub = StubOn(loop);
  const std::thread::id self = std::this_thread::get_id();
  std::vector<int64_t> order;
  for (int64_t i = 0; i < 200; ++i) {
    stub.Unary(Number(i)).Then([&, self](absl::StatusOr<Message> reply) {
      EXPECT_EQ(std::this_thread::get_id(), self);
      order.push_back(reply.value_or(Message()).number());
      if (order.size() == 200) loop->Stop();
    });
  }
  loop->Run();
  EXPECT_EQ(order.size(), 200u);
  EXPECT_FALSE(loop->RunOne(absl::InfiniteDuration())) << "stopped is stopped";
}

Task<void> TenCalls(ProbeStub stub, std::thread::id where, RunLoop* loop) {
  for (int64_t i = 0; i < 10; ++i) {
    Call<Message> call = stub.Unary(Number(i));
    absl::StatusOr<Message> reply = co_await call;
    EXPECT_EQ(reply.value_or(Message()).number(), i);
    EXPECT_EQ(std::this_thread::get_id(), where);
  }
  loop->Stop();
}

TEST_P(ExecutorTest, CoroutinesResumeThere) {
  auto loop = std::make_shared<RunLoop>();
  Spawn(TenCalls(StubOn(loop), std::this_thread::get_id(), loop.get()));
  loop->Run();
}

// One at a time, in order, whatever the executor's threads.
TEST_P(ExecutorTest, OneAtATimeOnManyThreads) {
  auto loop = std::make_shared<RunLoop>();
  const ProbeStub stub = StubOn(loop);
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) threads.emplace_back([&] { loop->Run(); });
  std::atomic<int> inside{0}, done{0};
  for (int64_t i = 0; i < 500; ++i) {
    stub.Unary(Number(i)).Then([&](absl::StatusOr<Message>) {
      EXPECT_EQ(inside.fetch_add(1), 0) << "two callbacks of one channel at once";
      inside.fetch_sub(1);
      if (++done == 500) loop->Stop();
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(done, 500);
}

// Blocking in a callback is legal: replies still arrive, and a Wait() reads for itself.
TEST_P(ExecutorTest, WaitInACallback) {
  auto loop = std::make_shared<RunLoop>();
  const ProbeStub stub = StubOn(loop);
  stub.Unary(Number(1)).Then([&](absl::StatusOr<Message>) {
    EXPECT_EQ(stub.Unary(Number(2)).Wait().value_or(Message()).number(), 2);
    loop->Stop();
  });
  loop->Run();
}

TEST_P(ExecutorTest, NothingRunsBeforeTheLoopDoes) {
  auto loop = std::make_shared<RunLoop>();
  const ProbeStub stub = StubOn(loop);
  bool called = false;
  stub.Unary(Number(1)).Then([&](absl::StatusOr<Message> reply) { called = reply.ok(); });
  EXPECT_TRUE(stub.Unary(Number(2)).Wait().ok());
  EXPECT_FALSE(called);
  EXPECT_TRUE(loop->RunOne(absl::Seconds(10)));
  EXPECT_TRUE(called);
  EXPECT_EQ(loop->RunPending(), 0);
  EXPECT_FALSE(loop->RunOne(absl::Milliseconds(1)));
}

// A loop that is stopped lets go of what was posted, and of those who posted it; nobody keeps anybody.
TEST_P(ExecutorTest, AStoppedLoopLetsGo) {
  auto loop = std::make_shared<RunLoop>();
  std::weak_ptr<RunLoop> ended = loop;
  auto token = std::make_shared<int>(1);
  std::weak_ptr<int> captured = token;
  int called = 0;
  {
    const ProbeStub stub = StubOn(loop);
    for (int i = 0; i < 100; ++i) {
      stub.Unary(Number(i)).Then([&called, token](absl::StatusOr<Message>) { ++called; });
    }
    token = nullptr;
    EXPECT_TRUE(stub.Unary(Number(1)).Wait().ok());  // on one connection: the others have their replies by now
    EXPECT_FALSE(captured.expired());
    loop->Stop();
    stub.Unary(Number(1)).Then([](absl::StatusOr<Message>) { ADD_FAILURE() << "called after Stop()"; });
    EXPECT_TRUE(stub.Unary(Number(2)).Wait().ok()) << "the channel goes on";
    loop = nullptr;
  }
  EXPECT_EQ(called, 0);
  EXPECT_TRUE(Eventually([&] { return captured.expired() && ended.expired(); })) << "a callback or the loop is kept";
}

}  // namespace
}  // namespace nearcall::test
