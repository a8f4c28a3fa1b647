// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// What is owed is paid: reader roles kept for short handlers, flushes put off to a turn's end, pinned threads, waiters
// that sleep in the receive call. Each test warms its connection up until the runtime takes these short ways.
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

#include <atomic>
#include <fstream>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "nearcall/tests/rpc/rest.h"
#include "nearcall/tests/rpc/rpc_test_util.h"

namespace nearcall::test {
namespace {

using Code = absl::StatusCode;

constexpr int kWarmUp = 200;  // calls, one after the other

// Whether that thread of this process sleeps in this system call. Where the kernel does not tell: whether it sleeps.
bool SleepsIn(long wanted, pid_t thread) {
  const std::string task = "/proc/self/task/" + std::to_string(thread);
  long call = -1;
  if (std::ifstream(task + "/syscall") >> call) return call == wanted;
  std::string stat;
  std::getline(std::ifstream(task + "/stat") >> std::ws, stat);
  return stat.find(") S ") != std::string::npos;
}

class TurnsTest : public EachTransport {
 protected:
  void WarmUp(const ProbeStub& stub) {
    for (int i = 0; i < kWarmUp; ++i) ASSERT_EQ(stub.Unary(Number(0)).Wait().status(), absl::OkStatus());
  }
  // Number(1) is answered once its call is cancelled, everything else at once.
  static absl::StatusOr<Message> HoldOne(ServerContext& context, const Message& request) {
    if (request.number() == 1) {
      EXPECT_TRUE(HoldUntilCancelled(context));
    }
    return request;
  }
};
NEARCALL_EACH_TRANSPORT(TurnsTest);

// The method was very short two hundred times, so the reader keeps its role in it; then it sleeps, unseen.
TEST_P(TurnsTest, AShortMethodThatOnceTakesItsTimeHoldsUpNobody) {
  ProbeService service;
  Event sleeping, answered;
  service.unary = [&](ServerContext&, const Message& request) {
    if (request.number() == 1) {
      sleeping.Set();
      EXPECT_TRUE(answered.Wait()) << "the connection was not read while a handler slept";
    }
    return request;
  };
  auto server = Serve(service, Address());
  const ProbeStub stub(Dial(Address()));
  for (int round = 0; round < 3; ++round) WarmUp(stub);
  Call<Message> slow = stub.Unary(Number(1));
  ASSERT_TRUE(sleeping.Wait());
  EXPECT_EQ(stub.Unary(Number(2)).Wait().value_or(Message()).number(), 2);
  answered.Set();
  EXPECT_EQ(slow.Wait().value_or(Message()).number(), 1);
}

// Two frames in one write: the first handler's reply is not kept back until the second's, which takes its time.
TEST_P(TurnsTest, AReplyDoesNotWaitForTheNextHandler) {
  ProbeService service;
  Event answered;
  service.unary = [&](ServerContext&, const Message& request) {
    if (request.number() == 1) {
      EXPECT_TRUE(answered.Wait()) << "the reply before was kept back";
    }
    return request;
  };
  auto server = Serve(service, Address());
  const ProbeStub stub(Dial(Address()));
  WarmUp(stub);
  // From a callback, so that both calls go out in one flush.
  std::optional<Call<Message>> quick, slow;
  Event begun;
  stub.Unary(Number(0)).Then([&](absl::StatusOr<Message>) {
    quick.emplace(stub.Unary(Number(2)));
    slow.emplace(stub.Unary(Number(1)));
    begun.Set();
  });
  ASSERT_TRUE(begun.Wait());
  EXPECT_EQ(quick->Wait().value_or(Message()).number(), 2);
  answered.Set();
  EXPECT_EQ(slow->Wait().value_or(Message()).number(), 1);
}

// A callback's calls are flushed at the end of its turn; one that blocks unseen is flushed for. From the second round
// on the I/O pool has a spare thread (the Wait() of the first had it made), and its monitor rests.
TEST_P(TurnsTest, ACallBegunInACallbackGoesOutWhileTheCallbackBlocks) {
  for (int round = 0; round < 3; ++round) {
    ProbeService service;
    Event arrived;
    service.unary = [&](ServerContext&, const Message& request) {
      if (request.number() == 1) arrived.Set();
      return request;
    };
    auto server = Serve(service, Address());
    const ProbeStub stub(Dial(Address()));
    Event done;
    stub.Unary(Number(0)).Then([&](absl::StatusOr<Message>) {
      Call<Message> inner = stub.Unary(Number(1));
      EXPECT_TRUE(arrived.Wait()) << "the call was not sent";
      EXPECT_EQ(inner.Wait().status(), absl::OkStatus()) << "and Wait() in a callback is legal";
      done.Set();
    });
    EXPECT_TRUE(done.Wait());
    EXPECT_TRUE(ComesToRest());
  }
}

TEST_P(TurnsTest, CancelWakesAWaiterInTheReceiveCall) {
  ProbeService service;
  service.unary = &HoldOne;
  auto server = Serve(service, Address());
  const ProbeStub stub(Dial(Address()));
  const bool has_receive_call = std::string(GetParam()) != "inproc";
  // local: is shared memory, where the endpoint waits in a futex.
  const bool is_socket = std::string(GetParam()) == "unix" || std::string(GetParam()) == "tcp";
  const long receive_call = is_socket ? SYS_recvfrom : SYS_futex;
  int short_ways = 0;
  // Not taken where calls take long because the machine has no time for us: then once more.
  for (int round = 0; round < (has_receive_call ? 100 : 5) && short_ways < 5; ++round) {
    WarmUp(stub);
    Call<Message> call = stub.Unary(Number(1));
    const pid_t waiter = ::gettid();
    std::thread canceller([&] {
      if (has_receive_call) {
        bool in_receive = false;
        EXPECT_TRUE(Eventually([&] {
          in_receive = SleepsIn(receive_call, waiter);
          return in_receive || SleepsIn(SYS_ppoll, waiter);
        }));
        if (in_receive) ++short_ways;
      }
      call.Cancel();
    });
    const Stopwatch watch;
    EXPECT_THAT(call.Wait().status(), HasCode(Code::kCancelled));
    canceller.join();
    EXPECT_LT(watch.elapsed(), absl::Seconds(2));
  }
  if (has_receive_call) {
    EXPECT_GT(short_ways, 0) << "the short way is not taken";
  }
}

TEST_P(TurnsTest, ADeadlineEndsAWaitOnAHotConnection) {
  ProbeService service;
  service.unary = &HoldOne;
  auto server = Serve(service, Address());
  const ProbeStub stub(Dial(Address()));
  for (const int ms : {1, 10, 30, 60, 100}) {
    WarmUp(stub);
    const Stopwatch watch;
    EXPECT_THAT(stub.Unary(Number(1), CallOptions().set_timeout(absl::Milliseconds(ms))).Wait().status(),
                HasCode(Code::kDeadlineExceeded));
    EXPECT_GE(watch.elapsed(), absl::Milliseconds(ms));
    EXPECT_LT(watch.elapsed(), absl::Milliseconds(ms) + absl::Seconds(2));
  }
}

// The threads that were pinned to busy connections go back to sleep for good.
TEST_P(TurnsTest, AfterWorkNothingWakes) {
  ProbeService service;
  auto server = Serve(service, Address());
  std::vector<ProbeStub> stubs;
  for (int i = 0; i < 4; ++i) stubs.emplace_back(Dial(Address()));
  for (const ProbeStub& stub : stubs) WarmUp(stub);
  EXPECT_FALSE(Switches().empty());
  EXPECT_TRUE(ComesToRest());
}

TEST_P(TurnsTest, AServerWithPinnedThreadsEndsAtOnce) {
  for (int round = 0; round < 5; ++round) {
    ProbeService service;
    auto server = Serve(service, Address());
    const ProbeStub stub(Dial(Address()));
    const ProbeStub other(Dial(Address()));
    WarmUp(stub);
    WarmUp(other);
    const Stopwatch watch;
    server = nullptr;
    EXPECT_LT(watch.elapsed(), absl::Seconds(2));
    EXPECT_THAT(stub.Unary(Number(0)).Wait().status(), HasCode(Code::kUnavailable));
  }
}

// More busy connections than threads may be pinned to: each gets its turn.
TEST_P(TurnsTest, ManyHotConnections) {
  ProbeService service;
  auto server = Serve(service, Address(), ServerOptions().set_threads(2));
  std::atomic<int> wrong{0};
  std::vector<std::thread> clients;
  for (int i = 0; i < 8; ++i) {
    clients.emplace_back([&, i] {
      const ProbeStub stub(Dial(Address()));
      for (int64_t n = 0; n < 500; ++n) {
        if (stub.Unary(Number(1000 * i + n)).Wait().value_or(Message()).number() != 1000 * i + n) ++wrong;
      }
    });
  }
  for (std::thread& client : clients) client.join();
  EXPECT_EQ(wrong, 0);
}

// A stream's handler reads for itself while short calls keep the connection hot.
TEST_P(TurnsTest, AStreamBesideShortCalls) {
  ProbeService service;
  auto server = Serve(service, Address());
  Channel channel = Dial(Address());
  const ProbeStub stub(channel);
  std::atomic<bool> stop{false};
  std::thread calls([&] {
    while (!stop) EXPECT_EQ(stub.Unary(Number(3)).Wait().value_or(Message()).number(), 3);
  });
  auto duplex = stub.Duplex();
  for (int64_t i = 0; i < 500; ++i) {
    ASSERT_TRUE(duplex.Write(Number(i)));
    Message reply;
    ASSERT_TRUE(duplex.Read(reply));
    ASSERT_EQ(reply.number(), i);
  }
  EXPECT_EQ(duplex.Finish(), absl::OkStatus());
  stop = true;
  calls.join();
}

// A call that waits for a server stands on its connection before the timer's first try, however slow the caller is.
TEST_P(TurnsTest, NoTryIsLostWhenTheTimerIsEarlierThanTheCall) {
  ProbeService service;
  std::atomic<int> begun{0};
  std::vector<std::thread> clients;
  for (int i = 0; i < 40; ++i) {  // many at once: some are interrupted between the two
    clients.emplace_back([&] {
      for (int n = 0; n < 5; ++n) {
        const CallOptions options = CallOptions().set_wait_for_ready(true).set_timeout(absl::Seconds(20));
        Call<Message> call = ProbeStub(Dial(Address())).Unary(Number(n), options);
        ++begun;
        EXPECT_EQ(call.Wait().status(), absl::OkStatus());
      }
    });
  }
  EXPECT_TRUE(Eventually([&] { return begun >= 40; }));
  auto server = Serve(service, Address());
  for (std::thread& client : clients) client.join();
}

}  // namespace
}  // namespace nearcall::test
