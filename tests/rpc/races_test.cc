// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// Two ends of one call at once (Cancel() and completion), and two kinds of calls on one connection at once (a stream
// that nobody hurries to read, and fast unary calls).
#include <algorithm>
#include <atomic>
#include <cstdio>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "nearcall/tests/rpc/hang_check.h"
#include "nearcall/tests/rpc/rpc_test_util.h"

namespace nearcall::test {
namespace {

using Code = absl::StatusCode;

class RacesTest : public EachTransport {};
NEARCALL_EACH_TRANSPORT(RacesTest);

void Spin(int64_t nanos) {
  for (const int64_t end = MonotonicNanos() + nanos; MonotonicNanos() < end;) {
  }
}

// Two sides of a race that begin together: the handler, which then ends, and a thread that cancels the call a little
// later. How much later is learnt, so that each is first about as often on any machine.
class Race {
 public:
  Race() : thread_([this] { Run(); }) {}
  ~Race() {
    stop_ = true;
    thread_.join();
  }
  // By the handler of call `number`; false if nobody came to cancel it.
  bool AwaitBegun(int64_t number) {
    for (const int64_t limit = MonotonicNanos() + 10'000'000'000; begun_ < number; std::this_thread::yield()) {
      if (MonotonicNanos() > limit) return false;
    }
    return true;
  }
  // By the client, before it waits.
  void Begin(Call<Message>* call, int64_t number) {
    number_ = number;
    call_ = call;
  }
  // Afterwards: waits until it was cancelled.
  void End(bool cancelled_first) {
    while (call_.load() != nullptr) std::this_thread::yield();
    delay_ns_ =
        cancelled_first ? std::min<int64_t>(delay_ns_ + kStepNs, kMostNs) : std::max<int64_t>(delay_ns_ - kStepNs, 0);
  }

 private:
  static constexpr int64_t kStepNs = 3000, kMostNs = 5'000'000;

  void Run() {
    while (!stop_) {
      Call<Message>* call = call_.load();
      if (call == nullptr) {
        std::this_thread::yield();
        continue;
      }
      begun_ = number_.load();
      Spin(delay_ns_);
      call->Cancel();
      call_ = nullptr;
    }
  }

  std::atomic<Call<Message>*> call_{nullptr};
  std::atomic<int64_t> number_{-1}, begun_{-1}, delay_ns_{20'000};
  std::atomic<bool> stop_{false};
  std::thread thread_;
};

struct Ends {
  std::atomic<int> replies{0}, cancelled{0}, wrong{0};

