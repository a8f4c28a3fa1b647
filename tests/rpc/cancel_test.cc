// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// Deadlines and cancellation: that they end calls on both sides, reach the handler, and are carried through to the
// calls that a handler makes.
#include <atomic>
#include <cmath>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "nearcall/tests/rpc/rpc_test_util.h"

namespace nearcall::test {
namespace {

using Code = absl::StatusCode;
using ::testing::AllOf;

// A service that holds its calls until they are cancelled, and tells.
class Holder {
 public:
  Holder() {
    service.unary = [this](ServerContext& context, const Message&) -> absl::StatusOr<Message> {
      const int before = told;
      context.OnCancel([this] { ++told; });
      seconds_left = absl::ToDoubleSeconds(context.time_left());
      ++entered;
      if (HoldUntilCancelled(context)) ++cancelled;
      // OnCancel's callback does not outlive the call: one that ends first is not told.
      EXPECT_TRUE(Eventually([&] { return told > before; }));
      ++left;
      return absl::CancelledError("the handler has seen it");
    };
    service.duplex = [this](ServerContext& context, ServerReaderWriter<Message, Message>& stream) {
      ++entered;
      Message message;
      while (stream.Read(message)) continue;
      if (HoldUntilCancelled(context)) ++cancelled;
      ++left;
      return absl::OkStatus();
    };
  }
  bool WaitForCancelled(int count = 1) {
    return Eventually([&] { return left >= count; }) && cancelled == count;
  }

