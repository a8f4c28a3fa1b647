// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// What goes wrong within calls, over each transport: each time a clear status that names what is wrong, and nothing
// else harmed: a stream on the same connection and a second connection are open all the while and work afterwards.
#include <atomic>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "nearcall/tests/rpc/rpc_test_util.h"

namespace nearcall::test {
namespace {

using Code = absl::StatusCode;
using ::testing::AllOf;

class ErrorsTest : public EachTransport {
 protected:
  void Start() {
    server_ = Serve(service_, Address());
    channel_.emplace(Dial(Address()));
    stub_.emplace(*channel_);
    other_.emplace(Dial(Address()));
    bystander_.emplace(stub_->Duplex());
    Message message;
    ASSERT_TRUE(bystander_->Write(Number(1)) && bystander_->Read(message));
  }
  void TearDown() override {
    if (!bystander_.has_value()) return;
    Message message;
    EXPECT_TRUE(bystander_->Write(Number(2)) && bystander_->Read(message))
        << "a stream on the same connection was harmed";
    EXPECT_EQ(message.number(), 2);
    EXPECT_EQ(bystander_->Finish(), absl::OkStatus());
    EXPECT_TRUE(stub_->Output(Number(1)).Finish().ok());
    EXPECT_TRUE(other_->Output(Number(1)).Finish().ok()) << "another connection was harmed";
  }

