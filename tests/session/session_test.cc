// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// Calls through one session, as a table: frames and local operations in, events and frames out.
#include "nearcall/rpc/session/session.h"

#include <gtest/gtest.h>

#include "nearcall/tests/session/session_test_util.h"

namespace nearcall::internal {
namespace {

using Type = SessionEvent::Type;

std::string Text(absl::Span<const char> bytes) { return std::string(bytes.data(), bytes.size()); }

TEST(SessionTest, TheFirstBytesOnTheWire) {
  SessionOptions options;
  options.connector = true;
  options.now_ns = 0x0102030405060708;
  Script script(options);
  const std::vector<WireFrame> frames = script.Out();
  ASSERT_EQ(KindsOf(frames), "hello");
  EXPECT_EQ(frames[0].body, std::string("ncal"
                                        "\1\0\1\0"            // versions 1 to 1
                                        "\0\0\0\0\0\0\0\0"    // features
                                        "\xe8\3\0\0"          // 1000 calls
                                        "\0\0\4\0"            // 256 KiB of credit
                                        "\0\0\x40\0\0\0\0\0"  // messages of 4 MiB
                                        "\x8\x7\x6\x5\x4\x3\x2\x1",
                                        40));  // the clock
}

TEST(SessionTest, AUnaryCallIsOneFrameEachWay) {
  SessionOptions options;
  options.connector = true;
  Script client(options), server;
  SessionCall* call = client.session.NewCall(&client);
  ASSERT_TRUE(client.Queue(call, FrameKind::kCall, kWithMessage, CallBlockOf("/a.B/C", 77), "request").ok());
  EXPECT_FALSE(call->started());
  const std::vector<WireFrame> out = client.Out();  // without waiting for the peer's hello
  ASSERT_EQ(KindsOf(out), "hello call");
  EXPECT_EQ(call->id(), 1u);
  EXPECT_EQ(out[1].header.flags, kWithMessage);
  EXPECT_EQ(out[1].message(), "request");

  server.Out();
  ASSERT_EQ(server.In(MakeFrame(FrameKind::kHello, 0, 0, out[0].body)).type, Type::kHello);
  SessionEvent event = server.In(MakeFrame(FrameKind::kCall, kWithMessage, 1, Text(out[1].block()), "request"));
  ASSERT_EQ(event.type, Type::kCall);
  EXPECT_EQ(event.path, "/a.B/C");
  EXPECT_EQ(event.deadline_ns, 77);
  EXPECT_TRUE(event.has_message);
  EXPECT_EQ(Text(event.message), "request");
  EXPECT_EQ(server.session.peer_calls(), 1u);
  ASSERT_TRUE(server.session.CanSend(*event.call, FrameKind::kStatus));
  char header[kFrameHeaderSize];
  server.session.Sent(event.call, {FrameKind::kStatus, kWithMessage}, 0, 5, header);
  EXPECT_TRUE(event.call->over());
  EXPECT_EQ(server.session.peer_calls(), 0u);
  server.session.Release(event.call);

  client.In(HelloFrame(UsualHello()));
  event = client.In(std::string(header, kFrameHeaderSize) + "reply");
  ASSERT_EQ(event.type, Type::kStatus);
  EXPECT_EQ(event.call, call);
  EXPECT_TRUE(event.status.ok());
  EXPECT_TRUE(event.has_message);
  EXPECT_EQ(Text(event.message), "reply");
  EXPECT_EQ(client.session.own_calls(), 0u);
  client.session.Release(call);
  EXPECT_EQ(SessionInspector::records(client.session), 0u);
}

TEST(SessionTest, EverythingOfAStatusArrives) {
  const auto script = Script::Connector();
  SessionCall* call = script->Call();
  absl::Status sent = absl::NotFoundError("\t\nno such thing ☺ 😈\t\n");
  sent.SetPayload("type.googleapis.com/x", absl::Cord("one"));
  sent.SetPayload("type.googleapis.com/y", absl::Cord(std::string(1000, '\0')));
  const MetadataEntries trailing = {{"a", "1"}, {"b-bin", std::string("\xab\0\xab", 3)}, {"a", "2"}};
  const SessionEvent event = script->In(MakeFrame(FrameKind::kStatus, 0, 1, StatusBlockOf(sent, trailing)));
  ASSERT_EQ(event.type, Type::kStatus);
  EXPECT_EQ(event.call, call);
  EXPECT_EQ(event.status, sent);
  EXPECT_FALSE(event.has_message);
  MetadataEntries got;
  ASSERT_TRUE(ReadMetadata(event.metadata, &got));
  EXPECT_EQ(got, trailing);
}

TEST(SessionTest, MetadataOf63KiBThroughFramesOf4KiB) {
  SessionOptions options;
  options.connector = true;
  Script client(options);
  const auto server = Script::Established();
  const MetadataEntries metadata = {{"long-bin", std::string(63 << 10, 'x')}};
  SessionCall* call = client.session.NewCall(&client);
  ASSERT_TRUE(client.Queue(call, FrameKind::kCall, kWithMessage, CallBlockOf("/a.B/C", 5, metadata), "request").ok());
  std::vector<WireFrame> out = client.Out(4096);
  ASSERT_EQ(out.size(), 1u + 16u);
  SessionEvent event;
  for (size_t i = 1; i < out.size(); ++i) {
    const FrameHeader& h = out[i].header;
    EXPECT_EQ(event.type, Type::kNone);
    event = server->In(RawFrame(2, h.flags, h.call_id, h.block_size, h.total_size, out[i].body));
  }
  ASSERT_EQ(event.type, Type::kCall);
  EXPECT_EQ(Text(event.message), "request");
  MetadataEntries got;
  ASSERT_TRUE(ReadMetadata(event.metadata, &got));
  EXPECT_EQ(got, metadata);
}

TEST(SessionTest, AStreamInBothDirections) {
  const auto script = Script::Established();
  SessionCall* call = script->Served(1);
  EXPECT_EQ(Text(script->In(MakeFrame(FrameKind::kMessage, kWithMessage, 1, "", "one")).message), "one");
  const SessionEvent empty = script->In(MakeFrame(FrameKind::kMessage, kWithMessage, 1));
  EXPECT_EQ(empty.type, Type::kMessage);
  EXPECT_TRUE(empty.has_message);
  EXPECT_TRUE(empty.message.empty());
  ASSERT_TRUE(script->Queue(call, FrameKind::kInitialMetadata, 0, "").ok());
  ASSERT_TRUE(script->Queue(call, FrameKind::kMessage, kWithMessage, "", "reply").ok());
  EXPECT_EQ(script->In(MakeFrame(FrameKind::kHalfClose, 0, 1)).type, Type::kHalfClose);
  ASSERT_TRUE(script->Queue(call, FrameKind::kStatus, 0, "").ok());
  script->session.Release(call);  // what is queued still goes out
  EXPECT_EQ(script->session.peer_calls(), 1u) << "until its status was planned";
  EXPECT_EQ(KindsOf(script->Out()), "initial message status");
  EXPECT_EQ(script->session.peer_calls(), 0u);
  EXPECT_EQ(SessionInspector::records(script->session), 0u);
}

TEST(SessionTest, FragmentsOfCallsTakeTurns) {
  const auto script = Script::Connector();
  SessionCall* one = script->session.NewCall(script.get());
  SessionCall* two = script->session.NewCall(script.get());
  ASSERT_TRUE(script->Queue(one, FrameKind::kCall, kWithMessage, CallBlockOf("/a.B/C"), std::string(1000, '1')).ok());
  ASSERT_TRUE(script->Queue(two, FrameKind::kCall, kWithMessage, CallBlockOf("/a.B/C"), std::string(400, '2')).ok());
  std::vector<uint32_t> ids;
  std::string last[3];
  for (const WireFrame& frame : script->Out(256)) {
    ids.push_back(frame.header.call_id);
    last[frame.header.call_id] = frame.body;
  }
  EXPECT_EQ(ids, (std::vector<uint32_t>{1, 2, 1, 2, 1, 1, 1}));
  EXPECT_EQ(last[1].back(), '1');
  EXPECT_EQ(last[2].back(), '2');
}

TEST(SessionTest, FragmentsOfCallsMayComeInterleaved) {
  const auto script = Script::Established();
  const std::string block = CallBlockOf("/a.B/C");
  const uint32_t size = static_cast<uint32_t>(block.size());
  const uint8_t more = kMore | kWithMessage;
  EXPECT_EQ(script->In(RawFrame(2, more, 1, size, size + 6, block.substr(0, 5))).type, Type::kNone);
  EXPECT_EQ(script->In(RawFrame(2, more, 2, size, size + 6, block + "ab")).type, Type::kNone);
  EXPECT_EQ(script->session.peer_calls(), 2u) << "they count from their first frame on";
  EXPECT_EQ(script->In(MakeFrame(FrameKind::kPing, 0, 0, U64Block(1))).type, Type::kNone);
  EXPECT_EQ(script->In(RawFrame(2, more, 1, 0, 0, block.substr(5) + "A")).type, Type::kNone);
  size_t owned = 0;
  script->session.ForEachCall([&owned](SessionCall*) { ++owned; });
  EXPECT_EQ(owned, 0u) << "nobody has seen them";
  EXPECT_EQ(Text(script->In(RawFrame(2, kWithMessage, 2, 0, 0, "cdef")).message), "abcdef");
  const SessionEvent event = script->In(RawFrame(2, kWithMessage, 1, 0, 0, "BCDEF"));
  EXPECT_EQ(Text(event.message), "ABCDEF");
  EXPECT_EQ(event.path, "/a.B/C");
}

TEST(SessionTest, NotifyComesWithTheLastFrame) {
  const auto script = Script::Connector();
  SessionCall* call = script->Call(0);
  auto unit = MakeUnit(FrameKind::kMessage, kWithMessage, "", std::string(500, 'x'));
  unit->notify = true;
  ASSERT_TRUE(script->session.Enqueue(call, std::move(unit)).ok());
  ASSERT_TRUE(script->session.Queued(*call));
  script->Out(256, 1);
  EXPECT_FALSE(script->last_plan.notify);
  EXPECT_EQ(script->last_plan.call, call);
  EXPECT_FALSE(script->session.CanSend(*call, FrameKind::kHalfClose)) << "the message is not wholly out";
  script->Out(256);
  EXPECT_TRUE(script->last_plan.notify);
  EXPECT_FALSE(script->session.Queued(*call));
  EXPECT_TRUE(script->session.CanSend(*call, FrameKind::kHalfClose));
}

TEST(SessionTest, APlanThatIsNotCarriedOutChangesNothing) {
  const auto script = Script::Connector();
  SessionCall* call = script->session.NewCall(script.get());
  ASSERT_TRUE(script->Queue(call, FrameKind::kCall, kWithMessage, CallBlockOf("/a.B/C"), std::string(900, 'x')).ok());
  FramePlan first, second;
  ASSERT_TRUE(script->session.Plan(256, &first));
  ASSERT_TRUE(script->session.Plan(4096, &second));
  EXPECT_EQ(call->id(), 0u);
  EXPECT_FALSE(first.last);
  EXPECT_TRUE(second.last);
}

// ---- ids

TEST(SessionTest, IdsWrapSkipZeroAndLiveCalls) {
  SessionOptions options;
  options.first_call_id = 0x7ffffffe;
  for (const bool connector : {true, false}) {
    options.connector = connector;
    const auto script = Script::Established(options);
    const uint32_t bit = connector ? 0 : kServed;
    std::vector<uint32_t> ids;
    for (int i = 0; i < 4; ++i) ids.push_back(script->Call()->id());
    EXPECT_EQ(ids, (std::vector<uint32_t>{bit | 0x7ffffffe, bit | 0x7fffffff, bit | 1, bit | 2}));
  }
}

TEST(SessionTest, ALiveIdIsSkippedAtTheWrap) {
  SessionOptions options;
  options.first_call_id = 1;
  const auto script = Script::Connector(options);
  SessionCall* old = script->Call();
  ASSERT_EQ(old->id(), 1u);
  SessionInspector::SetNextSequence(&script->session, (uint64_t{1} << 31) - 1);
  EXPECT_EQ(script->Call()->id(), 0x7fffffffu);
  EXPECT_EQ(script->Call()->id(), 2u) << "0 is nobody's, 1 is live";
}

// ---- cancellation at each stage

TEST(SessionTest, CancelBeforeAnythingWentOutSendsNothing) {
  SessionOptions options;
  options.connector = true;
  Script script(options);
  SessionCall* call = script.session.NewCall(&script);
  ASSERT_TRUE(script.Queue(call, FrameKind::kCall, kWithMessage, CallBlockOf("/a.B/C"), "x").ok());
  script.session.Release(call);
  EXPECT_EQ(KindsOf(script.Out()), "hello");
  EXPECT_EQ(SessionInspector::pending_bytes(script.session), 0u);
  EXPECT_EQ(SessionInspector::records(script.session), 0u);
}

TEST(SessionTest, CancelInTheMiddleOfTheCallsFragments) {
  const auto client = Script::Connector();
  SessionCall* call = client->session.NewCall(client.get());
  ASSERT_TRUE(client->Queue(call, FrameKind::kCall, kWithMessage, CallBlockOf("/a.B/C"), std::string(900, 'x')).ok());
  const std::vector<WireFrame> first = client->Out(256, 1);
  ASSERT_EQ(KindsOf(first), "call+");
  client->session.Cancel(call);
  EXPECT_TRUE(call->over());
  ASSERT_EQ(KindsOf(client->Out(256)), "cancel") << "the rest is dropped";
  EXPECT_EQ(client->session.own_calls(), 0u);

  const auto server = Script::Established();  // answers by itself: nobody has seen the call
  const FrameHeader& h = first[0].header;
  EXPECT_EQ(server->In(RawFrame(2, h.flags, 1, h.block_size, h.total_size, first[0].body)).type, Type::kNone);
  EXPECT_EQ(server->In(MakeFrame(FrameKind::kCancel, 0, 1)).type, Type::kNone);
  const std::vector<WireFrame> answer = server->Out();
  ASSERT_EQ(KindsOf(answer), "status");
  EXPECT_EQ(answer[0].header.flags, kNotStarted);
  EXPECT_EQ(server->session.peer_calls(), 0u);
  EXPECT_EQ(client->In(MakeFrame(FrameKind::kStatus, kNotStarted, 1, answer[0].body)).type, Type::kNone);
  client->session.Release(call);
  EXPECT_EQ(SessionInspector::records(client->session), 0u);
}

TEST(SessionTest, ACancelledCallGivesNoEventsAndKeepsItsPlace) {
  HelloBlock hello = UsualHello();
  hello.max_concurrent_calls = 1;
  const auto script = Script::Connector({}, hello);
  SessionCall* call = script->Call(0);
  SessionCall* waits = script->session.NewCall(script.get());
  ASSERT_TRUE(script->Queue(waits, FrameKind::kCall, kWithMessage, CallBlockOf("/a.B/C")).ok());
  script->session.Cancel(call);
  script->session.Cancel(call);  // once is enough
  EXPECT_EQ(KindsOf(script->Out()), "cancel");
  EXPECT_EQ(script->In(MakeFrame(FrameKind::kInitialMetadata, 0, 1)).type, Type::kNone);
  EXPECT_EQ(script->In(MakeFrame(FrameKind::kMessage, kWithMessage, 1, "", "late")).type, Type::kNone);
  EXPECT_EQ(script->In(RawFrame(4, kMore | kWithMessage, 1, 0, 9, "12345")).type, Type::kNone);
  EXPECT_EQ(script->In(MakeFrame(FrameKind::kCredit, 0, 1, U64Block(1 << 20))).type, Type::kNone);
  EXPECT_FALSE(script->session.HasOutput()) << "its place is still taken";
  EXPECT_EQ(script->In(MakeFrame(FrameKind::kStatus, 0, 1)).type, Type::kNone);
  EXPECT_EQ(KindsOf(script->Out()), "call");
  EXPECT_EQ(waits->id(), 2u);
  EXPECT_TRUE(script->Queue(call, FrameKind::kMessage, kWithMessage, "", "dropped").ok());
  EXPECT_FALSE(script->session.HasOutput());
}

TEST(SessionTest, TheServingSideOfACancel) {
  const auto script = Script::Established();
  SessionCall* call = script->Served(1);
  ASSERT_TRUE(script->Queue(call, FrameKind::kMessage, kWithMessage, "", std::string(1000, 'x')).ok());
  EXPECT_EQ(KindsOf(script->Out(256, 1)), "message+");
  const SessionEvent event = script->In(MakeFrame(FrameKind::kCancel, 0, 1));
  EXPECT_EQ(event.type, Type::kCancel);
  EXPECT_EQ(event.call, call);
  EXPECT_TRUE(call->cancelled());
  EXPECT_FALSE(script->session.HasOutput()) << "the rest of the message is dropped";
  EXPECT_FALSE(script->session.CanSend(*call, FrameKind::kMessage));
  EXPECT_TRUE(script->Queue(call, FrameKind::kMessage, kWithMessage, "", "dropped").ok());
  EXPECT_EQ(script->In(MakeFrame(FrameKind::kCancel, 0, 1)).type, Type::kNone) << "a second one says nothing new";
  EXPECT_EQ(script->session.peer_calls(), 1u) << "its status is owed";
  EXPECT_TRUE(script->session.CanSend(*call, FrameKind::kStatus));
  ASSERT_TRUE(script->Queue(call, FrameKind::kStatus, 0, StatusBlockOf(absl::CancelledError())).ok());
  EXPECT_EQ(KindsOf(script->Out()), "status");
  EXPECT_EQ(script->session.peer_calls(), 0u);
}

TEST(SessionTest, AStatusEndsAMessageInItsMiddle) {
  const auto script = Script::Connector();
  SessionCall* call = script->Call(0);
  ASSERT_TRUE(script->Queue(call, FrameKind::kMessage, kWithMessage, "", "not wanted any more").ok());
  EXPECT_EQ(script->In(RawFrame(4, kMore | kWithMessage, 1, 0, 9, "12345")).type, Type::kNone);
  const SessionEvent event = script->In(MakeFrame(FrameKind::kStatus, 0, 1, StatusBlockOf(absl::AbortedError("x"))));
  EXPECT_EQ(event.type, Type::kStatus);
  EXPECT_EQ(event.status, absl::AbortedError("x"));
  EXPECT_FALSE(script->session.HasOutput());
  EXPECT_EQ(script->In(RawFrame(4, kWithMessage, 1, 0, 0, "6789")).type, Type::kNone) << "of a call that is over";
}

TEST(SessionTest, AMessageBeingAssembledIsDroppedWithItsOwner) {
  const auto script = Script::Established();
  SessionCall* call = script->Served(1);
  EXPECT_EQ(script->In(RawFrame(4, kMore | kWithMessage, 1, 0, 9, "12345")).type, Type::kNone);
  ASSERT_TRUE(script->Queue(call, FrameKind::kStatus, 0, "").ok());
  script->session.Release(call);
  EXPECT_EQ(script->In(RawFrame(4, kWithMessage, 1, 0, 0, "6789")).type, Type::kNone);
  EXPECT_EQ(script->In(MakeFrame(FrameKind::kHalfClose, 0, 1)).type, Type::kNone);
  EXPECT_EQ(KindsOf(script->Out()), "status");
}

TEST(SessionTest, FramesOfCallsThatAreOverAreIgnored) {
  const auto script = Script::Connector();
  for (const std::string& frame :
       {MakeFrame(FrameKind::kStatus, 0, 5), MakeFrame(FrameKind::kInitialMetadata, 0, 5),
        MakeFrame(FrameKind::kMessage, kWithMessage, 5, "", "x"), MakeFrame(FrameKind::kCredit, 0, 5, U64Block(1)),
        RawFrame(4, kMore | kWithMessage, 5, 0, 0, "continued"), MakeFrame(FrameKind::kCancel, 0, kServed | 5),
        MakeFrame(FrameKind::kHalfClose, 0, kServed | 5), RawFrame(2, kWithMessage, kServed | 5, 0, 0, "continued")}) {
    EXPECT_EQ(script->In(frame).type, Type::kNone);
  }
  EXPECT_FALSE(script->session.HasOutput());
}

TEST(SessionTest, UnknownSkippableKindsAreSkipped) {
  const auto script = Script::Connector();
  EXPECT_EQ(script->In(RawFrame(0x80 | 11, 0xff, 77, 1, 2, "whatever")).type, Type::kNone);
  std::string odd = RawFrame(0xff, 0, 0, UINT32_MAX, 0, "");
  odd[2] = 1;
  EXPECT_EQ(script->In(odd).type, Type::kNone);
  EXPECT_EQ(script->In(MakeFrame(FrameKind::kPing, kAck, 0, U64Block(7))).value, 7u);
}

// ---- deadlines, pings

TEST(SessionTest, DeadlinesAreConvertedWhereTheClocksDiffer) {
  struct Case {
    int64_t now, clock, sent, expected;
  };
  constexpr int64_t kSecond = 1'000'000'000;
  for (const Case& c :
       std::vector<Case>{{10 * kSecond, 10 * kSecond - 5, 77, 77},              // the same clock, a little later
                         {10 * kSecond, 11 * kSecond - 1, 77, 77},              // within the time of a handshake
                         {100 * kSecond, 10 * kSecond, 77, 90 * kSecond + 77},  // another time namespace
                         {10 * kSecond, 100 * kSecond, 77, 77 - 90 * kSecond},
                         {100 * kSecond, 10 * kSecond, INT64_MAX, INT64_MAX},      // none
                         {100 * kSecond, 10 * kSecond, INT64_MAX - 1, INT64_MAX},  // saturates
                         {10 * kSecond, 100 * kSecond, INT64_MIN, INT64_MIN},
                         {10 * kSecond, INT64_MIN, -1, INT64_MAX - 1}}) {  // nonsense stays without overflow
    Script script;
    HelloBlock hello = UsualHello();
    hello.clock_ns = c.clock;
    ASSERT_EQ(script.In(HelloFrame(hello), c.now).type, Type::kHello);
    const SessionEvent event = script.In(MakeFrame(FrameKind::kCall, 0, 1, CallBlockOf("/a.B/C", c.sent)));
    EXPECT_EQ(event.deadline_ns, c.expected) << "now " << c.now << " clock " << c.clock << " sent " << c.sent;
  }
}

TEST(SessionTest, PingsMergeAndAreAnswered) {
  const auto script = Script::Connector();
  for (uint64_t value = 1; value <= 1000; ++value) {
    EXPECT_EQ(script->In(MakeFrame(FrameKind::kPing, 0, 0, U64Block(value))).type, Type::kNone);
  }
  script->session.Ping(5);
  script->session.Ping(6);
  const std::vector<WireFrame> out = script->Out();
  ASSERT_EQ(KindsOf(out), "ping ping");
  EXPECT_EQ(out[0].header.flags, kAck);
  EXPECT_EQ(out[0].body, U64Block(1000));
  EXPECT_EQ(out[1].header.flags, 0);
  EXPECT_EQ(out[1].body, U64Block(6));
  const SessionEvent event = script->In(MakeFrame(FrameKind::kPing, kAck, 0, U64Block(6)));
  EXPECT_EQ(event.type, Type::kPong);
  EXPECT_EQ(event.value, 6u);
}

// ---- drain

TEST(SessionTest, ADrainGivesBackWhatWillNotBeServed) {
  HelloBlock hello = UsualHello();
  hello.max_concurrent_calls = 3;
  for (const uint32_t first : {1u, 0x7ffffffeu}) {  // also across the wrap
    SessionOptions options;
    options.first_call_id = first;
    const auto script = Script::Connector(options, hello);
    SessionCall* served = script->Call();
    SessionCall* late = script->Call();
    SessionCall* later = script->Call();
    SessionCall* home = script->session.NewCall(script.get());
    ASSERT_TRUE(script->Queue(home, FrameKind::kCall, kWithMessage, CallBlockOf("/a.B/C")).ok());
    std::string block;
    AppendDrain(served->id(), "going home", &block);
    const SessionEvent event = script->In(MakeFrame(FrameKind::kDrain, 0, 0, block));
    ASSERT_EQ(event.type, Type::kDrain);
    EXPECT_EQ(event.status, absl::UnavailableError("going home"));
    EXPECT_TRUE(script->session.draining());
    EXPECT_EQ(script->In(MakeFrame(FrameKind::kDrain, 0, 0, block)).type, Type::kDrain) << "once more changes nothing";
    EXPECT_EQ(script->session.TakeNotStarted(), (std::vector<SessionCall*>{late, later, home}));
    EXPECT_TRUE(script->session.TakeNotStarted().empty());
    EXPECT_TRUE(late->over());
    EXPECT_TRUE(home->over());
    EXPECT_FALSE(served->over());
    EXPECT_EQ(script->session.own_calls(), 1u);
    EXPECT_FALSE(script->session.HasOutput());
    EXPECT_EQ(script->In(MakeFrame(FrameKind::kStatus, kNotStarted, late->id())).type, Type::kNone);
    EXPECT_EQ(script->In(MakeFrame(FrameKind::kStatus, 0, served->id())).call, served);
    for (SessionCall* call : {served, late, later, home}) script->session.Release(call);
    EXPECT_EQ(SessionInspector::records(script->session), 0u);
  }
}

TEST(SessionTest, ADrainBeforeAnyCallWasServed) {
  const auto script = Script::Connector();
  SessionCall* call = script->Call();
  std::string block;
  AppendDrain(0, "", &block);
  script->In(MakeFrame(FrameKind::kDrain, 0, 0, block));
  EXPECT_EQ(script->session.TakeNotStarted(), std::vector<SessionCall*>{call});
}

TEST(SessionTest, ADrainingSideRefusesNewCallsAndServesTheOthers) {
  const auto script = Script::Established();
  const std::string block = CallBlockOf("/a.B/C");
  const uint32_t size = static_cast<uint32_t>(block.size());
  EXPECT_EQ(script->In(RawFrame(2, kMore, 7, size, size, block.substr(0, 9))).type, Type::kNone);
  script->session.StartDrain("maintenance");
  script->session.StartDrain("again");
  EXPECT_EQ(script->In(MakeFrame(FrameKind::kCall, 0, 8, block)).type, Type::kNone);
  const std::vector<WireFrame> out = script->Out();
  ASSERT_EQ(KindsOf(out), "drain status");
  uint32_t last;
  absl::string_view why;
  ASSERT_TRUE(ReadDrain(out[0].block(), &last, &why));
  EXPECT_EQ(last, 7u) << "its first frame was taken";
  EXPECT_EQ(why, "maintenance");
  EXPECT_EQ(out[1].header.call_id, 8u);
  EXPECT_EQ(out[1].header.flags, kNotStarted);
  EXPECT_EQ(script->In(RawFrame(2, 0, 7, 0, 0, block.substr(9))).type, Type::kCall);
}

}  // namespace
}  // namespace nearcall::internal
