// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// Peers that are broken, of another version, or no nearcall peers at all: each can end its own connection and nothing
// else, and whoever talked to it is told what was wrong.
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <future>
#include <limits>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "nearcall/rpc/runtime/channel_access.h"
#include "nearcall/tests/rpc/fake_peer.h"
#include "nearcall/tests/rpc/rpc_test_util.h"
#include "nearcall/transports/rendezvous/greeting.h"
#include "nearcall/transports/unix_socket/socket_medium.h"

namespace nearcall::test {
namespace {

using Code = absl::StatusCode;
using internal::FrameKind;
using ::testing::AllOf;
using ::testing::AnyOf;

constexpr char kUnary[] = "/rpctest.Probe/Unary";
constexpr char kDuplex[] = "/rpctest.Probe/Duplex";
constexpr uint32_t kFourGiB = std::numeric_limits<uint32_t>::max();

std::string Garbage(unsigned seed, size_t size) {
  std::mt19937 random(seed);
  std::string bytes(size, '\0');
  for (char& c : bytes) c = static_cast<char>(random());
  return bytes;
}

// A client's greeting, as a raw socket may send it (the kernel adds the credentials).
std::string RawGreeting() {
  internal::Greeting greeting;
  greeting.kind = internal::GreetingKind::kClient;
  greeting.media = internal::kMediumSocket;
  greeting.medium = internal::kMediumSocket;
  greeting.max_frame = internal::kSocketMaxFrame;
  const auto bytes = internal::EncodeGreeting(greeting);
  return std::string(bytes.data(), bytes.size());
}

// A real server, with a well-behaved client that must not notice anything.
class HostileClientTest : public EachTransport {
 protected:
  void SetUp() override {
    server_ = Serve(service_, Address());
    good_.emplace(Dial(Address()));
    bystander_.emplace(good_->Duplex());
    Message message;
    ASSERT_TRUE(bystander_->Write(Number(1)) && bystander_->Read(message));
    descriptors_ = OpenDescriptors();
  }
  void TearDown() override {
    Message message;
    EXPECT_TRUE(bystander_->Write(Number(2)) && bystander_->Read(message)) << "another connection was harmed";
    EXPECT_EQ(bystander_->Finish(), absl::OkStatus());
    EXPECT_TRUE(ProbeStub(Dial(Address())).Unary(Text("x")).Wait().ok());
    EXPECT_TRUE(Eventually([&] { return OpenDescriptors() <= descriptors_ + 1; }))
        << "descriptors were leaked (a connection has two or more; one is what the bystander's handler sleeps with)";
  }