  // Whether it was cancelled.
  bool Add(const absl::StatusOr<Message>& reply, int64_t number) {
    if (reply.ok() && reply->number() == number) {
      ++replies;
    } else if (!reply.ok() && reply.status().code() == Code::kCancelled) {
      ++cancelled;
    } else if (wrong++ == 0) {
      ADD_FAILURE() << reply.status();
    }
    return !reply.ok();
  }
};

constexpr int kCalls = 600;

// On a machine that has no time for us fewer do, once both ends were seen.
bool Enough(const Stopwatch& watch, const Ends& ends) {
  return watch.elapsed() > absl::Seconds(3) && ends.replies > 0 && ends.cancelled > 0;
}

TEST_P(RacesTest, CancelRacesCompletion) {
  const HangCheck hang("calls that are cancelled while they complete");
  Race race;
  ProbeService service;
  service.unary = [&](ServerContext&, const Message& request) -> absl::StatusOr<Message> {
    EXPECT_TRUE(race.AwaitBegun(request.number()));
    return request;
  };
  auto server = Serve(service, Address());
  const ProbeStub stub(Dial(Address()));
  Ends waited, called;
  int number = 0;
  const Stopwatch waiting;
  for (; number < kCalls && !Enough(waiting, waited); ++number) {
    Call<Message> call = stub.Unary(Number(number));
    race.Begin(&call, number);
    race.End(waited.Add(call.Wait(), number));
  }
  EXPECT_EQ(waited.replies + waited.cancelled, number);
  const int first = number;
  const Stopwatch calling;
  for (; number < first + kCalls && !Enough(calling, called); ++number) {
    Event ended;
    std::atomic<int> times{0};
    std::atomic<bool> cancelled{false};
    Call<Message> call = stub.Unary(Number(number));
    call.Then([&, number](absl::StatusOr<Message> reply) {
      ++times;
      cancelled = called.Add(reply, number);
      ended.Set();
    });
    race.Begin(&call, number);
    ASSERT_TRUE(ended.Wait());
    race.End(cancelled);
    ASSERT_EQ(times, 1);
  }
  EXPECT_EQ(called.replies + called.cancelled, number - first);
  for (const Ends* ends : {&waited, &called}) {
    std::printf("%d replies, %d cancelled\n", ends->replies.load(), ends->cancelled.load());
    EXPECT_GT(ends->replies, 0) << "there was no race";
    EXPECT_GT(ends->cancelled, 0) << "there was no race";
  }
}

// As short as a call can be, cancelled by the thread that began it, sooner and sooner.
TEST_P(RacesTest, CancelRacesAShortCall) {
  const HangCheck hang("short calls that are cancelled at once");
  ProbeService service;
  auto server = Serve(service, Address());
  const ProbeStub stub(Dial(Address()));
  Ends ends;
  for (int i = 0; i < kCalls; ++i) {
    Event ended;
    Call<Message> call = stub.Unary(Number(i));
    if (i % 2 == 0) {
      call.Then([&, i](absl::StatusOr<Message> reply) {
        ends.Add(reply, i);
        ended.Set();
      });
    }
    Spin((kCalls - i) * 100);
    call.Cancel();
    if (i % 2 == 0) {
      ASSERT_TRUE(ended.Wait());
    } else {
      ends.Add(call.Wait(), i);
    }
  }
  std::printf("%d replies, %d cancelled\n", ends.replies.load(), ends.cancelled.load());
  EXPECT_EQ(ends.replies + ends.cancelled, kCalls);
}

// The same from inside: the handler's end races the cancellation that its OnCancel tells of, which comes at most once,
// and is dropped with the call.
TEST_P(RacesTest, OnCancelRacesTheHandlersEnd) {
  const HangCheck hang("handlers that end while their call is cancelled");
  std::vector<std::atomic<int>> told(kCalls);
  auto kept = std::make_shared<int>(0);
  Race race;
  ProbeService service;
  service.unary = [&](ServerContext& context, const Message& request) -> absl::StatusOr<Message> {
    context.OnCancel([&told, kept, number = request.number()] { ++told[static_cast<size_t>(number)]; });
    EXPECT_TRUE(race.AwaitBegun(request.number()));
    return request;
  };
  Ends ends;
  {
    auto server = Serve(service, Address());
    const ProbeStub stub(Dial(Address()));
    const Stopwatch watch;
    for (int i = 0; i < kCalls && !Enough(watch, ends); ++i) {
      Call<Message> call = stub.Unary(Number(i));
      race.Begin(&call, i);
      race.End(ends.Add(call.Wait(), i));
    }
  }
  int told_calls = 0;
  for (const std::atomic<int>& times : told) {
    EXPECT_LE(times, 1);
    told_calls += times;
  }
  EXPECT_EQ(kept.use_count(), 1) << "a callback was neither run nor dropped";
  std::printf("%d replies, %d cancelled; %d handlers were told\n", ends.replies.load(), ends.cancelled.load(),
              told_calls);
  EXPECT_GT(told_calls, 0) << "there was no race";
}

class BesideAStreamTest : public RacesTest {
 protected:
  // Of so many short calls, one after the other: the 99th percentile in microseconds.
  static double P99(const ProbeStub& stub, int calls) {
    std::vector<int64_t> nanos;
    for (int i = 0; i < calls; ++i) {
      const int64_t begun = MonotonicNanos();
      EXPECT_EQ(stub.Unary(Number(i)).Wait().value_or(Message()).number(), i);
      nanos.push_back(MonotonicNanos() - begun);
    }
    std::sort(nanos.begin(), nanos.end());
    return static_cast<double>(nanos[nanos.size() * 99 / 100]) / 1000;
  }
};
NEARCALL_EACH_TRANSPORT(BesideAStreamTest);

// The server writes as fast as it may; the client reads a message now and then. What it does not read is bounded by the
// stream's credit, so it does not stand before the replies. How long those take is measured by the benchmark.
TEST_P(BesideAStreamTest, FastCallsBesideAStreamThatIsReadSlowly) {
  const HangCheck hang("unary calls beside a stream that is read slowly");
  constexpr int kCalls = 1000;
  ProbeService service;
  auto server = Serve(service, Address());
  const ProbeStub stub(Dial(Address()));
  const double alone = P99(stub, kCalls);
  Message endless = Body(64 << 10);
  endless.set_number(1 << 30);
  auto output = stub.Output(endless);
  Message message;
  ASSERT_TRUE(output.Read(message));
  std::atomic<bool> stop{false};
  std::atomic<int64_t> next{1};
  std::thread reader([&] {
    while (!stop) {
      if (!output.Read(message) || message.number() != next++) return ADD_FAILURE() << "message " << next;
      std::this_thread::sleep_for(std::chrono::milliseconds(2));  // a slow reader, not a wait
    }
  });
  double beside = 0;
  do {
    beside = P99(stub, kCalls);
  } while (next < 5 && !HasFailure());  // on a busy machine the reader may have no turn at first
  stop = true;
  reader.join();
  output.Cancel();
  EXPECT_THAT(output.Finish(), HasCode(Code::kCancelled));
  std::printf("p99 alone %.1f us, beside the stream %.1f us, %.2f times, %lld messages\n", alone, beside,
              beside / alone, static_cast<long long>(next.load()));
}

// The other way round: the client writes, the handler reads now and then, and the writer blocks for credit.
TEST_P(BesideAStreamTest, FastCallsBesideAStreamWhoseHandlerIsSlow) {
  const HangCheck hang("unary calls beside a stream whose handler reads slowly");
  ProbeService service;
  std::atomic<bool> stop{false};
  service.input = [&](ServerContext&, ServerReader<Message>& reader) -> absl::StatusOr<Message> {
    int64_t count = 0;
    for (Message message; reader.Read(message); ++count) {
      if (!stop) std::this_thread::sleep_for(std::chrono::milliseconds(2));  // a slow reader, not a wait
    }
    return Number(count);
  };
  auto server = Serve(service, Address());
  const ProbeStub stub(Dial(Address()));
  auto input = stub.Input();
  int64_t written = 0;
  std::thread writer([&] {
    const Message message = Body(64 << 10);
    while (!stop) {
      if (!input.Write(message)) return ADD_FAILURE() << "after " << written;
      ++written;
    }
  });
  const double beside = P99(stub, 1000);
  stop = true;
  writer.join();
  EXPECT_EQ(input.Finish().value_or(Message()).number(), written);
  std::printf("p99 beside the stream %.1f us, %lld messages\n", beside, static_cast<long long>(written));
}

}  // namespace
}  // namespace nearcall::test