  ProbeService service;
  std::atomic<int> entered{0};
  std::atomic<int> cancelled{0};  // the handler saw IsCancelled()
  std::atomic<int> told{0};       // OnCancel was called
  std::atomic<int> left{0};
  std::atomic<double> seconds_left{0};
};

class CancelTest : public EachTransport {};
NEARCALL_EACH_TRANSPORT(CancelTest);

TEST_P(CancelTest, DeadlineEndsTheCallAndTheHandler) {
  Holder holder;
  auto server = Serve(holder.service, Address());
  const ProbeStub stub(Dial(Address()));
  // On a machine that has no time for us a call may end before its handler has begun: then there is none to be told.
  for (int i = 0; i < 50 && holder.left < 3; ++i) {
    const Stopwatch watch;
    const absl::Status status =
        stub.Unary(Message(), CallOptions().set_timeout(absl::Milliseconds(100))).Wait().status();
    EXPECT_THAT(status, HasCode(Code::kDeadlineExceeded));
    EXPECT_GE(watch.elapsed(), absl::Milliseconds(100));
    EXPECT_LT(watch.elapsed(), absl::Seconds(5));
    EXPECT_TRUE(Eventually([&] { return holder.left == holder.entered; }));
  }
  const int unary = holder.left;
  EXPECT_GE(unary, 3);
  EXPECT_EQ(holder.told, unary);
  for (int i = 0; i < 50 && holder.left == unary; ++i) {
    auto duplex = stub.Duplex(CallOptions().set_deadline(absl::Now() + absl::Milliseconds(50)));
    Message message;
    EXPECT_FALSE(duplex.Read(message));
    EXPECT_THAT(duplex.Finish(), HasCode(Code::kDeadlineExceeded));
    EXPECT_TRUE(Eventually([&] { return holder.left == holder.entered; }));
  }
  EXPECT_TRUE(holder.WaitForCancelled(unary + 1));
}

TEST_P(CancelTest, ExpiredBeforeItStarts) {
  ProbeService service;
  std::atomic<int> entered{0};
  service.unary = [&](ServerContext&, const Message& request) -> absl::StatusOr<Message> {
    ++entered;
    return request;
  };
  auto server = Serve(service, Address());
  const ProbeStub stub(Dial(Address()));
  for (const CallOptions& options :
       {CallOptions().set_timeout(absl::ZeroDuration()), CallOptions().set_timeout(-absl::InfiniteDuration()),
        CallOptions().set_deadline(absl::Now() - absl::Seconds(1)), CallOptions().set_deadline(absl::InfinitePast())}) {
    EXPECT_THAT(stub.Unary(Message(), options).Wait().status(), HasCode(Code::kDeadlineExceeded));
  }
  for (const CallOptions& options :
       {CallOptions().set_timeout(absl::InfiniteDuration()), CallOptions().set_deadline(absl::InfiniteFuture()),
        CallOptions().set_timeout(absl::Hours(1'000'000))}) {
    EXPECT_TRUE(stub.Unary(Message(), options).Wait().ok());
  }
  EXPECT_EQ(entered, 3);
}

TEST_P(CancelTest, HandlerSeesTheDeadline) {
  ProbeService service;
  absl::Time deadline;
  absl::Duration left;
  service.unary = [&](ServerContext& context, const Message& request) -> absl::StatusOr<Message> {
    deadline = context.deadline();
    left = context.time_left();
    EXPECT_FALSE(context.IsCancelled());
    return request;
  };
  auto server = Serve(service, Address());
  const ProbeStub stub(Dial(Address()));
  ASSERT_TRUE(stub.Unary(Message()).Wait().ok());
  EXPECT_EQ(deadline, absl::InfiniteFuture());
  EXPECT_EQ(left, absl::InfiniteDuration());
  ASSERT_TRUE(stub.Unary(Message(), CallOptions().set_timeout(absl::Seconds(30))).Wait().ok());
  EXPECT_LE(left, absl::Seconds(30));
  EXPECT_GT(left, absl::Seconds(20));
  EXPECT_LT(absl::AbsDuration(deadline - (absl::Now() + left)), absl::Seconds(10));
  // The earlier of the two.
  ASSERT_TRUE(
      stub.Unary(Message(), CallOptions().set_timeout(absl::Seconds(30)).set_deadline(absl::Now() + absl::Hours(1)))
          .Wait()
          .ok());
  EXPECT_LE(left, absl::Seconds(30));
}

TEST_P(CancelTest, CancelledCallEndsAtOnce) {
  Holder holder;
  auto server = Serve(holder.service, Address());
  const ProbeStub stub(Dial(Address()));
  Call<Message> call = stub.Unary(Message());
  ASSERT_TRUE(Eventually([&] { return holder.entered == 1; }));
  call.Cancel();
  EXPECT_THAT(call.Wait().status(), HasCode(Code::kCancelled));
  EXPECT_TRUE(holder.WaitForCancelled());

  // From another thread, while this one waits.
  Call<Message> waited = stub.Unary(Message());
  std::thread canceller([&] {
    EXPECT_TRUE(Eventually([&] { return holder.entered == 2; }));
    waited.Cancel();
  });
  EXPECT_THAT(waited.Wait().status(), HasCode(Code::kCancelled));
  canceller.join();
  EXPECT_TRUE(holder.WaitForCancelled(2));

  auto duplex = stub.Duplex();
  ASSERT_TRUE(duplex.Write(Message()));
  ASSERT_TRUE(Eventually([&] { return holder.entered == 3; }));
  duplex.Cancel();
  EXPECT_FALSE(duplex.Write(Message()));
  EXPECT_THAT(duplex.Finish(), HasCode(Code::kCancelled));
  EXPECT_TRUE(holder.WaitForCancelled(3));
}

TEST_P(CancelTest, DroppingCancels) {
  Holder holder;
  auto server = Serve(holder.service, Address());
  const ProbeStub stub(Dial(Address()));
  {
    Call<Message> dropped = stub.Unary(Message());
    ASSERT_TRUE(Eventually([&] { return holder.entered == 1; }));
  }
  EXPECT_TRUE(holder.WaitForCancelled());
  EXPECT_TRUE(Eventually([&] { return holder.told == 1; }));
  {
    Call<Message> replaced = stub.Unary(Message());
    ASSERT_TRUE(Eventually([&] { return holder.entered == 2; }));
    replaced = stub.Unary(Message());
    EXPECT_TRUE(Eventually([&] { return holder.left == 2; })) << "assigning to an unconsumed call drops it";
    ASSERT_TRUE(Eventually([&] { return holder.entered == 3; }));
  }
  EXPECT_TRUE(holder.WaitForCancelled(3));
  {
    auto duplex = stub.Duplex();
    ASSERT_TRUE(Eventually([&] { return holder.entered == 4; }));
  }
  EXPECT_TRUE(holder.WaitForCancelled(4));
}

TEST_P(CancelTest, StreamsSeeTheCancellation) {
  ProbeService service;
  Event read_failed;
  Event write_failed;
  service.input = [&](ServerContext&, ServerReader<Message>& reader) -> absl::StatusOr<Message> {
    Message message;
    while (reader.Read(message)) continue;
    read_failed.Set();
    return Message();
  };
  service.output = [&](ServerContext&, const Message&, ServerWriter<Message>& writer) {
    const Message message = Body(10'000);
    while (writer.Write(message)) continue;  // blocks for credit in the end
    write_failed.Set();
    return absl::OkStatus();
  };
  auto server = Serve(service, Address());
  const ProbeStub stub(Dial(Address()));
  auto input = stub.Input();
  ASSERT_TRUE(input.Write(Message()));
  input.Cancel();
  EXPECT_THAT(input.Finish().status(), HasCode(Code::kCancelled));
  EXPECT_TRUE(read_failed.Wait());

  auto output = stub.Output(Message());
  Message message;
  ASSERT_TRUE(output.Read(message));
  output.Cancel();
  EXPECT_THAT(output.Finish(), HasCode(Code::kCancelled));
  EXPECT_TRUE(write_failed.Wait());
}

TEST_P(CancelTest, OnCancelAtOnceIfAlreadyCancelledAndNeverAfterTheEnd) {
  ProbeService service;
  std::atomic<int> at_once{0};
  std::atomic<int> late{0};
  Event entered;
  Event checked;
  service.unary = [&](ServerContext& context, const Message& request) -> absl::StatusOr<Message> {
    if (request.text() == "hold") {
      entered.Set();
      HoldUntilCancelled(context);
      context.OnCancel([&] { ++at_once; });
      EXPECT_EQ(at_once, 1);
      checked.Set();
    } else {
      context.OnCancel([&] { ++late; });
    }
    return request;
  };
  auto server = Serve(service, Address());
  const ProbeStub stub(Dial(Address()));
  Call<Message> call = stub.Unary(Text("hold"));
  ASSERT_TRUE(entered.Wait());
  call.Cancel();
  EXPECT_TRUE(checked.Wait());
  for (int i = 0; i < 20; ++i) {
    Call<Message> quick = stub.Unary(Text("quick"));
    EXPECT_TRUE(quick.Wait().ok());
    quick.Cancel();
  }
  server.reset();  // waits for handlers
  EXPECT_EQ(at_once, 1);
  EXPECT_EQ(late, 0);
}

// client -> front -> back: what the front's handler does is each test's.
class ChainTest : public EachTransport {
 protected:
  void Start(std::function<absl::StatusOr<Message>(ServerContext&, const ProbeStub&)> front) {
    back_server_ = Serve(back_.service, Address("back"));
    back_stub_.emplace(Dial(Address("back")));
    front_.unary = [this, front](ServerContext& context, const Message&) { return front(context, *back_stub_); };
    front_server_ = Serve(front_, Address("front"));
    stub_.emplace(Dial(Address("front")));
  }

  Holder back_;
  ProbeService front_;
  std::unique_ptr<Server> back_server_;
  std::optional<ProbeStub> back_stub_;
  std::unique_ptr<Server> front_server_;
  std::optional<ProbeStub> stub_;
};
NEARCALL_EACH_TRANSPORT(ChainTest);

TEST_P(ChainTest, DeadlineIsCarriedThrough) {
  absl::Status seen;
  Start([&](ServerContext&, const ProbeStub& back) -> absl::StatusOr<Message> {
    absl::StatusOr<Message> reply = back.Unary(Message()).Wait();  // inherits, as it is made on the handler's thread
    seen = reply.status();
    return reply;
  });
  for (int i = 0; i < 50 && back_.left == 0; ++i) {  // see DeadlineEndsTheCallAndTheHandler
    EXPECT_THAT(stub_->Unary(Message(), CallOptions().set_timeout(absl::Milliseconds(300))).Wait().status(),
                HasCode(Code::kDeadlineExceeded));
    EXPECT_TRUE(Eventually([&] { return back_.left == back_.entered; }));
  }
  EXPECT_TRUE(back_.WaitForCancelled());
  EXPECT_LE(back_.seconds_left, 0.3);
  front_server_.reset();  // waits for the handler
  EXPECT_TRUE(seen.code() == Code::kDeadlineExceeded || seen.code() == Code::kCancelled) << seen;
}

TEST_P(ChainTest, EarlierDeadlineWins) {
  Start([&](ServerContext&, const ProbeStub& back) -> absl::StatusOr<Message> {
    EXPECT_THAT(back.Unary(Message(), CallOptions().set_timeout(absl::Milliseconds(50))).Wait().status(),
                HasCode(Code::kDeadlineExceeded));
    EXPECT_LE(back_.seconds_left, 0.05);
    const int before = back_.entered;  // 0 if the first deadline passed before the handler began
    Call<Message> later = back.Unary(Message(), CallOptions().set_timeout(absl::Hours(1)));
    EXPECT_TRUE(Eventually([&] { return back_.entered > before; }));
    EXPECT_LE(back_.seconds_left, 20) << "the inherited one is earlier";
    later.Cancel();
    return Message();
  });
  EXPECT_TRUE(stub_->Unary(Message(), CallOptions().set_timeout(absl::Seconds(20))).Wait().ok());
}

TEST_P(ChainTest, CancellationIsCarriedThrough) {
  Start([](ServerContext&, const ProbeStub& back) { return back.Unary(Message()).Wait(); });
  Call<Message> call = stub_->Unary(Message());
  ASSERT_TRUE(Eventually([&] { return back_.entered == 1; }));
  call.Cancel();
  EXPECT_TRUE(back_.WaitForCancelled());
  {
    Call<Message> dropped = stub_->Unary(Message());
    ASSERT_TRUE(Eventually([&] { return back_.entered == 2; }));
  }
  EXPECT_TRUE(back_.WaitForCancelled(2));
}

TEST_P(ChainTest, SetParentInheritsOnAnotherThread) {
  Start([](ServerContext& context, const ProbeStub& back) -> absl::StatusOr<Message> {
    absl::StatusOr<Message> reply = absl::UnknownError("not called");
    std::thread([&] { reply = back.Unary(Message(), CallOptions().set_parent(context)).Wait(); }).join();
    return reply;
  });
  Call<Message> call = stub_->Unary(Message(), CallOptions().set_timeout(absl::Seconds(20)));
  ASSERT_TRUE(Eventually([&] { return back_.entered == 1; }));
  EXPECT_LE(back_.seconds_left, 20);
  call.Cancel();
  EXPECT_TRUE(back_.WaitForCancelled());
}

TEST_P(ChainTest, WithoutParentNothingIsInherited) {
  Start([&](ServerContext&, const ProbeStub& back) -> absl::StatusOr<Message> {
    std::thread([&] {
      Call<Message> call = back.Unary(Message());
      EXPECT_TRUE(Eventually([&] { return back_.entered == 1; }));
      EXPECT_EQ(back_.seconds_left, HUGE_VAL);
    }).join();
    return Message();
  });
  EXPECT_TRUE(stub_->Unary(Message(), CallOptions().set_timeout(absl::Seconds(20))).Wait().ok());
  EXPECT_TRUE(back_.WaitForCancelled()) << "by dropping";
}

TEST_P(ChainTest, CallUnderACancelledParentIsCancelled) {
  absl::Status seen;
  Start([&](ServerContext& context, const ProbeStub& back) -> absl::StatusOr<Message> {
    HoldUntilCancelled(context);
    seen = back.Unary(Message()).Wait().status();
    return Message();
  });
  Call<Message> call = stub_->Unary(Message());
  ASSERT_TRUE(Dial(Address("front")).WaitForConnected(absl::Seconds(5)));
  call.Cancel();
  call.Wait().status().IgnoreError();
  front_server_.reset();
  // The cancelled call may have been so early that its handler never ran.
  EXPECT_TRUE(seen.ok() || seen.code() == Code::kCancelled) << seen;
}

TEST_P(ChainTest, LostClientCancelsTheWholeChain) {
  Start([](ServerContext&, const ProbeStub& back) { return back.Unary(Message()).Wait(); });
  Call<Message> call = stub_->Unary(Message());
  ASSERT_TRUE(Eventually([&] { return back_.entered == 1; }));
  back_server_->Shutdown(absl::ZeroDuration());  // the back is going away under the front
  const absl::Status status = call.Wait().status();
  EXPECT_FALSE(status.ok()) << status;
  EXPECT_TRUE(back_.WaitForCancelled());
}

}  // namespace
}  // namespace nearcall::test
