// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// What hangs where threads and locks are done the obvious way: blocking in callbacks and handlers, full media, owners
// that go in their own callbacks. Each test ends with a message, not with the program's time limit, if it hangs.
#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "nearcall/tests/rpc/hang_check.h"
#include "nearcall/tests/rpc/rpc_test_util.h"

namespace nearcall::test {
namespace {

using Code = absl::StatusCode;
using DuplexStream = ClientReaderWriter<Message, Message>;

// gRPC's sizes of large unary calls.
constexpr size_t kLargeRequest = 271'828;
constexpr size_t kMegabyte = 1 << 20;

class TrapsTest : public EachTransport {};
NEARCALL_EACH_TRANSPORT(TrapsTest);

int64_t NumberOf(const absl::StatusOr<Message>& reply) {
  EXPECT_TRUE(reply.ok()) << reply.status();
  return reply.ok() ? reply->number() : -1;
}

// Counts down to an event.
class Countdown {
 public:
  explicit Countdown(int count) : left_(count) {}
  void Down() {
    if (--left_ == 0) done_.Set();
  }
  bool Wait() { return done_.Wait(600'000); }  // HangCheck does not wait so long: callbacks use what is on the stack
  int left() const { return left_; }

 private:
  std::atomic<int> left_;
  Event done_;
};

// The server has one thread, which has read the call: whoever reads on must be found.
TEST_P(TrapsTest, AHandlerReadsItsOwnStreamOnTheReadersThread) {
  const HangCheck hang("handlers that read their own streams");
  ProbeService service;
  auto server = Serve(service, Address(), ServerOptions().set_threads(1));
  const ProbeStub stub(Dial(Address()));
  std::vector<DuplexStream> streams;  // all open at once: each handler is in Read() most of the time
  for (int i = 0; i < 4; ++i) streams.push_back(stub.Duplex());
  for (int64_t n = 0; n < 100; ++n) {
    for (DuplexStream& stream : streams) ASSERT_TRUE(stream.Write(Number(n)));
    for (DuplexStream& stream : streams) {
      Message reply;
      ASSERT_TRUE(stream.Read(reply));
      ASSERT_EQ(reply.number(), n);
    }
  }
  for (DuplexStream& stream : streams) EXPECT_EQ(stream.Finish(), absl::OkStatus());
  // All in one flush, the half-close included, and nobody waits at the client.
  auto input = stub.Input();
  for (int64_t n = 1; n <= 100; ++n) ASSERT_TRUE(input.Write(Number(n)));
  EXPECT_EQ(NumberOf(input.Finish()), 5050);
}

// While one callback blocks, the replies for the others arrive and wait; what it waits for comes through.
TEST_P(TrapsTest, WaitInsideAThenCallback) {
  const HangCheck hang("Wait(), Read() and Write() inside a callback");
  constexpr int kCalls = 50;
  ProbeService service;
  auto server = Serve(service, Address());
  const ProbeStub stub(Dial(Address()));
  Countdown answered(kCalls);
  std::atomic<int> inside{0}, together{0};
  for (int i = 0; i < kCalls; ++i) {
    stub.Unary(Number(i)).Then([&, i](absl::StatusOr<Message> reply) {
      if (++inside != 1) ++together;
      EXPECT_EQ(NumberOf(reply), i);
      EXPECT_EQ(NumberOf(stub.Unary(Number(1000 + i)).Wait()), 1000 + i);
      if (i % 10 == 0) {
        DuplexStream stream = stub.Duplex();
        EXPECT_TRUE(stream.Write(Number(i)));
        Message echoed;
        EXPECT_TRUE(stream.Read(echoed));
        EXPECT_EQ(echoed.number(), i);
        EXPECT_EQ(stream.Finish(), absl::OkStatus());
      }
      --inside;
      answered.Down();
    });
  }
  EXPECT_TRUE(answered.Wait()) << answered.left() << " callbacks did not end";
  EXPECT_EQ(together, 0) << "a channel's callbacks run one at a time";
}

// A handler, on the server's only thread, calls its own server over the channel on which it is being called.
TEST_P(TrapsTest, AHandlerCallsItsOwnServerOverTheSameChannel) {
  const HangCheck hang("handlers that call their own server");
  ProbeService service;
  std::optional<ProbeStub> self;
  service.unary = [&](ServerContext&, const Message& request) -> absl::StatusOr<Message> {
    if (request.number() == 0) return request;
    absl::StatusOr<Message> below = self->Unary(Number(request.number() - 1)).Wait();
    if (!below.ok()) return below;
    return Number(below->number() + 1);
  };
  auto server = Serve(service, Address(), ServerOptions().set_threads(1));
  self.emplace(Dial(Address()));
  std::vector<std::thread> threads;
  for (int t = 0; t < 6; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 10; ++i) EXPECT_EQ(NumberOf(self->Unary(Number(8)).Wait()), 8);
    });
  }
  for (std::thread& thread : threads) thread.join();
  self.reset();
}

// A stream's handler that opens a stream to itself, a few deep: each waits for the one below.
TEST_P(TrapsTest, StreamsOfHandlersToTheirOwnServer) {
  const HangCheck hang("streams of handlers to their own server");
  ProbeService service;
  std::optional<ProbeStub> self;
  service.duplex = [&](ServerContext&, ServerReaderWriter<Message, Message>& stream) -> absl::Status {
    std::optional<DuplexStream> below;
    for (Message message; stream.Read(message);) {
      if (const int64_t depth = message.number(); depth > 0) {
        if (!below.has_value()) below.emplace(self->Duplex());
        if (!below->Write(Number(depth - 1)) || !below->Read(message)) break;
        message.set_number(message.number() + 1);
      }
      if (!stream.Write(message)) break;
    }
    return below.has_value() ? below->Finish() : absl::OkStatus();
  };
  auto server = Serve(service, Address(), ServerOptions().set_threads(1));
  self.emplace(Dial(Address()));
  DuplexStream stream = self->Duplex();
  for (int i = 0; i < 20; ++i) {
    Message reply;
    ASSERT_TRUE(stream.Write(Number(6)));
    ASSERT_TRUE(stream.Read(reply));
    ASSERT_EQ(reply.number(), 6);
  }
  EXPECT_EQ(stream.Finish(), absl::OkStatus());
  self.reset();
}

// Requests and replies fill what lies between the two, in both directions, before anybody at the client reads: a side
// that stops reading while it cannot write waits for the other for ever.
TEST_P(TrapsTest, BothSidesMediaFullAtOnce) {
  const HangCheck hang("large calls both ways, and streams that are written and read at once");
  constexpr int kCalls = 60, kStreams = 4;
  ProbeService service;
  auto server = Serve(service, Address());
  const ProbeStub stub(Dial(Address()));
  Message request = Body(kMegabyte);
  std::vector<Call<Message>> calls;
  for (int i = 0; i < kCalls; ++i) {
    request.set_number(i);
    calls.push_back(stub.Unary(request));
  }
  constexpr int kMessages = 40;  // of each stream
  std::vector<DuplexStream> streams;
  for (int i = 0; i < kStreams; ++i) streams.push_back(stub.Duplex());
  std::vector<std::thread> threads;
  for (DuplexStream& stream : streams) {
    threads.emplace_back([&] {
      Message message = Body(kMegabyte);
      for (int n = 0; n < kMessages; ++n) {
        message.set_number(n);
        if (!stream.Write(message)) ADD_FAILURE() << "message " << n << " was not written";
      }
      stream.WritesDone();
    });
    threads.emplace_back([&] {
      int64_t next = 0;
      for (Message message; stream.Read(message); ++next) {
        EXPECT_EQ(message.number(), next);
        EXPECT_EQ(message.body().size(), kMegabyte);
      }
      EXPECT_EQ(next, kMessages);
    });
  }
  for (int i = 0; i < kCalls; ++i) {
    absl::StatusOr<Message> reply = calls[static_cast<size_t>(i)].Wait();
    ASSERT_EQ(NumberOf(reply), i);
    ASSERT_EQ(reply->body().size(), kMegabyte);
  }
  for (std::thread& thread : threads) thread.join();
  for (DuplexStream& stream : streams) EXPECT_EQ(stream.Finish(), absl::OkStatus());
}

// Beyond the medium, beyond the peer's limit of calls: what does not go out waits at home, and starting never blocks.
TEST_P(TrapsTest, AThousandEagerLargeCallsFromOneThread) {
  const HangCheck hang("1,000 calls of 271,828 bytes, begun before the first is waited for");
  constexpr int kCalls = 1000;
  ProbeService service;
  service.unary = [](ServerContext&, const Message& request) -> absl::StatusOr<Message> {
    if (request.body().size() != kLargeRequest) return absl::DataLossError("a body of another size");
    return Number(request.number());
  };
  auto server = Serve(service, Address());
  const ProbeStub stub(Dial(Address()));
  Message request = Body(kLargeRequest);
  std::vector<Call<Message>> waited;
  Countdown answered(kCalls / 2);
  for (int i = 0; i < kCalls; ++i) {
    request.set_number(i);
    Call<Message> call = stub.Unary(request);
    if (i % 2 == 0) {
      waited.push_back(std::move(call));
    } else {
      call.Then([&answered, i](absl::StatusOr<Message> reply) {
        EXPECT_EQ(NumberOf(reply), i);
        answered.Down();
      });
    }
  }
  for (size_t i = 0; i < waited.size(); ++i) ASSERT_EQ(NumberOf(waited[i].Wait()), static_cast<int64_t>(2 * i));
  EXPECT_TRUE(answered.Wait()) << answered.left() << " callbacks did not come";
}

// The callback holds the last copy of the channel: what runs the callback must not need the channel any more, nor wait
// for itself to end.
TEST_P(TrapsTest, ACallbackDestroysItsChannel) {
  const HangCheck hang("channels that end in their own callbacks");
  ProbeService service;
  service.unary = [](ServerContext& context, const Message& request) -> absl::StatusOr<Message> {
    if (request.text() == "hold") {
      EXPECT_TRUE(HoldUntilCancelled(context));
    }
    return request;
  };
  auto server = Serve(service, Address());
  for (int i = 0; i < 60; ++i) {
    auto channel = std::make_unique<Channel>(Dial(Address()));
    auto stub = std::make_unique<ProbeStub>(*channel);
    std::optional<Call<Message>> held;
    if (i % 3 == 0) held.emplace(stub->Unary(Text("hold")));
    Countdown ended(2);
    const ProbeStub& to_call = *stub;
    Call<Message> call = to_call.Unary(Number(i));
    auto first = [&ended, i, channel = std::move(channel),
                  stub = std::move(stub)](absl::StatusOr<Message> reply) mutable {
      EXPECT_EQ(NumberOf(reply), i);
      // Its last call: begun by the channel that goes next.
      stub->Unary(Number(i + 1)).Then([&ended, i](absl::StatusOr<Message> last) {
        EXPECT_EQ(NumberOf(last), i + 1);
        ended.Down();
      });
      stub.reset();
      channel.reset();
      ended.Down();
    };
    call.Then(std::move(first));
    ASSERT_TRUE(ended.Wait());
    held.reset();  // cancels
  }
}

// 64 threads each wait on one channel: each gets its own reply, whoever of them reads.
TEST_P(TrapsTest, SixtyFourThreadsWaitOnOneChannel) {
  const HangCheck hang("64 threads in Wait() on one channel");
  constexpr int kThreads = 64, kCalls = 100;
  ProbeService service;
  auto server = Serve(service, Address());
  const ProbeStub stub(Dial(Address()));
  std::atomic<int> wrong{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < kCalls; ++i) {
        Message request = Number(int64_t{1000} * t + i);
        // Mostly short; now and then more than a frame.
        request.set_body(
            std::string(i % 20 == t % 20 ? 100'000 : static_cast<size_t>(t), static_cast<char>('a' + t % 26)));
        const absl::StatusOr<Message> reply = stub.Unary(request).Wait();
        const bool right = reply.ok() && reply->number() == request.number() && reply->body() == request.body();
        if (!right && wrong++ == 0) ADD_FAILURE() << "thread " << t << ", call " << i << ": " << reply.status();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
}

}  // namespace
}  // namespace nearcall::test