  ProbeService service_;
  std::unique_ptr<Server> server_;
  std::optional<ProbeStub> good_;
  std::optional<ClientReaderWriter<Message, Message>> bystander_;
  int descriptors_ = 0;
};
NEARCALL_EACH_TRANSPORT(HostileClientTest);

TEST_P(HostileClientTest, ReasonableFramesWork) {  // so that the other tests fail for their own reason
  FakePeer peer = FakePeer::ConnectTo(Address());
  ASSERT_TRUE(peer.Send(HelloFrame()));
  ASSERT_TRUE(peer.Send(CallFrame(1, kUnary)));
  EXPECT_EQ(peer.ReceiveStatus(1), absl::OkStatus());
  ASSERT_TRUE(peer.Send(CallFrame(2, "/no.Such/Method")));
  EXPECT_THAT(peer.ReceiveStatus(2), AllOf(HasCode(Code::kUnimplemented), Says("/no.Such/Method")));
}

struct Violation {
  std::string name;
  std::vector<std::string> frames;
};

std::vector<Violation> Violations() {
  const std::string hello = HelloFrame().bytes();
  const auto with = [](FakeFrame frame, const std::function<void(FakeFrame&)>& change) {
    change(frame);
    return frame.bytes();
  };
  return {
      {"an empty frame", {hello, ""}},
      {"a cut header", {hello, std::string(15, '\0')}},
      {"garbage instead of a hello", {Garbage(1, 200)}},
      {"a call before hello", {CallFrame(1, kUnary).bytes()}},
      {"a second hello", {hello, hello}},
      {"an unknown kind", {hello, MakeFrame(static_cast<FrameKind>(77), 0, 1).bytes()}},
      {"reserved bytes",
       {hello,
        [&] {
          std::string frame = CallFrame(1, kUnary).bytes();
          frame[2] = 1;
          return frame;
        }()}},
      {"a call id of the server's", {hello, CallFrame(0x80000001, kUnary).bytes()}},
      {"a block of 4 GiB",
       {hello, with(CallFrame(1, kUnary),
                    [](FakeFrame& f) {
                      f.header.block_size = kFourGiB;
                      f.header.total_size = kFourGiB;
                    })}},
      {"a block longer than the whole",
       {hello, with(CallFrame(1, kUnary), [](FakeFrame& f) { f.header.block_size = f.header.total_size + 1; })}},
      {"more bytes than announced",
       {hello, with(CallFrame(1, kUnary, "12345"), [](FakeFrame& f) { f.header.total_size -= 2; })}},
      {"fewer bytes than announced",
       {hello, with(CallFrame(1, kUnary, "12345"), [](FakeFrame& f) { f.header.total_size += 2; })}},
      {"a malformed call block", {hello, MakeFrame(FrameKind::kCall, internal::kWithMessage, 1, "xx", "").bytes()}},
      {"a call without path",
       {hello, MakeFrame(FrameKind::kCall, internal::kWithMessage, 1, std::string(16, '\0'), "").bytes()}},
      {"the same call id twice",
       {hello, MakeFrame(FrameKind::kCall, 0, 1, CallFrame(1, kDuplex).block).bytes(),
        MakeFrame(FrameKind::kCall, 0, 1, CallFrame(1, kDuplex).block).bytes()}},
      {"a malformed credit",
       {hello, MakeFrame(FrameKind::kCall, 0, 1, CallFrame(1, kDuplex).block).bytes(),
        MakeFrame(FrameKind::kCredit, 0, 1, "123").bytes()}},
      {"a status from the client",
       {hello, MakeFrame(FrameKind::kCall, 0, 1, CallFrame(1, kDuplex).block).bytes(),
        StatusFrame(1, absl::OkStatus()).bytes()}},
  };
}

TEST_P(HostileClientTest, ViolationsEndTheirConnection) {
  for (const Violation& violation : Violations()) {
    FakePeer peer = FakePeer::ConnectTo(Address());
    for (const std::string& frame : violation.frames) peer.Send(frame);
    EXPECT_TRUE(peer.WaitClosed()) << violation.name;
    EXPECT_TRUE(good_->Unary(Text("x")).Wait().ok()) << violation.name;
  }
}

TEST_P(HostileClientTest, WhatALaterVersionMayAddIsSkipped) {
  FakePeer peer = FakePeer::ConnectTo(Address());
  ASSERT_TRUE(peer.Send(HelloFrame(1, 9)));
  ASSERT_TRUE(peer.Send(MakeFrame(static_cast<FrameKind>(internal::kSkippable | 77), 0, 0, "whatever")));
  FakeFrame call = CallFrame(1, kUnary);
  call.block += "appended by a later version";
  call.header.block_size = static_cast<uint32_t>(call.block.size());
  call.header.total_size = call.header.block_size;
  ASSERT_TRUE(peer.Send(call));
  EXPECT_EQ(peer.ReceiveStatus(1), absl::OkStatus());
}

TEST_P(HostileClientTest, AnotherWireVersionIsToldSo) {
  FakePeer peer = FakePeer::ConnectTo(Address());
  peer.Send(HelloFrame(7, 9));
  peer.Send(CallFrame(1, kUnary));
  std::string said;
  while (std::optional<std::string> frame = peer.Receive()) said += *frame;
  EXPECT_TRUE(peer.WaitClosed());
  EXPECT_NE(said.find("version"), std::string::npos) << "the answer says why";
}

TEST_P(HostileClientTest, FourGiBAreRefusedAndTheConnectionLives) {
  FakePeer peer = FakePeer::ConnectTo(Address());
  ASSERT_TRUE(peer.Send(HelloFrame()));
  FakeFrame call = CallFrame(1, kUnary, std::string(1000, 'x'));
  call.header.flags |= internal::kMore;
  call.header.total_size = kFourGiB;
  ASSERT_TRUE(peer.Send(call));
  EXPECT_THAT(peer.ReceiveStatus(1), HasCode(Code::kResourceExhausted));
  ASSERT_TRUE(peer.Send(CallFrame(2, kUnary)));
  EXPECT_EQ(peer.ReceiveStatus(2), absl::OkStatus());
}

TEST_P(HostileClientTest, AfterADeadlineAHandlerReadsNothingMore) {
  Event ended;
  Event more;
  std::promise<bool> again;
  service_.input = [&](ServerContext&, ServerReader<Message>& reader) -> absl::StatusOr<Message> {
    Message message;
    while (reader.Read(message)) {
    }
    ended.Set();
    more.Wait();
    again.set_value(reader.Read(message));
    return Message();
  };
  FakePeer peer = FakePeer::ConnectTo(Address());
  ASSERT_TRUE(peer.Send(HelloFrame()));
  std::string block;
  internal::AppendCall("/rpctest.Probe/Input", MonotonicNanos() + 50'000'000, {}, &block);
  const FakeFrame message =
      MakeFrame(FrameKind::kMessage, internal::kWithMessage, 1, "", Number(1).SerializeAsString());
  ASSERT_TRUE(peer.Send(MakeFrame(FrameKind::kCall, 0, 1, block)));
  ASSERT_TRUE(peer.Send(message));
  ASSERT_TRUE(ended.Wait());
  ASSERT_TRUE(peer.Send(message));
  ASSERT_TRUE(peer.Send(CallFrame(2, kUnary)));
  EXPECT_EQ(peer.ReceiveStatus(2), absl::OkStatus()) << "and so the message before it has been taken";
  more.Set();
  EXPECT_FALSE(again.get_future().get()) << "a later message, without those that the deadline took away";
  EXPECT_THAT(peer.ReceiveStatus(1), HasCode(Code::kDeadlineExceeded));
}

TEST_P(HostileClientTest, GarbageFramesAtEveryPoint) {
  for (unsigned seed = 0; seed < 60; ++seed) {
    FakePeer peer = FakePeer::ConnectTo(Address());
    if (seed % 2 == 1) peer.Send(HelloFrame());
    if (seed % 4 >= 2) peer.Send(MakeFrame(FrameKind::kCall, 0, 1, CallFrame(1, kDuplex).block));
    for (unsigned i = 0; i < 5; ++i) {
      std::string frame = Garbage(seed * 10 + i, seed * 7 % 500);
      if (!frame.empty()) frame[0] = static_cast<char>(1 + static_cast<unsigned char>(frame[0]) % 12);
      if (frame.size() > 3) frame[2] = frame[3] = 0;
      if (!peer.Send(frame)) break;
    }
  }
  EXPECT_TRUE(good_->Unary(Text("x")).Wait().ok());
}

TEST_P(HostileClientTest, RawBytes) {
  if (absl::string_view(GetParam()) == "inproc") GTEST_SKIP() << "in one process there is no stream of bytes";
  if (absl::string_view(GetParam()) == "tcp") GTEST_SKIP() << "tests/transports/tcp_test has tcp:'s greeting";
  const std::string path = directory() / "server";
  const std::string greeting = RawGreeting();
  const std::string four_gib = greeting + "\xff\xff\xff\xff" + std::string(4, '\0');
  std::vector<std::string> all = {"GET / HTTP/1.1\r\nHost: x\r\n\r\n", std::string(1, '\0'), std::string(64, '\xff'),
                                  std::string(5000, 'x'), Garbage(1, 64), Garbage(2, 10'000), greeting + Garbage(3, 8),
                                  greeting + Garbage(4, 100'000), four_gib, four_gib + std::string(100'000, 'x'),
                                  // Over the largest frame, and with descriptors that were not announced.
                                  greeting + std::string("\x01\x00\x01\x00\x00\x00\x00\x00", 8),
                                  greeting + std::string("\x10\x00\x00\x00\x07\x00\x00\x00", 8)};
  std::string other_version = greeting;
  other_version[8] = 9;
  all.push_back(other_version);
  for (const std::string& bytes : all) {
    UniqueFd fd = RawConnect(path);
    ASSERT_TRUE(fd.valid());
    RawSend(fd.get(), bytes);
    if (bytes.size() == 1) ::shutdown(fd.get(), SHUT_WR);  // might become a greeting
    EXPECT_TRUE(RawWaitClosed(fd.get())) << bytes.substr(0, 20);
  }
  EXPECT_TRUE(good_->Unary(Text("x")).Wait().ok());
  // Half a greeting, then gone; nothing, and gone; nothing, and still there.
  for (size_t size = 0; size <= greeting.size(); size += 9) RawSend(RawConnect(path).get(), greeting.substr(0, size));
  std::vector<UniqueFd> silent;
  for (int i = 0; i < 20; ++i) silent.push_back(RawConnect(path));
  EXPECT_TRUE(ProbeStub(Dial(Address())).Unary(Text("x")).Wait().ok());
}

// A real client, and servers that are none.
class HostileServerTest : public EachTransport {
 protected:
  // Accepts one connection and gives it to `serve`, on a thread of its own.
  void ServeOnce(std::function<void(FakePeer&)> serve) {
    const Address_ parsed = *ParseAddress(Address());
    absl::StatusOr<std::unique_ptr<Listener>> listener = TransportOf(parsed.scheme)->Listen(parsed);
    ASSERT_TRUE(listener.ok()) << listener.status();
    listener_ = *std::move(listener);
    thread_ = std::thread([this, serve] {
      std::unique_ptr<Endpoint> end;
      Eventually([&] {
        pollfd entry = {listener_->fd(), POLLIN, 0};
        ::poll(&entry, 1, 100);
        absl::StatusOr<std::unique_ptr<Endpoint>> accepted = listener_->Accept();
        if (accepted.ok()) end = *std::move(accepted);
        return end != nullptr;
      });
      if (end == nullptr) return;
      FakePeer peer(std::move(end));
      serve(peer);
      done_.Wait();
    });
  }
  // Ends it, and shows that the channel recovers with a real server.
  void Stop(const ProbeStub& stub) {
    done_.Set();
    if (thread_.joinable()) thread_.join();
    listener_.reset();
    ProbeService service;
    auto server = Serve(service, Address());
    std::string text;
    EXPECT_TRUE(Eventually([&] {
      const CallOptions options = CallOptions().set_wait_for_ready(true).set_timeout(absl::Seconds(10));
      text = stub.Unary(Text("recovered"), options).Wait().value_or(Message()).text();
      // What tcp: sends within a millisecond of the server's end may be lost with it.
      return text == "recovered" || absl::string_view(GetParam()) != "tcp";
    }));
    EXPECT_EQ(text, "recovered");
  }
  void TearDown() override {
    done_.Set();
    if (thread_.joinable()) thread_.join();
  }
  // What a unary call gets when the server answers it with these frames (after its hello).
  absl::Status UnaryAnsweredWith(std::vector<std::string> frames, bool close = false) {
    ServeOnce([frames, close](FakePeer& peer) {
      peer.Send(HelloFrame());
      if (!peer.ReceiveKind(FrameKind::kCall).has_value()) return;
      for (const std::string& frame : frames) peer.Send(frame);
      if (close) peer.end().Close(absl::UnavailableError("enough"));
    });
    const ProbeStub stub(Dial(Address()));
    const absl::Status status = stub.Unary(Message(), CallOptions().set_timeout(absl::Seconds(10))).Wait().status();
    Stop(stub);
    return status;
  }
  using Address_ = ::nearcall::Address;

 private:
  std::unique_ptr<Listener> listener_;
  std::thread thread_;
  Event done_;
};
NEARCALL_EACH_TRANSPORT(HostileServerTest);

TEST_P(HostileServerTest, ReasonableFramesWork) {
  std::string block;
  const std::string reply =
      MakeFrame(FrameKind::kStatus, internal::kWithMessage, 1, "", Text("x").SerializeAsString()).bytes();
  EXPECT_EQ(UnaryAnsweredWith({reply}), absl::OkStatus());
}

// The ids of a channel's calls pass their largest value; 0 is no call.
TEST_P(HostileServerTest, CallIdsWrap) {
  constexpr int kCalls = 4;
  std::vector<uint32_t> ids;
  ServeOnce([&ids](FakePeer& peer) {
    peer.Send(HelloFrame());
    while (ids.size() < kCalls) {
      const std::optional<std::string> call = peer.ReceiveKind(FrameKind::kCall);
      internal::FrameHeader header;
      if (!call.has_value() || !internal::DecodeFrameHeader(call->data(), &header)) return;
      ids.push_back(header.call_id);
      peer.Send(MakeFrame(FrameKind::kStatus, internal::kWithMessage, header.call_id));
    }
  });
  ChannelOptions options;
  internal::ChannelAccess::SetFirstCallId(0x7ffffffe, &options);
  const ProbeStub stub(Dial(Address(), options));
  for (int i = 0; i < kCalls; ++i) {
    EXPECT_EQ(stub.Unary(Message(), CallOptions().set_timeout(absl::Seconds(10))).Wait().status(), absl::OkStatus());
  }
  Stop(stub);
  EXPECT_THAT(ids, ::testing::ElementsAre(0x7ffffffe, 0x7fffffff, 1, 2));
}

TEST_P(HostileServerTest, AnotherWireVersion) {
  ServeOnce([](FakePeer& peer) {
    // Before it has been sent, a call is tried again, and this server serves once.
    if (peer.ReceiveKind(FrameKind::kCall).has_value()) peer.Send(HelloFrame(7, 9));
  });
  const ProbeStub stub(Dial(Address()));
  EXPECT_THAT(stub.Unary(Message(), CallOptions().set_timeout(absl::Seconds(10))).Wait().status(),
              AllOf(Says(Address()), Says("version"), Says("7"),
                    AnyOf(HasCode(Code::kUnavailable), HasCode(Code::kFailedPrecondition), HasCode(Code::kInternal))));
  Stop(stub);
}

TEST_P(HostileServerTest, OkWithoutAReplyIsNotFabricated) {
  EXPECT_THAT(UnaryAnsweredWith({StatusFrame(1, absl::OkStatus()).bytes()}), HasCode(Code::kInternal));
}

TEST_P(HostileServerTest, GarbageFrame) {
  EXPECT_THAT(UnaryAnsweredWith({Garbage(1, 300)}),
              AllOf(Says(Address()), AnyOf(HasCode(Code::kUnavailable), HasCode(Code::kInternal))));
}

TEST_P(HostileServerTest, GoneInMidCall) {
  EXPECT_THAT(UnaryAnsweredWith({}, true), AllOf(HasCode(Code::kUnavailable), Says(Address())));
}

TEST_P(HostileServerTest, GoneInMidReply) {
  FakeFrame reply =
      MakeFrame(FrameKind::kStatus, internal::kWithMessage | internal::kMore, 1, "", std::string(1000, 'x'));
  reply.header.total_size = 2000;
  EXPECT_THAT(UnaryAnsweredWith({reply.bytes()}, true), AllOf(HasCode(Code::kUnavailable), Says(Address())));
}

TEST_P(HostileServerTest, ReplyOfFourGiB) {
  FakeFrame reply =
      MakeFrame(FrameKind::kStatus, internal::kWithMessage | internal::kMore, 1, "", std::string(1000, 'x'));
  reply.header.total_size = kFourGiB;
  // Told at the first fragment: the rest, which never comes here, would be discarded.
  EXPECT_THAT(UnaryAnsweredWith({reply.bytes()}), AllOf(HasCode(Code::kResourceExhausted), Says("over the")));
}

TEST_P(HostileServerTest, ReplyThatDoesNotParse) {
  EXPECT_THAT(UnaryAnsweredWith({MakeFrame(FrameKind::kStatus, internal::kWithMessage, 1, "", "\xff\xff\xff").bytes()}),
              AllOf(HasCode(Code::kInternal), Says(kUnary)));
}

TEST_P(HostileServerTest, AnswersToUnknownCallsAndLateOnes) {
  const absl::Status status = UnaryAnsweredWith({
      StatusFrame(77, absl::AbortedError("nobody asked")).bytes(),
      StatusFrame(1, absl::AbortedError("as asked")).bytes(),
      StatusFrame(1, absl::AbortedError("again")).bytes(),
  });
  EXPECT_TRUE(status.code() == Code::kAborted || status.code() == Code::kInternal ||
              status.code() == Code::kUnavailable)
      << status;
}

// Each way to wait for something of a stream whose call is refused at first, provably before it was started.
TEST_P(HostileServerTest, AStreamThatWasNotStartedIsAskedForAgain) {
  Event asked;
  ServeOnce([&asked](FakePeer& peer) {
    peer.Send(HelloFrame());
    for (int calls = 0; calls < 10; ++calls) {
      const std::optional<std::string> bytes = peer.ReceiveKind(FrameKind::kCall);
      internal::FrameHeader header;
      if (!bytes.has_value() || !internal::DecodeFrameHeader(bytes->data(), &header)) return;
      FakeFrame status = StatusFrame(header.call_id, calls % 2 == 0 ? absl::UnavailableError("no") : absl::OkStatus());
      if (calls % 2 == 0) {
        status.header.flags = internal::kNotStarted;
        if (calls == 0) asked.Wait();
      } else {
        peer.Send(MakeFrame(FrameKind::kInitialMetadata, 0, header.call_id));
        peer.Send(MakeFrame(FrameKind::kMessage, internal::kWithMessage, header.call_id, "",
                            Text("second").SerializeAsString()));
      }
      peer.Send(status);
    }
  });
  const ProbeStub stub(Dial(Address()));
  const CallOptions limit = CallOptions().set_timeout(absl::Seconds(10));
  {
    auto stream = stub.Output(Message(), limit);
    std::promise<std::string> first;
    stream.Next().Then([&](std::optional<Message> message) { first.set_value(message.value_or(Message()).text()); });
    asked.Set();
    EXPECT_EQ(first.get_future().get(), "second") << "a callback waited";
    EXPECT_EQ(stream.Finish(), absl::OkStatus());
  }
  {
    auto stream = stub.Output(Message(), limit);
    EXPECT_EQ(stream.Next().Wait().value_or(Message()).text(), "second") << "a thread waited for an op";
    EXPECT_EQ(stream.Finish(), absl::OkStatus());
  }
  {
    auto stream = stub.Output(Message(), limit);
    Message message;
    EXPECT_TRUE(stream.Read(message)) << "a thread read: " << stream.Finish();
    EXPECT_EQ(message.text(), "second");
    EXPECT_EQ(stream.Finish(), absl::OkStatus());
  }
  {
    auto stream = stub.Output(Message(), limit);
    EXPECT_TRUE(stream.initial_metadata().entries().empty());
    Message message;
    EXPECT_TRUE(stream.Read(message)) << "a thread waited for metadata";
    EXPECT_EQ(stream.Finish(), absl::OkStatus());
  }
  {
    auto stream = stub.Output(Message(), limit);
    EXPECT_EQ(stream.Finish(), absl::OkStatus()) << "a thread waited for the end";
  }
  Stop(stub);
}

TEST_P(HostileServerTest, SilenceIsADeadlineForACallbackThatReads) {
  ServeOnce([](FakePeer&) {});
  const ProbeStub stub(Dial(Address()));
  auto stream = stub.Output(Message(), CallOptions().set_timeout(absl::Milliseconds(100)));
  std::promise<bool> next;
  stream.Next().Then([&](std::optional<Message> message) { next.set_value(message.has_value()); });
  std::future<bool> future = next.get_future();
  EXPECT_EQ(future.wait_for(std::chrono::seconds(5)), std::future_status::ready) << "the deadline wakes nobody";
  stream.Cancel();
  EXPECT_FALSE(future.get());
  EXPECT_THAT(stream.Finish(), HasCode(Code::kDeadlineExceeded));
  Stop(stub);
}

TEST_P(HostileServerTest, SilenceIsADeadline) {
  ServeOnce([](FakePeer&) {});
  const ProbeStub stub(Dial(Address()));
  const Stopwatch watch;
  EXPECT_THAT(stub.Unary(Message(), CallOptions().set_timeout(absl::Milliseconds(100))).Wait().status(),
              HasCode(Code::kDeadlineExceeded));
  EXPECT_LT(watch.elapsed(), absl::Seconds(5));
  Stop(stub);
}

TEST_P(HostileServerTest, NoNearcallServerAtAll) {
  if (absl::string_view(GetParam()) == "inproc") GTEST_SKIP() << "in one process there is no stream of bytes";
  if (absl::string_view(GetParam()) == "tcp") GTEST_SKIP() << "tests/transports/tcp_test has tcp:'s greeting";
  const std::string path = directory() / "server";
  const std::string greeting = RawGreeting();
  std::string other_version = greeting;
  other_version[8] = 9;
  for (const std::string& answer :
       {std::string("HTTP/1.1 400 Bad Request\r\n\r\n"), std::string(), std::string(500, '\0'), Garbage(5, 500),
        greeting, other_version, greeting.substr(0, 20)}) {
    UniqueFd listener = RawListen(path);
    std::atomic<bool> stop{false};
    std::thread server([&] {
      while (!stop) {
        pollfd entry = {listener.get(), POLLIN, 0};
        if (::poll(&entry, 1, 20) <= 0) continue;
        UniqueFd fd(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
        char buffer[64];
        if (::recv(fd.get(), buffer, sizeof(buffer), 0) > 0) RawSend(fd.get(), answer);
      }
    });
    const ProbeStub stub(Dial(Address()));
    const Stopwatch watch;
    EXPECT_THAT(stub.Unary(Message(), CallOptions().set_timeout(absl::Seconds(10))).Wait().status(),
                AllOf(HasCode(Code::kUnavailable), Says(Address())))
        << answer.substr(0, 20);
    EXPECT_LT(watch.elapsed(), absl::Seconds(5));
    stop = true;
    server.join();
    ::unlink(path.c_str());
  }
}

TEST_P(HostileServerTest, ConnectionsThatCloseAtOnceAreRetriedWithMeasure) {
  if (absl::string_view(GetParam()) == "inproc") GTEST_SKIP() << "in one process there is no stream of bytes";
  if (absl::string_view(GetParam()) == "tcp") GTEST_SKIP() << "tests/transports/tcp_test has tcp:'s greeting";
  const std::string path = directory() / "server";
  UniqueFd listener = RawListen(path);
  std::atomic<bool> stop{false};
  std::atomic<int> accepted{0};
  std::thread server([&] {
    while (!stop) {
      pollfd entry = {listener.get(), POLLIN, 0};
      if (::poll(&entry, 1, 20) <= 0) continue;
      UniqueFd fd(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
      ++accepted;
    }
  });
  const ProbeStub stub(Dial(Address()));
  // No hello came, so the call was not started: it may be tried again, a few times, or until the deadline.
  EXPECT_THAT(stub.Unary(Message(), CallOptions().set_timeout(absl::Seconds(30))).Wait().status(),
              HasCode(Code::kUnavailable));
  EXPECT_LE(accepted, 10);
  accepted = 0;
  const auto wait = CallOptions().set_wait_for_ready(true).set_timeout(absl::Seconds(1));
  Call<Message> other = stub.Unary(Message(), wait);
  EXPECT_THAT(stub.Unary(Message(), wait).Wait().status(), HasCode(Code::kDeadlineExceeded));
  EXPECT_THAT(other.Wait().status(), HasCode(Code::kDeadlineExceeded));
  EXPECT_GE(accepted, 10);
  EXPECT_LE(accepted, 400) << "but not in a storm";
  // A stream too, and what it has left behind is not kept.
  const int descriptors = OpenDescriptors();
  accepted = 0;
  auto stream = stub.Output(Number(3), CallOptions().set_wait_for_ready(true).set_timeout(absl::Seconds(1)));
  Message message;
  EXPECT_FALSE(stream.Read(message));
  EXPECT_GE(accepted, 10);
  EXPECT_LE(OpenDescriptors(), descriptors + 12) << "of " << accepted << " connections";
  EXPECT_THAT(stream.Finish(), HasCode(Code::kDeadlineExceeded));
  stop = true;
  server.join();
}

}  // namespace
}  // namespace nearcall::test
