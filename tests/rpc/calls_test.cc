// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// Calls that go well, and what they carry: the four kinds, metadata, statuses, sizes, credentials, many at once.
#include <unistd.h>

#include <atomic>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/cord.h"
#include "nearcall/tests/rpc/rpc_test_util.h"

namespace nearcall::test {
namespace {

using Code = absl::StatusCode;

class CallsTest : public EachTransport {};
NEARCALL_EACH_TRANSPORT(CallsTest);

TEST_P(CallsTest, AllFourKinds) {
  ProbeService service;
  auto server = Serve(service, Address());
  const ProbeStub stub(Dial(Address()));
  for (int round = 0; round < 3; ++round) {
    absl::StatusOr<Message> reply = stub.Unary(Text("hello")).Wait();
    ASSERT_TRUE(reply.ok()) << reply.status();
    EXPECT_EQ(reply->text(), "hello");

    auto output = stub.Output(Number(5));
    int64_t next = 0;
    for (Message message; output.Read(message);) EXPECT_EQ(message.number(), next++);
    EXPECT_EQ(output.Finish(), absl::OkStatus());
    EXPECT_EQ(next, 5);

    auto input = stub.Input();
    for (int i = 1; i <= 10; ++i) EXPECT_TRUE(input.Write(Number(i)));
    reply = input.Finish();
    ASSERT_TRUE(reply.ok()) << reply.status();
    EXPECT_EQ(reply->number(), 55);
    EXPECT_EQ(reply->text(), "10");

    auto duplex = stub.Duplex();
    for (int i = 0; i < 10; ++i) {
      ASSERT_TRUE(duplex.Write(Number(i)));
      Message message;
      ASSERT_TRUE(duplex.Read(message));
      EXPECT_EQ(message.number(), i);
    }
    EXPECT_TRUE(duplex.WritesDone());
    Message message;
    EXPECT_FALSE(duplex.Read(message));
    EXPECT_EQ(duplex.Finish(), absl::OkStatus());
  }
}

TEST_P(CallsTest, EmptyMessagesAndEmptyStreams) {
  ProbeService service;
  auto server = Serve(service, Address());
  const ProbeStub stub(Dial(Address()));
  EXPECT_EQ(stub.Unary(Message()).Wait().value_or(Number(1)).ByteSizeLong(), 0u);
  Message message;
  auto output = stub.Output(Number(0));
  EXPECT_FALSE(output.Read(message));
  EXPECT_EQ(output.Finish(), absl::OkStatus());
  auto input = stub.Input();
  EXPECT_EQ(input.Finish().value_or(Message()).text(), "0");
  auto duplex = stub.Duplex();
  EXPECT_TRUE(duplex.Write(Message()));
  EXPECT_TRUE(duplex.Read(message));
  EXPECT_EQ(duplex.Finish(), absl::OkStatus()) << "Finish() half-closes";
}

TEST_P(CallsTest, MetadataBothWays) {
  ProbeService service;
  const auto answer = [](ServerContext& context) {
    for (const auto& [key, value] : context.metadata().entries()) context.AddInitialMetadata(key, value);
    context.AddTrailingMetadata("trailing", "last");
    context.AddTrailingMetadata("trailing", "of all");
  };
  service.unary = [&](ServerContext& context, const Message& request) -> absl::StatusOr<Message> {
    answer(context);
    if (request.text() == "fail") return absl::AbortedError("as asked");
    return request;
  };
  service.output = [&](ServerContext& context, const Message&, ServerWriter<Message>& writer) {
    answer(context);
    writer.Write(Number(1));
    return absl::OkStatus();
  };
  service.input = [&](ServerContext& context, ServerReader<Message>&) -> absl::StatusOr<Message> {
    answer(context);
    return Number(1);
  };
  auto server = Serve(service, Address());
  const ProbeStub stub(Dial(Address()));
  const std::string bytes("\0\xff\n", 3);
  const CallOptions options = CallOptions().add_metadata("a", "1").add_metadata("b-bin", bytes).add_metadata("a", "2");
  const auto check = [&](const Metadata& initial, const Metadata& trailing) {
    EXPECT_EQ(initial.GetAll("a"), (std::vector<std::string>{"1", "2"}));
    EXPECT_EQ(initial.Get("b-bin"), bytes);
    EXPECT_EQ(trailing.GetAll("trailing"), (std::vector<std::string>{"last", "of all"}));
    EXPECT_EQ(trailing.entries().size(), 2u);
  };

  auto metadata = std::make_shared<ResponseMetadata>();
  EXPECT_TRUE(stub.Unary(Message(), CallOptions(options).set_response_metadata(metadata)).Wait().ok());
  check(metadata->initial, metadata->trailing);
  EXPECT_EQ(metadata->initial.entries().size(), 3u);

  *metadata = ResponseMetadata();
  EXPECT_THAT(stub.Unary(Text("fail"), CallOptions(options).set_response_metadata(metadata)).Wait().status(),
              HasCode(Code::kAborted));
  EXPECT_EQ(metadata->trailing.GetAll("trailing").size(), 2u) << "a failed call has metadata too";

  auto output = stub.Output(Message(), CallOptions(options).set_response_metadata(metadata));
  EXPECT_EQ(output.initial_metadata().Get("a"), "1");
  EXPECT_EQ(output.Finish(), absl::OkStatus());
  check(output.initial_metadata(), output.trailing_metadata());
  check(metadata->initial, metadata->trailing);

  auto input = stub.Input(options);
  EXPECT_TRUE(input.Finish().ok());
  check(input.initial_metadata(), input.trailing_metadata());
}

TEST_P(CallsTest, InitialMetadataComesBeforeTheFirstReply) {
  ProbeService service;
  Event read;
  service.duplex = [&](ServerContext& context, ServerReaderWriter<Message, Message>& stream) {
    context.AddInitialMetadata("room", "1");
    stream.Write(Message());
    return read.Wait() ? absl::OkStatus() : absl::InternalError("the client did not see the metadata");
  };
  auto server = Serve(service, Address());
  const ProbeStub stub(Dial(Address()));
  auto duplex = stub.Duplex();
  EXPECT_EQ(duplex.initial_metadata().Get("room"), "1");
  read.Set();
  EXPECT_EQ(duplex.Finish(), absl::OkStatus());
}

TEST_P(CallsTest, StatusesCrossWithTextAndPayloads) {
  ProbeService service;
  absl::Status status;
  service.unary = [&](ServerContext&, const Message&) -> absl::StatusOr<Message> { return status; };
  service.duplex = [&](ServerContext&, ServerReaderWriter<Message, Message>&) { return status; };
  auto server = Serve(service, Address());
  const ProbeStub stub(Dial(Address()));
  for (int code = 1; code <= 16; ++code) {
    status = absl::Status(static_cast<Code>(code), absl::StrCat("text of ", code, " \xE2\x98\xBA"));
    EXPECT_EQ(stub.Unary(Message()).Wait().status(), status);
    auto duplex = stub.Duplex();
    EXPECT_EQ(duplex.Finish(), status);
  }
  status = absl::Status(static_cast<Code>(4711), "no such code");
  EXPECT_THAT(stub.Unary(Message()).Wait().status(), HasCode(Code::kUnknown));

  status = absl::NotFoundError("with payloads");
  status.SetPayload("type.googleapis.com/a.B", absl::Cord(std::string("\0\1\2", 3)));
  status.SetPayload("type.googleapis.com/c.D", absl::Cord(std::string(5000, 'p')));
  status.SetPayload("empty", absl::Cord());
  const absl::Status got = stub.Unary(Message()).Wait().status();
  EXPECT_EQ(got, status);
  EXPECT_EQ(got.GetPayload("type.googleapis.com/c.D"), absl::Cord(std::string(5000, 'p')));
}

TEST_P(CallsTest, StatusComesAfterAllMessages) {
  ProbeService service;
  service.output = [&](ServerContext&, const Message& request, ServerWriter<Message>& writer) {
    for (int i = 0; i < request.number(); ++i) writer.Write(Number(i));
    return absl::DataLossError("at the end");
  };
  auto server = Serve(service, Address());
  const ProbeStub stub(Dial(Address()));
  for (int count : {0, 1, 100}) {
    auto output = stub.Output(Number(count));
    int64_t next = 0;
    for (Message message; output.Read(message);) EXPECT_EQ(message.number(), next++);
    EXPECT_EQ(next, count);
    EXPECT_EQ(output.Finish(), absl::DataLossError("at the end"));
  }
  // Finish() reads off and drops what was not read.
  auto output = stub.Output(Number(100));
  EXPECT_EQ(output.Finish(), absl::DataLossError("at the end"));
}

TEST_P(CallsTest, LargeMessages) {
  ProbeService service;
  const size_t limit = size_t{17} << 20;
  auto server = Serve(service, Address(), ServerOptions().set_max_receive_message_size(limit));
  const ProbeStub stub(Dial(Address(), ChannelOptions().set_max_receive_message_size(limit)));
  for (size_t size : {size_t{1} << 16, size_t{1} << 20, size_t{16} << 20}) {
    Message request;
    request.mutable_body()->resize(size);
    for (size_t i = 0; i < size; i += 997) request.mutable_body()->at(i) = static_cast<char>(i);
    absl::StatusOr<Message> reply = stub.Unary(request).Wait();
    ASSERT_TRUE(reply.ok()) << reply.status();
    EXPECT_TRUE(reply->body() == request.body()) << size;

    auto duplex = stub.Duplex();
    for (int i = 0; i < 2; ++i) {
      ASSERT_TRUE(duplex.Write(request));
      Message message;
      ASSERT_TRUE(duplex.Read(message)) << duplex.Finish();
      EXPECT_TRUE(message.body() == request.body()) << size;
    }
    EXPECT_EQ(duplex.Finish(), absl::OkStatus());
  }
}

TEST_P(CallsTest, LimitsAreNamedAndTheConnectionLives) {
  ProbeService service;
  Event release;
  service.unary = [&](ServerContext&, const Message& request) -> absl::StatusOr<Message> {
    if (request.text() == "hold") release.Wait();
    return request.text() == "reply" ? Body(static_cast<size_t>(request.number())) : request;
  };
  auto server = Serve(service, Address(), ServerOptions().set_max_receive_message_size(100'000));
  const ProbeStub stub(Dial(Address(), ChannelOptions().set_max_receive_message_size(50'000)));
  Call<Message> held = stub.Unary(Text("hold"));  // on the same connection all the while

  EXPECT_THAT(stub.Unary(Body(100'001)).Wait().status(),
              ::testing::AllOf(HasCode(Code::kResourceExhausted), Says("100000")));
  Message request = Text("reply");
  request.set_number(50'001);
  EXPECT_THAT(stub.Unary(request).Wait().status(), ::testing::AllOf(HasCode(Code::kResourceExhausted), Says("50000")));
  request.set_number(49'000);
  EXPECT_TRUE(stub.Unary(request).Wait().ok());

  auto input = stub.Input();
  EXPECT_TRUE(input.Write(Number(1)));
  input.Write(Body(1 << 20));
  EXPECT_THAT(input.Finish().status(), HasCode(Code::kResourceExhausted));

  Message big = Body(60'000);
  big.set_number(3);
  auto output = stub.Output(big);
  Message message;
  EXPECT_FALSE(output.Read(message));
  EXPECT_THAT(output.Finish(), HasCode(Code::kResourceExhausted));

  release.Set();
  EXPECT_TRUE(held.Wait().ok());
}

TEST_P(CallsTest, PeerIsWhoTheKernelSays) {
  ProbeService service;
  std::optional<Peer> peer;
  service.unary = [&](ServerContext& context, const Message& request) -> absl::StatusOr<Message> {
    peer = context.peer();
    return request;
  };
  auto server = Serve(service, Address());
  const ProbeStub stub(Dial(Address()));
  ASSERT_TRUE(stub.Unary(Message()).Wait().ok());
  ASSERT_TRUE(peer.has_value());
  EXPECT_EQ(peer->transport, absl::string_view(GetParam()) == "local" ? "shm" : GetParam());
  ASSERT_EQ(server->addresses().size(), 1u);
  EXPECT_EQ(peer->address, server->addresses()[0]);
  EXPECT_EQ(peer->address, Address());
  if (absl::string_view(GetParam()) != "inproc") {
    ASSERT_EQ(peer->credentials.has_value(), absl::string_view(GetParam()) != "tcp")
        << "of which the kernel says nothing";
  }
  if (peer->credentials.has_value()) {
    EXPECT_EQ(peer->credentials->uid, ::geteuid());
    EXPECT_EQ(peer->credentials->gid, ::getegid());
    EXPECT_EQ(peer->credentials->pid, ::getpid());
  }
}

TEST_P(CallsTest, ManyThreadsOnOneChannel) {
  ProbeService service;
  auto server = Serve(service, Address());
  const Channel channel = Dial(Address());
  std::atomic<int> wrong{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 12; ++t) {
    threads.emplace_back([&, t] {
      const ProbeStub stub(channel);
      for (int i = 0; i < 100; ++i) {
        const int64_t number = t * 1000 + i;
        Message request = Number(number);
        if (i % 10 == 0) request.set_body(std::string(static_cast<size_t>(t * 5000), 'x'));
        if (i % 25 == 1) {
          auto duplex = stub.Duplex();
          Message message;
          if (!duplex.Write(request) || !duplex.Read(message) || message.number() != number || !duplex.Finish().ok())
            ++wrong;
          continue;
        }
        absl::StatusOr<Message> reply = stub.Unary(request).Wait();
        if (!reply.ok() || reply->number() != number || reply->body().size() != request.body().size()) ++wrong;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
}

TEST_P(CallsTest, RepliesComeInAnyOrder) {
  ProbeService service;
  Event release;
  service.unary = [&](ServerContext&, const Message& request) -> absl::StatusOr<Message> {
    if (request.number() < 5) release.Wait();
    return request;
  };
  auto server = Serve(service, Address());
  const ProbeStub stub(Dial(Address()));
  std::vector<Call<Message>> calls;
  for (int i = 0; i < 10; ++i) calls.push_back(stub.Unary(Number(i)));
  for (size_t i = 10; i-- > 5;) EXPECT_EQ(calls[i].Wait().value_or(Message()).number(), static_cast<int64_t>(i));
  release.Set();
  for (size_t i = 0; i < 5; ++i) EXPECT_EQ(calls[i].Wait().value_or(Message()).number(), static_cast<int64_t>(i));
}

TEST_P(CallsTest, OneThreadReadsWhileAnotherWrites) {
  ProbeService service;
  auto server = Serve(service, Address());
  const ProbeStub stub(Dial(Address()));
  auto duplex = stub.Duplex();
  constexpr int kCount = 500;
  std::thread writer([&] {
    Message message = Body(3000);  // more in all than a stream's credit
    for (int i = 0; i < kCount; ++i) {
      message.set_number(i);
      EXPECT_TRUE(duplex.Write(message));
    }
    EXPECT_TRUE(duplex.WritesDone());
  });
  int64_t next = 0;
  for (Message message; duplex.Read(message);) EXPECT_EQ(message.number(), next++);
  writer.join();
  EXPECT_EQ(next, kCount);
  EXPECT_EQ(duplex.Finish(), absl::OkStatus());
}

TEST_P(CallsTest, ServerMayEndAStreamEarly) {
  ProbeService service;
  service.input = [&](ServerContext&, ServerReader<Message>& reader) -> absl::StatusOr<Message> {
    Message first;
    reader.Read(first);
    return absl::OutOfRangeError("one is enough");
  };
  auto server = Serve(service, Address());
  const ProbeStub stub(Dial(Address()));
  auto input = stub.Input();
  // Writes fail once the end has come; how many pass before is a matter of time.
  EXPECT_TRUE(Eventually([&] { return !input.Write(Body(10'000)); }));
  EXPECT_FALSE(input.Write(Number(1))) << "once a write has failed, all later ones do";
  EXPECT_EQ(input.Finish().status(), absl::OutOfRangeError("one is enough"));
}

TEST_P(CallsTest, BlockedHandlersDoNotKeepOthersFromRunning) {
  ProbeService service;
  Event release;
  std::atomic<int> running{0};
  service.unary = [&](ServerContext&, const Message& request) -> absl::StatusOr<Message> {
    if (request.text() == "quick") return request;
    ++running;
    release.Wait();
    return request;
  };
  auto server = Serve(service, Address(), ServerOptions().set_threads(2));
  const ProbeStub stub(Dial(Address()));
  std::vector<Call<Message>> calls;
  for (int i = 0; i < 30; ++i) calls.push_back(stub.Unary(Number(i)));
  EXPECT_TRUE(Eventually([&] { return running == 30; })) << running;
  EXPECT_TRUE(stub.Unary(Text("quick")).Wait().ok());
  release.Set();
  for (size_t i = 0; i < calls.size(); ++i) {
    absl::StatusOr<Message> reply = calls[i].Wait();
    ASSERT_TRUE(reply.ok()) << reply.status();
    EXPECT_EQ(reply->number(), static_cast<int64_t>(i));
  }
}

TEST_P(CallsTest, HandlersCallTheirOwnServer) {
  ProbeService service;
  std::optional<ProbeStub> self;
  service.unary = [&](ServerContext&, const Message& request) -> absl::StatusOr<Message> {
    if (request.number() == 0) return Text("bottom");
    return self->Unary(Number(request.number() - 1)).Wait();
  };
  auto server = Serve(service, Address(), ServerOptions().set_threads(1));
  self.emplace(Dial(Address()));
  EXPECT_EQ(self->Unary(Number(20)).Wait().value_or(Message()).text(), "bottom");
}

TEST_P(CallsTest, SeveralServicesAddressesAndChannels) {
  class Other final : public ::rpctest::Unserved::Service {
    absl::StatusOr<Message> Unary(ServerContext&, const Message&) override { return Text("other"); }
  };
  ProbeService service;
  Other other;
  Server server;
  server.AddService(&service);
  server.AddService(&other);
  ASSERT_EQ(server.Listen(Address("a")), absl::OkStatus());
  ASSERT_EQ(server.Listen(Address("b")), absl::OkStatus());
  EXPECT_EQ(server.addresses(), (std::vector<std::string>{Address("a"), Address("b")}));
  for (const char* name : {"a", "b", "a"}) {
    Channel channel = Dial(Address(name));
    EXPECT_EQ(channel.transport(), "");
    EXPECT_EQ(ProbeStub(channel).Unary(Text("x")).Wait().value_or(Message()).text(), "x");
    EXPECT_EQ(::rpctest::Unserved::Stub(channel).Unary(Message()).Wait().value_or(Message()).text(), "other");
    EXPECT_EQ(channel.transport(), absl::string_view(GetParam()) == "local" ? "shm" : GetParam());
  }
}

}  // namespace
}  // namespace nearcall::test
