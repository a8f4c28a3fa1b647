// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// Interceptors of both sides: what they see and in which order, what they add, what they refuse, and that each call's
// end is seen once, however it ends. What happens in and around user code of theirs: interceptors_threads_test.cc.
#include <cstdlib>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "nearcall/tests/rpc/interceptor_recorder.h"

namespace nearcall::test {
namespace {

using Code = absl::StatusCode;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using Lines = std::vector<std::string>;

constexpr char kUnary[] = "/rpctest.Probe/Unary";

// A server and a client, each with one recorder; more may be added before Begin().
class InterceptorsTest : public EachTransport {
 protected:
  void Begin(ServiceBase& service) {
    server_options_.add_interceptor(served_);
    client_options_.add_interceptor(called_);
    server_ = Serve(service, Address(), server_options_);
    stub_.emplace(Dial(Address(), client_options_));
  }
  void Begin() { Begin(service_); }
  const ProbeStub& stub() const { return *stub_; }

  ProbeService service_;
  Events client_events_;
  Events server_events_;
  std::shared_ptr<Recorder> called_ = std::make_shared<Recorder>(&client_events_);
  std::shared_ptr<Recorder> served_ = std::make_shared<Recorder>(&server_events_);
  ChannelOptions client_options_;
  ServerOptions server_options_;
  std::unique_ptr<Server> server_;
  std::optional<ProbeStub> stub_;
};
NEARCALL_EACH_TRANSPORT(InterceptorsTest);

// ---- a call of each kind, in each form

enum class Kind { kUnary, kOutput, kInput, kDuplex };
constexpr Kind kKinds[] = {Kind::kUnary, Kind::kOutput, Kind::kInput, Kind::kDuplex};
const char* Name(Kind kind) {
  static constexpr const char* kNames[] = {"Unary", "Output", "Input", "Duplex"};
  return kNames[static_cast<int>(kind)];
}

// What either side sees of a call that Drive() makes, up to its end.
Lines Seen(Kind kind) {
  const std::string start = absl::StrCat("start /rpctest.Probe/", Name(kind));
  switch (kind) {
    case Kind::kUnary:
      return {start, "request 7", "reply 7"};
    case Kind::kOutput:
      return {start, "request 2", "reply 0", "reply 1"};
    case Kind::kInput:
      return {start, "request 1", "request 2", "reply 3"};
    case Kind::kDuplex:
      return {start, "request 1", "reply 1", "request 2", "reply 2"};
  }
  return {};
}

bool Write(Form form, auto& stream, const Message& message) {
  return form == Form::kBlocking ? stream.Write(message) : Get(form, stream.Send(message));
}
bool Read(Form form, auto& stream, Message& message) {
  if (form == Form::kBlocking) return stream.Read(message);
  std::optional<Message> next = Get(form, stream.Next());
  if (next.has_value()) message = *next;
  return next.has_value();
}

absl::Status Drive(Kind kind, Form form, const ProbeStub& stub, const CallOptions& options = CallOptions()) {
  Message message;
  switch (kind) {
    case Kind::kUnary:
      return Get(form, stub.Unary(Number(7), options)).status();
    case Kind::kOutput: {
      auto stream = stub.Output(Number(2), options);
      while (Read(form, stream, message)) continue;
      return Get(form, stream.Finished());
    }
    case Kind::kInput: {
      auto stream = stub.Input(options);
      for (const int64_t number : {1, 2}) {
        if (!Write(form, stream, Number(number))) break;
      }
      return Get(form, stream.Finished()).status();
    }
    case Kind::kDuplex: {
      auto stream = stub.Duplex(options);
      for (const int64_t number : {1, 2}) {
        if (!Write(form, stream, Number(number)) || !Read(form, stream, message)) break;
      }
      return Get(form, stream.Finished());
    }
  }
  return absl::InternalError("no such kind");
}

// ---- what is seen

TEST_P(InterceptorsTest, BothSidesSeeTheSameInAllKindsAndForms) {
  AsyncProbe async;
  CoroutineProbe coroutines;
  server_options_.add_interceptor(served_);
  client_options_.add_interceptor(called_);
  ServiceBase* const services[] = {&service_, &async, &coroutines};
  for (const Form server_form : kForms) {
    const std::string address = Address(Name(server_form));
    const auto server = Serve(*services[static_cast<int>(server_form)], address, server_options_);
    const ProbeStub stub(Dial(address, client_options_));
    for (const Form client_form : kForms) {
      for (const Kind kind : kKinds) {
        SCOPED_TRACE(absl::StrCat(Name(kind), ", ", Name(client_form), " client, ", Name(server_form), " server"));
        Lines seen = Seen(kind);
        seen.push_back("end OK");
        EXPECT_EQ(Drive(kind, client_form, stub), absl::OkStatus());
        EXPECT_EQ(client_events_.Take(), seen);  // the end too: it comes before the result
        EXPECT_EQ(server_events_.TakeEnded(), seen);
      }
    }
  }
}

TEST_P(InterceptorsTest, StartKnowsTheCall) {
  absl::Time deadline, inherited;
  std::string address;
  std::optional<Credentials> credentials;
  called_->outgoing = [&](OutgoingCall& call) {
    deadline = call.deadline();
    address = std::string(call.address());
    EXPECT_EQ(call.metadata().Get("own"), "1");
  };
  served_->incoming = [&](ServerContext& context) {
    inherited = context.deadline();
    credentials = context.peer().credentials;
    EXPECT_EQ(context.metadata().Get("own"), "1");
  };
  Begin();
  const CallOptions options = CallOptions().add_metadata("own", "1");
  ASSERT_EQ(stub().Unary(Number(1), options).Wait().status(), absl::OkStatus());
  EXPECT_EQ(deadline, absl::InfiniteFuture());
  EXPECT_EQ(inherited, absl::InfiniteFuture());
  EXPECT_EQ(address, Address());
  ASSERT_EQ(credentials.has_value(), absl::string_view(GetParam()) != "tcp");
  if (credentials.has_value()) {
    EXPECT_EQ(credentials->pid, ::getpid());
  }
  ASSERT_EQ(stub().Unary(Number(1), CallOptions(options).set_timeout(absl::Seconds(30))).Wait().status(),
            absl::OkStatus());
  EXPECT_LT(absl::AbsDuration(deadline - absl::Now()), absl::Seconds(40));
  EXPECT_LT(absl::AbsDuration(deadline - inherited), absl::Seconds(5));
}

TEST_P(InterceptorsTest, MetadataIsAddedOnBothSides) {
  called_->outgoing = [](OutgoingCall& call) { call.AddMetadata("by-hook", call.metadata().Get("own").value_or("")); };
  served_->incoming = [](ServerContext& context) {
    context.AddInitialMetadata("first", context.metadata().Get("by-hook").value_or("nothing"));
    context.AddTrailingMetadata("last", "z");
  };
  std::optional<std::string> seen_by_handler, sent, received;
  service_.unary = [&](ServerContext& context, const Message& request) {
    seen_by_handler = context.metadata().Get("by-hook");
    context.AddTrailingMetadata("handler", "h");
    return request;
  };
  served_->places.end = [&](const absl::Status&, const Metadata& trailing) { sent = trailing.Get("handler"); };
  called_->places.end = [&](const absl::Status&, const Metadata& trailing) { received = trailing.Get("last"); };
  Begin();
  auto metadata = std::make_shared<ResponseMetadata>();
  const CallOptions options = CallOptions().add_metadata("own", "1").set_response_metadata(metadata);
  ASSERT_EQ(stub().Unary(Number(1), options).Wait().status(), absl::OkStatus());
  EXPECT_EQ(seen_by_handler, "1");
  EXPECT_EQ(metadata->initial.Get("first"), "1");
  EXPECT_EQ(metadata->trailing.Get("last"), "z");
  EXPECT_EQ(received, "z");
  server_events_.TakeEnded();
  EXPECT_EQ(sent, "h");
}

TEST_P(InterceptorsTest, MetadataThatCannotBeSentEndsTheCall) {
  called_->outgoing = [](OutgoingCall& call) { call.AddMetadata("Upper", "1"); };
  Begin();
  for (const Kind kind : kKinds) {
    EXPECT_THAT(Drive(kind, Form::kBlocking, stub()), AllOf(HasCode(Code::kInvalidArgument), Says("\"Upper\"")));
    EXPECT_THAT(client_events_.Take(),
                ElementsAre(absl::StrCat("start /rpctest.Probe/", Name(kind)), "end INVALID_ARGUMENT"));
  }
  EXPECT_THAT(server_events_.Take(), IsEmpty());
}

TEST_P(InterceptorsTest, SeveralRunInTheOrderAdded) {
  const auto before = std::make_shared<Recorder>(&client_events_, "first ");
  const auto server_before = std::make_shared<Recorder>(&server_events_, "first ");
  client_options_.add_interceptor(before).add_interceptor(nullptr);
  server_options_.add_interceptor(nullptr).add_interceptor(server_before);
  before->outgoing = [](OutgoingCall& call) { call.AddMetadata("order", "first"); };
  std::optional<std::string> seen;
  called_->outgoing = [&](OutgoingCall& call) { seen = call.metadata().Get("order"); };
  Begin();
  ASSERT_EQ(stub().Unary(Number(7)).Wait().status(), absl::OkStatus());
  EXPECT_EQ(seen, "first");
  const auto expected = ElementsAre("first start /rpctest.Probe/Unary", "start /rpctest.Probe/Unary", "first request 7",
                                    "request 7", "first reply 7", "reply 7", "first end OK", "end OK");
  EXPECT_THAT(client_events_.Take(), expected);
  EXPECT_THAT(server_events_.TakeEnded(2), expected);
}

TEST_P(InterceptorsTest, OneThatIsNotInterestedSeesNothingMore) {
  called_->only = served_->only = [](absl::string_view method) { return method != kUnary; };
  Begin();
  ASSERT_EQ(stub().Unary(Number(7)).Wait().status(), absl::OkStatus());
  ASSERT_EQ(Drive(Kind::kOutput, Form::kBlocking, stub()), absl::OkStatus());
  EXPECT_EQ(client_events_.Take().size(), 5u);
  EXPECT_EQ(server_events_.TakeEnded().size(), 5u);
}

// ---- refusals

absl::Status Refusal() {
  absl::Status status = absl::UnauthenticatedError("not with this token");
  status.SetPayload("type/x", absl::Cord("payload"));
  return status;
}
// As it crosses the wire: code, text and payload.
void ExpectRefused(const absl::Status& status) { EXPECT_EQ(status, Refusal()); }

TEST_P(InterceptorsTest, AServerRefusesAndTheHandlerNeverRuns) {
  std::atomic<int> ran{0};
  service_.unary = [&](ServerContext&, const Message& request) { return ++ran, request; };
  service_.output = [&](auto&&...) { return ++ran, absl::OkStatus(); };
  service_.input = [&](auto&&...) { return ++ran, Message(); };
  service_.duplex = [&](auto&&...) { return ++ran, absl::OkStatus(); };
  const auto before = std::make_shared<Recorder>(&server_events_, "first ");
  const auto after = std::make_shared<Recorder>(&server_events_, "never ");
  served_->places.start = &Refusal;
  server_options_.add_interceptor(before);
  ServerOptions options = server_options_;
  options.add_interceptor(served_).add_interceptor(after);
  client_options_.add_interceptor(called_);
  server_ = Serve(service_, Address(), options);
  const ProbeStub stub(Dial(Address(), client_options_));
  for (const Form form : kForms) {
    for (const Kind kind : kKinds) {
      SCOPED_TRACE(absl::StrCat(Name(kind), ", ", Name(form)));
      const std::string start = absl::StrCat("start /rpctest.Probe/", Name(kind));
      ExpectRefused(Drive(kind, form, stub));
      EXPECT_THAT(server_events_.TakeEnded(), ElementsAre("first " + start, start, "first end UNAUTHENTICATED"));
      EXPECT_EQ(client_events_.Take().back(), "end UNAUTHENTICATED");
    }
  }
  EXPECT_EQ(ran, 0);
}

TEST_P(InterceptorsTest, AClientRefusesAndNothingIsSent) {
  const auto before = std::make_shared<Recorder>(&client_events_, "first ");
  const auto after = std::make_shared<Recorder>(&client_events_, "never ");
  client_options_.add_interceptor(before).add_interceptor(called_).add_interceptor(after);
  server_options_.add_interceptor(served_);
  called_->places.start = &Refusal;
  server_ = Serve(service_, Address(), server_options_);
  const Channel channel = Dial(Address(), client_options_);
  for (const Form form : kForms) {
    for (const Kind kind : kKinds) {
      SCOPED_TRACE(absl::StrCat(Name(kind), ", ", Name(form)));
      const std::string start = absl::StrCat("start /rpctest.Probe/", Name(kind));
      ExpectRefused(Drive(kind, form, ProbeStub(channel)));
      EXPECT_THAT(client_events_.Take(), ElementsAre("first " + start, start, "first end UNAUTHENTICATED"));
    }
  }
  EXPECT_EQ(channel.transport(), "") << "nor was a connection made";
  EXPECT_THAT(server_events_.Take(), IsEmpty());
}

// At each place where a message passes, and in each form: the call ends with the refusal, on both sides.
TEST_P(InterceptorsTest, AMessageIsRefused) {
  Begin();
  const auto refuse = [](const Message&) { return Refusal(); };
  for (const Form form : kForms) {
    for (const Kind kind : kKinds) {
      for (const bool on_server : {false, true}) {
        for (const bool request : {false, true}) {
          SCOPED_TRACE(absl::StrCat(Name(kind), ", ", Name(form), on_server ? ", server's " : ", client's ",
                                    request ? "request" : "reply"));
          Places& places = on_server ? served_->places : called_->places;
          (request ? places.request : places.reply) = refuse;
          ExpectRefused(Drive(kind, form, stub()));
          EXPECT_EQ(client_events_.Take().back(), "end UNAUTHENTICATED");
          const bool reaches = on_server || !request || kind == Kind::kInput || kind == Kind::kDuplex;
          if (reaches) {
            EXPECT_TRUE(Eventually([&] { return server_events_.Count("end") == 1; }));
          }
          const Lines server_lines = server_events_.Take();
          if (on_server) {
            EXPECT_EQ(server_lines.back(), "end UNAUTHENTICATED");
          }
          (request ? places.request : places.reply) = nullptr;
        }
      }
    }
  }
}

// Two replies and the status have come when the first is taken: it is refused all the same.
TEST_P(InterceptorsTest, AMessageIsRefusedWhoseStatusHasCome) {
  called_->places.reply = [](const Message& reply) { return reply.number() == 0 ? Refusal() : absl::OkStatus(); };
  Begin();
  auto stream = stub().Output(Number(2));
  server_events_.TakeEnded();
  ASSERT_EQ(stub().Unary(Number(1)).Wait().status(), absl::OkStatus());  // read behind the stream's
  Message message;
  EXPECT_FALSE(stream.Read(message));
  EXPECT_FALSE(stream.Read(message)) << "the second was not dropped";
  ExpectRefused(stream.Finish());
}

// The handler says something else; the refusal stands.
TEST_P(InterceptorsTest, ARefusalIsStrongerThanTheHandlersStatus) {
  service_.input = [](ServerContext&, ServerReader<Message>& reader) -> absl::StatusOr<Message> {
    Message message;
    if (!reader.Read(message)) return absl::NotFoundError("no message came");
    return message;
  };
  served_->places.request = [](const Message&) { return Refusal(); };
  Begin();
  ExpectRefused(Drive(Kind::kInput, Form::kBlocking, stub()));
  EXPECT_EQ(server_events_.TakeEnded().back(), "end UNAUTHENTICATED");
}

// ---- each end once, however a call ends (the recorder fails a test on a second one, or on none)

TEST_P(InterceptorsTest, AHandlersErrorAndAMethodThatNobodyServes) {
  service_.unary = [](ServerContext&, const Message&) { return absl::NotFoundError("no such thing"); };
  Begin();
  EXPECT_THAT(stub().Unary(Number(1)).Wait().status(), HasCode(Code::kNotFound));
  EXPECT_EQ(client_events_.Take().back(), "end NOT_FOUND");
  EXPECT_EQ(server_events_.TakeEnded().back(), "end NOT_FOUND");
  const ::rpctest::Unserved::Stub unserved(Dial(Address(), client_options_));
  EXPECT_THAT(unserved.Unary(Message()).Wait().status(), HasCode(Code::kUnimplemented));
  EXPECT_THAT(server_events_.TakeEnded(), ElementsAre("start /rpctest.Unserved/Unary", "end UNIMPLEMENTED"));
  EXPECT_THAT(client_events_.Take(), ElementsAre("start /rpctest.Unserved/Unary", "request 0", "end UNIMPLEMENTED"));
}

TEST_P(InterceptorsTest, CancelledDroppedAndExpiredCalls) {
  service_.unary = [](ServerContext& context, const Message& request) {
    EXPECT_TRUE(HoldUntilCancelled(context));
    return request;
  };
  service_.duplex = [](ServerContext& context, ServerReaderWriter<Message, Message>&) {
    EXPECT_TRUE(HoldUntilCancelled(context));
    return absl::OkStatus();
  };
  absl::Status ended;
  served_->places.end = [&](const absl::Status& status, const Metadata&) { ended = status; };
  Begin();
  const auto expect_ends = [&](const char* client, const char* server) {
    EXPECT_EQ(client_events_.Take().back(), absl::StrCat("end ", client));
    EXPECT_EQ(server_events_.TakeEnded().back(), absl::StrCat("end ", server));
  };
  const auto wait_for_start = [&] { EXPECT_TRUE(Eventually([&] { return server_events_.Count("start") == 1; })); };
  {
    Call<Message> call = stub().Unary(Number(1));
    wait_for_start();
    call.Cancel();
    EXPECT_EQ(client_events_.Count("end"), 0) << "it is the owner who learns of it";
    EXPECT_THAT(call.Wait().status(), HasCode(Code::kCancelled));
    expect_ends("CANCELLED", "CANCELLED");
    EXPECT_THAT(ended, Says("the client cancelled /rpctest.Probe/Unary"));
  }
  {
    Call<Message> dropped = stub().Unary(Number(1));
    wait_for_start();
  }
  expect_ends("CANCELLED", "CANCELLED");
  {
    auto dropped = stub().Duplex();
    wait_for_start();
  }
  expect_ends("CANCELLED", "CANCELLED");
  {
    auto stream = stub().Duplex();
    wait_for_start();
    Op<absl::Status> dropped = stream.Finished();
  }
  expect_ends("CANCELLED", "CANCELLED");
  EXPECT_THAT(stub().Unary(Number(1), CallOptions().set_timeout(absl::Milliseconds(50))).Wait().status(),
              HasCode(Code::kDeadlineExceeded));
  expect_ends("DEADLINE_EXCEEDED", "DEADLINE_EXCEEDED");
  EXPECT_THAT(stub().Unary(Number(1), CallOptions().set_timeout(absl::ZeroDuration())).Wait().status(),
              HasCode(Code::kDeadlineExceeded));
  EXPECT_THAT(client_events_.Take(), ElementsAre("start /rpctest.Probe/Unary", "end DEADLINE_EXCEEDED"));
  EXPECT_THAT(server_events_.Take(), IsEmpty());
}

TEST_P(InterceptorsTest, ACallThatIsDroppedAfterItsEnd) {
  Begin();
  {
    Call<Message> dropped = stub().Unary(Number(7));
    server_events_.TakeEnded();
    ASSERT_EQ(stub().Unary(Number(8)).Wait().status(), absl::OkStatus());  // read behind the other's reply
  }
  EXPECT_THAT(client_events_.Take(),
              ElementsAre("start /rpctest.Probe/Unary", "request 7", "start /rpctest.Probe/Unary", "request 8",
                          "reply 8", "end OK", "end OK"));
}

TEST_P(InterceptorsTest, AStreamThatIsFinishedTwice) {
  Begin();
  auto stream = stub().Output(Number(1));
  EXPECT_EQ(stream.Finish(), absl::OkStatus());
  EXPECT_EQ(stream.Finish(), absl::OkStatus());
  { Op<absl::Status> dropped = stream.Finished(); }
  EXPECT_THAT(client_events_.Take(), ElementsAre("start /rpctest.Probe/Output", "request 1", "end OK"));
}

TEST_P(InterceptorsTest, WithoutAServerAndWithoutAChannel) {
  client_options_.add_interceptor(called_);
  for (const Form form : kForms) {
    for (const Kind kind : kKinds) {
      EXPECT_THAT(Drive(kind, form, ProbeStub(Dial(Address(), client_options_))), HasCode(Code::kUnavailable));
      const Lines lines = client_events_.Take();
      EXPECT_EQ(lines.back(), "end UNAVAILABLE");
      EXPECT_EQ(std::count(lines.begin(), lines.end(), "end UNAVAILABLE"), 1);
    }
  }
  server_ = Serve(service_, Address());
  std::promise<absl::Status> result;
  {
    const ProbeStub stub(Dial(Address(), client_options_));  // it is gone before the result comes
    stub.Unary(Number(7)).Then([&](absl::StatusOr<Message> reply) { result.set_value(reply.status()); });
  }
  EXPECT_EQ(result.get_future().get(), absl::OkStatus());
  EXPECT_THAT(client_events_.Take(), ElementsAre("start /rpctest.Probe/Unary", "request 7", "reply 7", "end OK"));
}

TEST_P(InterceptorsTest, AConnectionThatIsLost) {
  Event held;
  service_.unary = [&](ServerContext& context, const Message& request) {
    held.Set();
    EXPECT_TRUE(HoldUntilCancelled(context));
    return request;
  };
  absl::Status ended;
  served_->places.end = [&](const absl::Status& status, const Metadata&) { ended = status; };
  Begin();
  std::promise<absl::Status> result;
  stub().Unary(Number(7)).Then([&](absl::StatusOr<Message> reply) { result.set_value(reply.status()); });
  ASSERT_TRUE(held.Wait());
  server_ = nullptr;
  EXPECT_THAT(result.get_future().get(), HasCode(Code::kUnavailable));
  EXPECT_EQ(client_events_.Take().back(), "end UNAVAILABLE");
  EXPECT_EQ(server_events_.Take().back(), "end CANCELLED") << "and the server's end waits for it";
  EXPECT_THAT(ended, AllOf(Says("the client of /rpctest.Probe/Unary is gone"), Says("shut down")));
}

// The bytes of a request that is no message, in a method that takes one.
TEST_P(InterceptorsTest, ARequestThatDoesNotParse) {
  Begin();
  Message broken;
  broken.set_text("\xff");  // no UTF-8: proto3's parser refuses it; its writer warns and goes on
  EXPECT_THAT(ProbeStub(Dial(Address())).Unary(broken).Wait().status(), HasCode(Code::kInternal));
  EXPECT_THAT(server_events_.TakeEnded(), ElementsAre("start /rpctest.Probe/Unary", "end INTERNAL"));
}

TEST_P(InterceptorsTest, AServerSeesTheStatusThatWasSent) {
  service_.unary = [](ServerContext& context, const Message&) -> absl::StatusOr<Message> {
    context.AddTrailingMetadata("Upper", "1");
    return Message();
  };
  service_.output = [](ServerContext&, const Message&, ServerWriter<Message>&) -> absl::Status {
    throw std::runtime_error("lost my head");
  };
  Begin();
  EXPECT_THAT(stub().Unary(Message()).Wait().status(), HasCode(Code::kInvalidArgument));
  EXPECT_EQ(server_events_.TakeEnded().back(), "end INVALID_ARGUMENT");
  EXPECT_THAT(Drive(Kind::kOutput, Form::kBlocking, stub()), HasCode(Code::kUnknown));
  EXPECT_EQ(server_events_.TakeEnded().back(), "end UNKNOWN");
}

}  // namespace
}  // namespace nearcall::test
