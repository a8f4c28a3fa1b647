// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// Waiting that adapts: what a Spinner learns, what the machine is asked, and that every mode gives the same answers.
#include "nearcall/rpc/runtime/spin.h"

#include <unistd.h>

#include <atomic>
#include <thread>
#include <vector>

#include "nearcall/tests/rpc/rest.h"
#include "nearcall/tests/rpc/rpc_test_util.h"

namespace nearcall::test {
namespace {

using internal::Spinner;
using internal::SpinRoom;

TEST(SpinnerTest, LearnsWhetherItPays) {
  Spinner spinner(SpinMode::kAdaptive);
  EXPECT_TRUE(spinner.Begin()) << "until it is known better";
  const int64_t soon = Spinner::kLimitNs / 4;
  const int64_t late = 1'000'000'000;
  for (int i = 0; i < 1000; ++i) spinner.Note(soon);
  EXPECT_TRUE(spinner.Begin());
  spinner.Note(late);
  EXPECT_FALSE(spinner.Begin()) << "one pause is enough to stop";
  int calls = 0;
  for (; !spinner.Begin() && calls < 100; ++calls) spinner.Note(soon);
  EXPECT_LE(calls, 8) << "and a few quick ones to begin again";
  for (int i = 0; i < 100; ++i) spinner.Note(Spinner::kLimitNs * 2);
  EXPECT_FALSE(spinner.Begin()) << "waits that are always a little too long";
}

TEST(SpinnerTest, SpinsInVainBecomeRare) {
  Spinner spinner(SpinMode::kAdaptive);
  int spins = 0;
  for (int wait = 0; wait < 10'000; ++wait) {  // short waits, none of which ends while it spins: one processor
    if (spinner.Begin()) {
      ++spins;
      spinner.InVain();
    }
    spinner.Note(Spinner::kLimitNs / 4);
  }
  EXPECT_GE(spins, 10) << "it is tried again";
  EXPECT_LE(spins, 30);
  int waits = 0;
  while (!spinner.Begin()) ++waits;
  EXPECT_LE(waits, 1023);
  spinner.Found();
  EXPECT_TRUE(spinner.Begin());
}

TEST(SpinnerTest, Modes) {
  Spinner never(SpinMode::kNever);
  EXPECT_FALSE(never.Begin());
  never.Note(0);
  EXPECT_FALSE(never.Begin());
  Spinner prefer(SpinMode::kPrefer);
  for (int i = 0; i < 100; ++i) prefer.Note(Spinner::kLimitNs * 2);
  EXPECT_TRUE(prefer.Begin());
  EXPECT_GT(prefer.limit_ns(), Spinner(SpinMode::kAdaptive).limit_ns());
}

TEST(SpinRoomTest, ReadsTheLoad) {
  EXPECT_EQ(SpinRoom::Runnable("0.20 0.18 0.12 3/80 11206\n"), 3);
  EXPECT_EQ(SpinRoom::Runnable("12.00 0.18 0.12 141/2080 11206"), 141);
  for (const char* text : {"", "0.20", "0.20 0.18 0.12", "0.20 0.18 0.12 x/80", "no numbers at all"}) {
    EXPECT_EQ(SpinRoom::Runnable(text), -1) << text;
  }
}

// More threads than processors want to run: then nobody spins, whatever the calls are like.
TEST(SpinRoomTest, NoRoomOnABusyMachine) {
  SpinRoom room;
  std::atomic<bool> stop{false};
  std::vector<std::thread> busy;
  for (unsigned i = 0; i < 2 * std::thread::hardware_concurrency() + 1; ++i) {
    busy.emplace_back([&] {
      while (!stop) {
      }
    });
  }
  EXPECT_TRUE(Eventually([&] { return !room.Spare(MonotonicNanos()); }));
  stop = true;
  for (std::thread& thread : busy) thread.join();
}

class SpinTest : public EachTransport {};
NEARCALL_EACH_TRANSPORT(SpinTest);

TEST_P(SpinTest, EveryModeGivesTheSameAnswers) {
  for (const SpinMode mode : {SpinMode::kNever, SpinMode::kAdaptive, SpinMode::kPrefer}) {
    ProbeService service;
    auto server = Serve(service, Address(), ServerOptions().set_spin(mode));
    const ProbeStub stub(Dial(Address(), ChannelOptions().set_spin(mode)));
    std::vector<std::thread> threads;
    for (int t = 0; t < 3; ++t) {
      threads.emplace_back([&, t] {
        for (int64_t i = 0; i < 1000; ++i) {
          ASSERT_EQ(stub.Unary(Number(10 * i + t)).Wait().value_or(Message()).number(), 10 * i + t);
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
    EXPECT_TRUE(ComesToRest()) << "idle processes use no processor";
  }
}

// Where there is room a waiter does not sleep: its thread's voluntary context switches are counted.
TEST_P(SpinTest, WaitersDoNotSleepWhereThereIsRoom) {
  constexpr int kCalls = 300;
  ProbeService service;
  auto server = Serve(service, Address());
  const ProbeStub stub(Dial(Address()));
  SpinRoom room;
  int rounds_with_room = 0;
  for (int round = 0; round < 100; ++round) {
    const bool before = room.Spare(MonotonicNanos());
    const int64_t switches = SwitchesOf(::gettid());
    for (int i = 0; i < kCalls; ++i) ASSERT_TRUE(stub.Unary(Number(i)).Wait().ok());
    if (!before || !room.Spare(MonotonicNanos())) continue;
    ++rounds_with_room;
    if (SwitchesOf(::gettid()) - switches < kCalls / 4) return;
  }
  if (rounds_with_room < 50) GTEST_SKIP() << "the machine has no processor to spare";
  FAIL() << "it slept in " << rounds_with_room << " rounds of " << kCalls << " calls";
}

// A waiter that looks again and again is as quick to see a Cancel() or a deadline as one that sleeps.
TEST_P(SpinTest, CancelAndDeadlineOfAWaiterThatSpins) {
  ProbeService service;
  service.unary = [](ServerContext& context, const Message& request) {
    if (request.number() == 1) {
      EXPECT_TRUE(HoldUntilCancelled(context));
    }
    return request;
  };
  auto server = Serve(service, Address(), ServerOptions().set_spin(SpinMode::kPrefer));
  const ProbeStub stub(Dial(Address(), ChannelOptions().set_spin(SpinMode::kPrefer)));
  for (int round = 0; round < 20; ++round) {
    for (int i = 0; i < 50; ++i) ASSERT_TRUE(stub.Unary(Number(0)).Wait().ok());
    const Stopwatch watch;
    if (round % 2 == 0) {
      EXPECT_EQ(stub.Unary(Number(1), CallOptions().set_timeout(absl::Microseconds(100))).Wait().status().code(),
                absl::StatusCode::kDeadlineExceeded);
    } else {
      Call<Message> call = stub.Unary(Number(1));
      std::thread canceller([&] { call.Cancel(); });
      EXPECT_EQ(call.Wait().status().code(), absl::StatusCode::kCancelled);
      canceller.join();
    }
    EXPECT_LT(watch.elapsed(), absl::Seconds(2));
  }
}

}  // namespace
}  // namespace nearcall::test
