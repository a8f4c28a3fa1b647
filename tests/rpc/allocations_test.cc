// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// Heap allocations of calls on warm connections, of both sides together: none for a unary call whose messages are
// small, waited for or taken by a callback, as long as nobody intercepts it; nor for one that an interceptor of either
// side lets pass without an observer.
#include <memory>
#include <optional>

#include "nearcall/tests/bench/allocations.h"
#include "nearcall/tests/rpc/rpc_test_util.h"

namespace nearcall::test {
namespace {

constexpr int kWarmUp = 2000;
constexpr int kCalls = 1000;

class Admits final : public ClientInterceptor, public ServerInterceptor {
 public:
  absl::StatusOr<std::unique_ptr<CallObserver>> OnStart(OutgoingCall&) override { return nullptr; }
  absl::StatusOr<std::unique_ptr<CallObserver>> OnStart(absl::string_view, ServerContext&) override { return nullptr; }
};

class AllocationsTest : public RpcTest {
 protected:
  void SetUp() override {
    if (!bench::CanCountAllocations()) GTEST_SKIP() << "a sanitizer has a malloc of its own";
    bench::StartCountingAllocations();
    const auto one = std::make_unique<char[]>(1000);
    ASSERT_NE(one, nullptr);
    ASSERT_EQ(bench::StopCountingAllocations(), 1) << "they are not counted";
  }
  // Of kCalls calls, with a little room for what happens now and then: threads, a table that grows, and
  // on a busy machine calls that are let go later than the next ones begin.
  static void ExpectNone(const ProbeStub& stub) {
    const auto wait = [&] { EXPECT_TRUE(stub.Unary(Number(7)).Wait().ok()); };
    const auto then = [&] {
      Event taken;
      stub.Unary(Number(7)).Then([&](absl::StatusOr<Message> reply) {
        EXPECT_TRUE(reply.ok());
        taken.Set();
      });
      EXPECT_TRUE(taken.Wait());
    };
    for (int i = 0; i < kWarmUp; ++i) wait();
    bench::StartCountingAllocations();
    for (int i = 0; i < kCalls; ++i) wait();
    EXPECT_LT(bench::StopCountingAllocations(), kCalls / 10) << "with Wait()";
    for (int i = 0; i < kWarmUp; ++i) then();
    bench::StartCountingAllocations();
    for (int i = 0; i < kCalls; ++i) then();
    EXPECT_LT(bench::StopCountingAllocations(), kCalls / 10) << "with Then()";
  }
};

TEST_F(AllocationsTest, ACallThatNobodyIntercepts) {
  ProbeService service;
  auto server = Serve(service, AddressOf("unix"));
  ExpectNone(ProbeStub(Dial(AddressOf("unix"))));
}

TEST_F(AllocationsTest, ACallThatIsLetPass) {
  ProbeService service;
  const auto admits = std::make_shared<Admits>();
  auto server = Serve(service, AddressOf("unix"), ServerOptions().add_interceptor(admits));
  ExpectNone(ProbeStub(Dial(AddressOf("unix"), ChannelOptions().add_interceptor(admits))));
}

}  // namespace
}  // namespace nearcall::test