  ProbeService service_;
  std::unique_ptr<Server> server_;
  std::optional<Channel> channel_;
  std::optional<ProbeStub> stub_;
  std::optional<ProbeStub> other_;
  std::optional<ClientReaderWriter<Message, Message>> bystander_;
};
NEARCALL_EACH_TRANSPORT(ErrorsTest);

TEST_P(ErrorsTest, NobodyServesTheServiceOrTheMethod) {
  class Partial final : public ::rpctest::Unserved::Service {};
  Partial partial;
  Server server;
  server.AddService(&partial);
  ASSERT_EQ(server.Listen(Address("partial")), absl::OkStatus());
  const Channel channel = Dial(Address("partial"));
  EXPECT_THAT(::rpctest::Unserved::Stub(channel).Unary(Message()).Wait().status(),
              AllOf(HasCode(Code::kUnimplemented), Says("/rpctest.Unserved/Unary")));
  EXPECT_THAT(ProbeStub(channel).Unary(Message()).Wait().status(),
              AllOf(HasCode(Code::kUnimplemented), Says("rpctest.Probe")));
  EXPECT_THAT(ProbeStub(channel).Output(Message()).Finish(),
              AllOf(HasCode(Code::kUnimplemented), Says("rpctest.Probe")));
  auto input = ProbeStub(channel).Input();
  input.Write(Message());
  EXPECT_THAT(input.Finish().status(), AllOf(HasCode(Code::kUnimplemented), Says("rpctest.Probe")));
  auto duplex = ProbeStub(channel).Duplex();
  EXPECT_THAT(duplex.Finish(), AllOf(HasCode(Code::kUnimplemented), Says("rpctest.Probe")));
  Start();
}

TEST_P(ErrorsTest, InvalidUtf8InARequest) {
  Start();
  EXPECT_THAT(stub_->Unary(Text("\xff\xfe")).Wait().status(),
              AllOf(HasCode(Code::kInternal), Says("/rpctest.Probe/Unary")));
  EXPECT_THAT(stub_->Output(Text("\xff\xfe")).Finish(), AllOf(HasCode(Code::kInternal), Says("/rpctest.Probe/Output")));
  auto input = stub_->Input();
  input.Write(Text("fine"));
  input.Write(Text("\xff\xfe"));
  EXPECT_THAT(input.Finish().status(), AllOf(HasCode(Code::kInternal), Says("/rpctest.Probe/Input")));
  auto duplex = stub_->Duplex();
  duplex.Write(Text("\xff\xfe"));
  Message message;
  EXPECT_FALSE(duplex.Read(message));
  EXPECT_THAT(duplex.Finish(), AllOf(HasCode(Code::kInternal), Says("/rpctest.Probe/Duplex")));
}

TEST_P(ErrorsTest, InvalidUtf8InAReply) {
  service_.unary = [](ServerContext&, const Message&) -> absl::StatusOr<Message> { return Text("\xff"); };
  service_.output = [](ServerContext&, const Message& request, ServerWriter<Message>& writer) {
    writer.Write(Text(request.text() == "bad" ? "\xff" : "good"));
    return absl::OkStatus();
  };
  Start();
  EXPECT_THAT(stub_->Unary(Message()).Wait().status(), AllOf(HasCode(Code::kInternal), Says("/rpctest.Probe/Unary")));
  auto output = stub_->Output(Text("bad"));
  Message message;
  EXPECT_FALSE(output.Read(message));
  EXPECT_THAT(output.Finish(), AllOf(HasCode(Code::kInternal), Says("/rpctest.Probe/Output")));
}

TEST_P(ErrorsTest, HandlersThatThrow) {
  service_.unary = [](ServerContext&, const Message& request) -> absl::StatusOr<Message> {
    if (request.number() == 1) throw std::runtime_error("boom");
    if (request.number() == 2) throw 42;
    return request;
  };
  service_.input = [](ServerContext&, ServerReader<Message>&) -> absl::StatusOr<Message> {
    throw std::logic_error("boom");
  };
  Start();
  EXPECT_THAT(stub_->Unary(Number(1)).Wait().status(), HasCode(Code::kUnknown));
  EXPECT_THAT(stub_->Unary(Number(2)).Wait().status(), HasCode(Code::kUnknown));
  auto input = stub_->Input();
  EXPECT_THAT(input.Finish().status(), HasCode(Code::kUnknown));
  EXPECT_TRUE(stub_->Unary(Number(3)).Wait().ok());
}

TEST_P(ErrorsTest, HandlerThatNeverAnswers) {
  service_.unary = [](ServerContext& context, const Message& request) -> absl::StatusOr<Message> {
    HoldUntilCancelled(context);
    return request;
  };
  Start();
  EXPECT_THAT(stub_->Unary(Message(), CallOptions().set_timeout(absl::Milliseconds(50))).Wait().status(),
              AllOf(HasCode(Code::kDeadlineExceeded), Says("/rpctest.Probe/Unary")));
}

// The async and the coroutine form of what can go wrong in a handler.
class AsyncProbe final : public ::rpctest::Probe::AsyncService {
  void Unary(ServerContext&, const Message& request, Responder<Message> done) override {
    if (request.text() == "throw") throw std::runtime_error("boom");
    if (request.text() == "twice") {
      done(Text("first"));
      done(Text("second"));
    }
  }
  void Output(ServerContext&, const Message&, ServerWriter<Message>&, Responder<> done) override {
    Responder<> dropped = std::move(done);
  }
};
class CoroutineProbe final : public ::rpctest::Probe::CoroutineService {
  Task<absl::StatusOr<Message>> Unary(ServerContext&, const Message& request) override {
    if (request.text() == "throw") throw std::runtime_error("boom");
    co_return request;
  }
  Task<absl::Status> Duplex(ServerContext&, ServerReaderWriter<Message, Message>& stream) override {
    auto message = co_await stream.Next();
    if (message.has_value()) throw 42;
    co_return absl::OkStatus();
  }
};

TEST_P(ErrorsTest, RespondersDroppedAndUsedTwice) {
  AsyncProbe service;
  auto server = Serve(service, Address("async"));
  const ProbeStub stub(Dial(Address("async")));
  EXPECT_EQ(stub.Unary(Message()).Wait().status(), absl::UnknownError("responder dropped"));
  EXPECT_EQ(stub.Output(Message()).Finish(), absl::UnknownError("responder dropped"));
  EXPECT_EQ(stub.Unary(Text("twice")).Wait().value_or(Message()).text(), "first");
  EXPECT_THAT(stub.Unary(Text("throw")).Wait().status(), HasCode(Code::kUnknown));
  auto input = stub.Input();
  EXPECT_THAT(input.Finish().status(), HasCode(Code::kUnimplemented));
}

TEST_P(ErrorsTest, TasksThatThrow) {
  CoroutineProbe service;
  auto server = Serve(service, Address("coroutine"));
  const ProbeStub stub(Dial(Address("coroutine")));
  EXPECT_THAT(stub.Unary(Text("throw")).Wait().status(), HasCode(Code::kUnknown));
  EXPECT_EQ(stub.Unary(Text("fine")).Wait().value_or(Message()).text(), "fine");
  auto duplex = stub.Duplex();
  duplex.Write(Message());
  EXPECT_THAT(duplex.Finish(), HasCode(Code::kUnknown));
  auto quiet = stub.Duplex();
  EXPECT_EQ(quiet.Finish(), absl::OkStatus());
}

TEST_P(ErrorsTest, ReservedAndMalformedMetadata) {
  std::atomic<int> entered{0};
  service_.unary = [&](ServerContext&, const Message& request) -> absl::StatusOr<Message> {
    ++entered;
    return request;
  };
  Start();
  for (const std::string key : {"nearcall-trace", "grpc-timeout", "Upper", "", "sp ace"}) {
    EXPECT_THAT(stub_->Unary(Message(), CallOptions().add_metadata(key, "1")).Wait().status(),
                AllOf(HasCode(Code::kInvalidArgument), Says(key)));
    auto duplex = stub_->Duplex(CallOptions().add_metadata(key, "1"));
    EXPECT_THAT(duplex.Finish(), AllOf(HasCode(Code::kInvalidArgument), Says(key)));
  }
  EXPECT_EQ(entered, 0);
  EXPECT_TRUE(stub_->Unary(Message(), CallOptions().add_metadata("a_key.of-9", "1")).Wait().ok());
}

TEST_P(ErrorsTest, MetadataTooLarge) {
  service_.unary = [](ServerContext& context, const Message& request) -> absl::StatusOr<Message> {
    if (request.number() == 1) context.AddInitialMetadata("big", std::string(1 << 20, 'm'));
    if (request.number() == 2) context.AddTrailingMetadata("big", std::string(1 << 20, 'm'));
    if (request.number() == 3) return absl::AbortedError(std::string(1 << 20, 't'));
    return request;
  };
  Start();
  const CallOptions big = CallOptions().add_metadata("big", std::string(1 << 20, 'm'));
  EXPECT_THAT(stub_->Unary(Message(), big).Wait().status(), HasCode(Code::kResourceExhausted));
  auto duplex = stub_->Duplex(big);
  EXPECT_THAT(duplex.Finish(), HasCode(Code::kResourceExhausted));
  EXPECT_THAT(stub_->Unary(Number(1)).Wait().status(), HasCode(Code::kResourceExhausted));
  EXPECT_THAT(stub_->Unary(Number(2)).Wait().status(), HasCode(Code::kResourceExhausted));
  // A status text of any length loses its end rather than its code.
  const absl::Status cut = stub_->Unary(Number(3)).Wait().status();
  EXPECT_TRUE(cut.code() == Code::kAborted || cut.code() == Code::kResourceExhausted) << cut.code();
  EXPECT_TRUE(stub_->Unary(Number(4)).Wait().ok());
}

// Addresses.

struct BadAddress {
  std::string address;
  std::vector<std::string> says;
};

TEST(AddressErrors, AreToldByConnectAndListen) {
  const std::string long_path = "/tmp/" + std::string(103, 'x');  // 108 bytes
  const std::vector<BadAddress> table = {
      {"greeter", {"greeter", "unix", "shm", "local", "inproc"}},
      {"", {"empty", "unix", "shm", "local"}},
      {"/tmp/x.sock", {"/tmp/x.sock", "unix:/tmp/x.sock"}},
      {"http:localhost", {"http", "unix", "shm", "local", "inproc"}},
      {"UNIX:/tmp/x", {"UNIX:/tmp/x"}},
      {":x", {"\":x\""}},
      {"unix:", {"unix:"}},
      {"inproc:", {"inproc:"}},
      {"unix:" + long_path, {long_path, "108", "107"}},
      {"local:" + long_path, {long_path, "108", "107"}},
      {"unix:/tmp/x?colour=red", {"colour", "unix:/tmp/x"}},
      {"inproc:x?colour=red", {"colour", "inproc:x"}},
      {"unix:/tmp/x?mode=9", {"mode=9"}},
      {"unix:/tmp/%zz", {"%zz"}},
      {"unix:/tmp/", {"unix:/tmp/"}},
  };
  for (const BadAddress& bad : table) {
    ProbeService service;
    Server server;
    server.AddService(&service);
    const absl::Status listened = server.Listen(bad.address);
    EXPECT_THAT(listened, HasCode(Code::kInvalidArgument)) << bad.address;
    // Connect() need not look into the rest of the address: then the call says it.
    absl::StatusOr<Channel> channel = Connect(bad.address);
    const absl::Status connected =
        channel.ok() ? ProbeStub(*channel).Unary(Message()).Wait().status() : channel.status();
    EXPECT_THAT(connected, HasCode(Code::kInvalidArgument)) << bad.address;
    for (const std::string& text : bad.says) {
      EXPECT_THAT(listened, Says(text)) << bad.address;
      EXPECT_THAT(connected, Says(text)) << bad.address;
    }
  }
}

TEST(AddressErrors, ListenNamesPathAndReason) {
  TempDir directory;
  const auto listen = [](const std::string& address) {
    Server server;
    return server.Listen(address);
  };
  EXPECT_THAT(listen("unix:" + (directory / "no/such/dir")), AllOf(Says(directory / "no/such"), Says("No such file")));
  FILE* file = ::fopen((directory / "file").c_str(), "w");
  ASSERT_NE(file, nullptr);
  ::fclose(file);
  EXPECT_THAT(listen("unix:" + (directory / "file")),
              AllOf(Says(directory / "file"), Says("file"), Says("not a socket")));
  EXPECT_THAT(listen("unix:" + (directory / "file/below")), Says("Not a directory"));
}

// No message has such a text: proto3's writer warns of it and goes on, its parser refuses.
TEST_P(ErrorsTest, AStreamsMessageThatDoesNotParse) {
  ProbeService service;
  service.output = [](ServerContext&, const Message&, ServerWriter<Message>& writer) {
    EXPECT_TRUE(writer.Write(Text("\xff")));
    return absl::OkStatus();
  };
  service.input = [](ServerContext&, ServerReader<Message>& reader) -> absl::StatusOr<Message> {
    Message message;
    if (!reader.Read(message)) return absl::NotFoundError("no message came");
    return message;
  };
  auto server = Serve(service, Address());
  const ProbeStub stub(Dial(Address()));
  auto output = stub.Output(Number(1));
  // Read behind the stream's status, OK, if that has come by then; in some round it has.
  for (int i = 0; i < 20; ++i) ASSERT_EQ(stub.Unary(Number(1)).Wait().status(), absl::OkStatus());
  Message message;
  EXPECT_FALSE(output.Read(message));
  EXPECT_THAT(output.Finish(), AllOf(HasCode(Code::kInternal), Says("does not parse")));
  auto input = stub.Input();
  EXPECT_TRUE(input.Write(Text("\xff")));
  EXPECT_THAT(input.Finish().status(), AllOf(HasCode(Code::kInternal), Says("does not parse")));
}

}  // namespace
}  // namespace nearcall::test
