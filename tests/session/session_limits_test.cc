// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// Limits: of messages, calls at once, credit, bytes that wait; each is held before memory is taken, and the connection
// lives. And the steady state allocates nothing.
#include <gtest/gtest.h>

#include "nearcall/tests/session/counting_new.h"
#include "nearcall/tests/session/session_test_util.h"

namespace nearcall::internal {
namespace {

using Type = SessionEvent::Type;

std::string Bytes1(size_t size) { return std::string(size, 'x'); }

absl::Status StatusOf(const WireFrame& frame) {
  absl::Status status;
  absl::Span<const char> trailing;
  EXPECT_TRUE(ReadStatus(frame.block(), &status, &trailing));
  return status;
}

SessionOptions SmallMessages() {
  SessionOptions options;
  options.max_receive_message = 10;
  return options;
}

// ---- messages

TEST(SessionLimitsTest, ACallOverTheLimitIsAnsweredByTheSession) {
  const std::string block = CallBlockOf("/a.B/C");
  const uint32_t size = static_cast<uint32_t>(block.size());
  struct Case {
    std::string frame;
    uint64_t announced;
  };
  for (const Case& c : {Case{MakeFrame(FrameKind::kCall, kWithMessage, 1, block, Bytes1(11)), 11},
                        Case{RawFrame(2, kMore | kWithMessage, 1, size, size + 5000, block), 5000},
                        Case{RawFrame(2, kMore | kWithMessage, 1, size, UINT32_MAX, block), UINT32_MAX - size}}) {
    const auto script = Script::Established(SmallMessages());
    const size_t before = CountedBytes();
    EXPECT_EQ(script->session.Consume(absl::MakeConstSpan(c.frame), 0).type, Type::kNone);
    EXPECT_LE(CountedBytes() - before, 4096u) << "a place in a queue, and no memory for the message";
    EXPECT_EQ(script->In(RawFrame(2, kMore | kWithMessage, 1, 0, 0, Bytes1(4000))).type, Type::kNone);
    const std::vector<WireFrame> out = script->Out();
    ASSERT_EQ(KindsOf(out), "status");
    EXPECT_EQ(out[0].header.flags, 0) << "to send it again would not help";
    EXPECT_EQ(StatusOf(out[0]), absl::ResourceExhaustedError(absl::StrCat("message of ", c.announced,
                                                                          " bytes over the receiver's limit of 10")));
    EXPECT_EQ(script->session.peer_calls(), 0u);
    EXPECT_NE(script->Served(2), nullptr) << "the connection lives";
  }
}

TEST(SessionLimitsTest, AReplyOverTheLimitEndsTheCall) {
  for (const bool fragments : {false, true}) {
    const auto script = Script::Connector(SmallMessages());
    SessionCall* call = script->Call();
    SessionEvent event;
    if (fragments) {  // told at once, even if the rest never comes
      event = script->In(RawFrame(6, kMore | kWithMessage, 1, 0, 11, "12345"));
      EXPECT_TRUE(call->over());
      EXPECT_EQ(script->session.own_calls(), 0u);
    } else {
      event = script->In(MakeFrame(FrameKind::kStatus, kWithMessage, 1, "", Bytes1(11)));
    }
    ASSERT_EQ(event.type, Type::kStatus);
    EXPECT_EQ(event.call, call);
    EXPECT_EQ(event.status, absl::ResourceExhaustedError("message of 11 bytes over the receiver's limit of 10"));
    EXPECT_FALSE(event.has_message);
    script->session.Release(call);
    if (fragments) {
      EXPECT_EQ(script->In(RawFrame(6, kWithMessage, 1, 0, 0, "678901")).type, Type::kNone) << "told already";
    }
    EXPECT_EQ(SessionInspector::records(script->session), 0u);
    EXPECT_FALSE(script->session.HasOutput()) << "there is nothing left to cancel";
    EXPECT_EQ(script->In(MakeFrame(FrameKind::kPing, kAck, 0, U64Block(1))).type, Type::kPong);
  }
}

TEST(SessionLimitsTest, AStreamMessageOverTheLimitAtTheServer) {
  for (const bool fragments : {false, true}) {
    const auto script = Script::Established(SmallMessages());
    SessionCall* call = script->Served(1);
    const SessionEvent event = fragments ? script->In(RawFrame(4, kMore | kWithMessage, 1, 0, 5000, "12345"))
                                         : script->In(MakeFrame(FrameKind::kMessage, kWithMessage, 1, "", Bytes1(11)));
    ASSERT_EQ(event.type, Type::kTooLarge);
    EXPECT_EQ(event.call, call);
    EXPECT_EQ(event.status, absl::ResourceExhaustedError(absl::StrCat("message of ", fragments ? 5000 : 11,
                                                                      " bytes over the receiver's limit of 10")));
    if (fragments) {
      EXPECT_EQ(script->In(RawFrame(4, kWithMessage, 1, 0, 0, Bytes1(4995))).type, Type::kNone);
    }
    EXPECT_EQ(script->In(MakeFrame(FrameKind::kMessage, kWithMessage, 1, "", "small")).type, Type::kNone)
        << "a stream with a hole is not delivered";
    EXPECT_EQ(script->In(MakeFrame(FrameKind::kHalfClose, 0, 1)).type, Type::kNone);
    ASSERT_TRUE(script->Queue(call, FrameKind::kStatus, 0, StatusBlockOf(event.status)).ok());
    EXPECT_EQ(KindsOf(script->Out()), "status");
  }
}

TEST(SessionLimitsTest, AStreamMessageOverTheLimitAtTheClient) {
  for (const bool fragments : {false, true}) {
    const auto script = Script::Connector(SmallMessages());
    SessionCall* call = script->Call(0);
    const SessionEvent event = fragments ? script->In(RawFrame(4, kMore | kWithMessage, 1, 0, 5000, "12345"))
                                         : script->In(MakeFrame(FrameKind::kMessage, kWithMessage, 1, "", Bytes1(11)));
    ASSERT_EQ(event.type, Type::kStatus);
    EXPECT_EQ(event.call, call);
    EXPECT_EQ(event.status.code(), absl::StatusCode::kResourceExhausted);
    EXPECT_TRUE(call->over());
    EXPECT_EQ(KindsOf(script->Out()), "cancel");
    if (fragments) {
      EXPECT_EQ(script->In(RawFrame(4, kWithMessage, 1, 0, 0, Bytes1(4995))).type, Type::kNone);
    }
    EXPECT_EQ(script->In(MakeFrame(FrameKind::kStatus, 0, 1)).type, Type::kNone) << "told already";
    script->session.Release(call);
    EXPECT_EQ(SessionInspector::records(script->session), 0u);
  }
}

TEST(SessionLimitsTest, AMessageThatThereIsNoMemoryForEndsItsCallOnly) {
  SessionOptions options;
  options.max_receive_message = UINT64_MAX;
  const std::string block = CallBlockOf("/a.B/C");
  const uint32_t size = static_cast<uint32_t>(block.size());
  const auto server = Script::Established(options);
  EXPECT_EQ(server->In(RawFrame(2, kMore | kWithMessage, 1, size, UINT32_MAX, block)).type, Type::kNone);
  std::vector<WireFrame> out = server->Out();
  ASSERT_EQ(KindsOf(out), "status");
  EXPECT_EQ(StatusOf(out[0]),
            absl::ResourceExhaustedError(absl::StrCat("no memory for a message of ", UINT32_MAX - size, " bytes")));
  server->Served(2);
  EXPECT_EQ(server->In(RawFrame(4, kMore | kWithMessage, 2, 0, UINT32_MAX, "x")).type, Type::kTooLarge);

  const auto client = Script::Connector(options);
  client->Call(0);
  client->Call(0);
  EXPECT_EQ(client->In(RawFrame(4, kMore | kWithMessage, 1, 0, UINT32_MAX, "x")).status.code(),
            absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(client->In(RawFrame(6, kMore | kWithMessage, 2, 0, 1 << 31, "x")).status.code(),
            absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(client->session.own_calls(), 0u);
}

TEST(SessionLimitsTest, AnnouncedLengthsOfAllSizes) {
  for (const uint64_t announced : {uint64_t{11}, uint64_t{1} << 20, uint64_t{1} << 31, (uint64_t{1} << 32) - 1}) {
    const auto script = Script::Established(SmallMessages());
    script->Served(1);
    const size_t before = CountedBytes();
    const std::string frame = RawFrame(4, kMore | kWithMessage, 1, 0, static_cast<uint32_t>(announced), "x");
    const SessionEvent event = script->session.Consume(absl::MakeConstSpan(frame), 0);
    EXPECT_EQ(event.type, Type::kTooLarge);
    EXPECT_LE(CountedBytes() - before, 4096u);
  }
}

// ---- calls at once

TEST(SessionLimitsTest, AHundredCallsBeforeThePeersHello) {
  SessionOptions options;
  options.connector = true;
  Script script(options);
  for (int i = 0; i < 150; ++i) {
    SessionCall* call = script.session.NewCall(&script);
    ASSERT_TRUE(script.Queue(call, FrameKind::kCall, kWithMessage, CallBlockOf("/a.B/C")).ok());
  }
  EXPECT_EQ(script.Out().size(), 1u + kConcurrencyBeforeHello);
  EXPECT_EQ(script.session.own_calls(), 150u);
  SessionCall* next = script.session.NewCall(&script);
  EXPECT_FALSE(script.session.CanSend(*next, FrameKind::kCall)) << "others wait before it";
  HelloBlock hello = UsualHello();
  hello.max_concurrent_calls = 120;
  EXPECT_EQ(script.In(HelloFrame(hello)).type, Type::kHello);
  EXPECT_EQ(script.Out().size(), 20u);
  EXPECT_EQ(script.In(MakeFrame(FrameKind::kStatus, 0, 7)).type, Type::kStatus);
  const std::vector<WireFrame> out = script.Out();
  ASSERT_EQ(KindsOf(out), "call") << "in order, as places become free";
  EXPECT_EQ(out[0].header.call_id, 121u);
}

TEST(SessionLimitsTest, FewerPlacesThanCallsUnderWay) {
  SessionOptions options;
  options.connector = true;
  Script script(options);
  script.Out();
  for (int i = 0; i < 10; ++i) script.Call();
  HelloBlock hello = UsualHello();
  hello.max_concurrent_calls = 2;
  script.In(HelloFrame(hello));
  SessionCall* call = script.session.NewCall(&script);
  ASSERT_TRUE(script.Queue(call, FrameKind::kCall, kWithMessage, CallBlockOf("/a.B/C")).ok());
  for (uint32_t id = 1; id <= 8; ++id) script.In(MakeFrame(FrameKind::kStatus, kNotStarted, id));
  EXPECT_FALSE(script.session.HasOutput());
  script.In(MakeFrame(FrameKind::kStatus, 0, 9));
  EXPECT_TRUE(script.session.HasOutput());
}

TEST(SessionLimitsTest, ExcessComesBackNotStarted) {
  SessionOptions options;
  options.max_concurrent_calls = 2;
  const auto script = Script::Established(options);
  script->Served(1);
  SessionCall* second = script->Served(2);
  EXPECT_EQ(script->In(MakeFrame(FrameKind::kCall, 0, 3, CallBlockOf("/a.B/C"))).type, Type::kNone);
  EXPECT_EQ(script->In(MakeFrame(FrameKind::kMessage, kWithMessage, 3, "", "of the refused call")).type, Type::kNone);
  const std::vector<WireFrame> out = script->Out();
  ASSERT_EQ(KindsOf(out), "status");
  EXPECT_EQ(out[0].header.call_id, 3u);
  EXPECT_EQ(out[0].header.flags, kNotStarted);
  EXPECT_EQ(StatusOf(out[0]), absl::UnavailableError("over the limit of 2 concurrent calls of this connection"));
  ASSERT_TRUE(script->Queue(second, FrameKind::kStatus, 0, "").ok());
  EXPECT_EQ(script->In(MakeFrame(FrameKind::kCall, 0, 4, CallBlockOf("/a.B/C"))).type, Type::kNone)
      << "a call counts until its status was planned";
  script->Out();
  EXPECT_NE(script->Served(5), nullptr);

  const auto client = Script::Connector();
  SessionCall* call = client->Call();
  const SessionEvent event = client->In(MakeFrame(FrameKind::kStatus, kNotStarted, 1, out[0].body));
  EXPECT_EQ(event.call, call);
  EXPECT_TRUE(event.not_started);
}

// ---- credit

TEST(SessionLimitsTest, AMessageMayStartWithCreditAndOverdrawIt) {
  SessionOptions options;
  options.connector = true;
  Script script(options);
  script.Out();
  SessionCall* call = script.Call(0);
  EXPECT_EQ(call->send_credit(), kMinimumCredit);
  ASSERT_TRUE(script.Queue(call, FrameKind::kMessage, kWithMessage, "", Bytes1(kMinimumCredit - 17)).ok());
  ASSERT_TRUE(script.Queue(call, FrameKind::kMessage, kWithMessage, "", Bytes1(500'000)).ok());
  ASSERT_TRUE(script.Queue(call, FrameKind::kMessage, kWithMessage, "", "").ok());
  script.Out();
  EXPECT_EQ(call->send_credit(), 1 - 500'016);
  EXPECT_FALSE(script.session.CanSend(*call, FrameKind::kMessage));
  EXPECT_TRUE(script.session.Queued(*call));
  EXPECT_EQ(script.In(HelloFrame(UsualHello())).type, Type::kHello);  // brings 192 KiB more
  EXPECT_EQ(call->send_credit(), 1 - 500'016 + (192 << 10));
  EXPECT_EQ(script.In(MakeFrame(FrameKind::kCredit, 0, 1, U64Block(0))).type, Type::kNone);
  EXPECT_FALSE(script.session.HasOutput());
  EXPECT_EQ(script.In(MakeFrame(FrameKind::kCredit, 0, 1, U64Block(500'000))).type, Type::kWritable);
  EXPECT_EQ(KindsOf(script.Out()), "message");
  EXPECT_EQ(script.In(MakeFrame(FrameKind::kCredit, 0, 1, U64Block(5))).type, Type::kNone) << "it had some";
  EXPECT_EQ(script.Call(0)->send_credit(), 256 << 10) << "new calls begin with what hello said";
}

TEST(SessionLimitsTest, HalfCloseAndStatusNeedNoCredit) {
  const auto script = Script::Connector();
  SessionCall* call = script->Call(0);
  ASSERT_TRUE(script->Queue(call, FrameKind::kMessage, kWithMessage, "", Bytes1(300'000)).ok());
  ASSERT_TRUE(script->Queue(call, FrameKind::kHalfClose, 0, "").ok());
  EXPECT_EQ(KindsOf(script->Out(1 << 20)), "message half-close");
}

TEST(SessionLimitsTest, CreditFlowsBackInBatches) {
  SessionOptions options;
  options.initial_credit = 64 << 10;
  const auto script = Script::Established(options);
  SessionCall* call = script->Served(1);
  const std::string frame = MakeFrame(FrameKind::kMessage, kWithMessage, 1, "", Bytes1(8192 - kMessageCost));
  for (int i = 0; i < 8; ++i) ASSERT_EQ(script->In(frame).type, Type::kMessage);
  for (int i = 0; i < 3; ++i) script->session.Consumed(call, 8192 - kMessageCost);
  EXPECT_FALSE(script->session.HasOutput());
  script->session.Consumed(call, 8192 - kMessageCost);
  const std::vector<WireFrame> out = script->Out();
  ASSERT_EQ(KindsOf(out), "credit");
  EXPECT_EQ(out[0].header.call_id, 1u);
  EXPECT_EQ(out[0].body, U64Block(32 << 10));
  for (int i = 0; i < 4; ++i) ASSERT_EQ(script->In(frame).type, Type::kMessage) << "the window is 64 KiB again";
  EXPECT_EQ(script->In(frame).type, Type::kViolation);
}

TEST(SessionLimitsTest, CreditGivenBackIsNeverMoreThanCame) {
  const auto script = Script::Established();
  SessionCall* call = script->Served(1);
  ASSERT_EQ(script->In(MakeFrame(FrameKind::kMessage, kWithMessage, 1, "", Bytes1(200'000))).type, Type::kMessage);
  script->session.Consumed(call, 200'000);
  script->session.Consumed(call, 200'000);  // a mistake of the owner's
  EXPECT_EQ(script->Out()[0].body, U64Block(200'016));
}

TEST(SessionLimitsTest, EmptyMessagesAreBounded) {
  SessionOptions options;
  options.initial_credit = kMinimumCredit;
  const auto script = Script::Established(options);
  script->Served(1);
  const std::string frame = MakeFrame(FrameKind::kMessage, kWithMessage, 1);
  size_t came = 0;
  while (script->session.Consume(absl::MakeConstSpan(frame), 0).type == Type::kMessage) ++came;
  EXPECT_EQ(came, kMinimumCredit / kMessageCost);
}

TEST(SessionLimitsTest, NoCreditForAStreamThatHasEnded) {
  const auto script = Script::Established();
  SessionCall* call = script->Served(1);
  ASSERT_EQ(script->In(MakeFrame(FrameKind::kMessage, kWithMessage, 1, "", Bytes1(200'000))).type, Type::kMessage);
  script->session.Consumed(call, 200'000);
  EXPECT_TRUE(script->session.HasOutput());
  script->In(MakeFrame(FrameKind::kHalfClose, 0, 1));
  EXPECT_FALSE(script->session.HasOutput());
}

// ---- bytes that wait

TEST(SessionLimitsTest, PendingBytes) {
  SessionOptions options;
  options.max_pending_bytes = 100'000;
  const auto script = Script::Connector(options);
  SessionCall* call = script->session.NewCall(script.get());
  ASSERT_TRUE(script->Queue(call, FrameKind::kCall, 0, CallBlockOf("/a.B/C")).ok());
  ASSERT_TRUE(script->Queue(call, FrameKind::kMessage, kWithMessage, "", Bytes1(60'000)).ok());
  const absl::Status status = script->Queue(call, FrameKind::kMessage, kWithMessage, "", Bytes1(60'000));
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_NE(status.message().find("max_pending_bytes is 100000"), absl::string_view::npos) << status;
  EXPECT_TRUE(script->Queue(call, FrameKind::kHalfClose, 0, "").ok());
  EXPECT_EQ(KindsOf(script->Out(1 << 20)), "call message half-close") << "nothing of the refused one";
  EXPECT_EQ(SessionInspector::pending_bytes(script->session), 0u);
}

TEST(SessionLimitsTest, AStatusCanAlwaysBeGiven) {
  SessionOptions options;
  options.max_pending_bytes = 1;
  const auto script = Script::Established(options);
  SessionCall* call = script->Served(1);
  EXPECT_EQ(script->Queue(call, FrameKind::kStatus, kWithMessage, "", "reply").code(),
            absl::StatusCode::kResourceExhausted);
  EXPECT_TRUE(script->Queue(call, FrameKind::kStatus, 0, StatusBlockOf(absl::ResourceExhaustedError("x"))).ok());
  EXPECT_EQ(KindsOf(script->Out()), "status");
}

TEST(SessionLimitsTest, ABlockOverTheLimitIsRefusedHere) {
  const auto script = Script::Connector();
  SessionCall* call = script->session.NewCall(script.get());
  const absl::Status status = script->Queue(call, FrameKind::kCall, 0, Bytes1(kMaxBlockSize + 1));
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_NE(status.message().find("131073 bytes over the limit of 131072"), absl::string_view::npos) << status;
  EXPECT_TRUE(script->Queue(call, FrameKind::kCall, 0, Bytes1(kMaxBlockSize)).ok());
}

TEST(SessionLimitsTest, AUnitOf4GiBIsRefusedHere) {
  const auto script = Script::Connector();
  SessionCall* call = script->session.NewCall(script.get());
  auto unit = MakeUnit(FrameKind::kCall, kWithMessage, "12");
  unit->message = absl::MakeConstSpan(unit->block.data(), size_t{UINT32_MAX} - 1);  // never looked into
  const absl::Status status = script->session.Enqueue(call, std::move(unit));
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_NE(status.message().find("4 GiB"), absl::string_view::npos) << status;
}

// ---- the steady state

TEST(SessionLimitsTest, UnaryCallsInTheSteadyStateAllocateNothing) {
  SessionOptions options;
  options.connector = true;
  const auto client = Script::Established(options);
  const auto server = Script::Established();
  const std::string request = MakeFrame(FrameKind::kCall, kWithMessage, 0, CallBlockOf("/a.B/C"), "request");
  std::string frame = request;
  std::vector<SessionCall*> calls(100), served(100);
  size_t before = 0;
  for (int round = 0; round < 1000; ++round) {
    if (round == 10) before = CountedAllocations();
    for (size_t i = 0; i < calls.size(); ++i) {
      calls[i] = client->session.NewCall(&calls);
      ASSERT_TRUE(client->session.CanSend(*calls[i], FrameKind::kCall));
      client->session.Sent(calls[i], {FrameKind::kCall, kWithMessage}, request.size() - 16 - 7, 7, frame.data());
      SessionEvent event = server->session.Consume(absl::MakeConstSpan(frame), 0);
      ASSERT_EQ(event.type, Type::kCall);
      event.call->set_owner(&served);
      served[i] = event.call;
    }
    for (size_t i = 0; i < calls.size(); ++i) {
      char reply[kFrameHeaderSize + 5] = {};
      server->session.Sent(served[i], {FrameKind::kStatus, kWithMessage}, 0, 5, reply);
      server->session.Release(served[i]);
      const SessionEvent event = client->session.Consume(absl::MakeConstSpan(reply), 0);
      ASSERT_EQ(event.type, Type::kStatus);
      client->session.Release(event.call);
    }
  }
  EXPECT_EQ(CountedAllocations() - before, 0u);
}

}  // namespace
}  // namespace nearcall::internal
