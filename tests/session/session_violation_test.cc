// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// Every way to break the protocol, as a table: what comes in, and the text that names it. Whatever it is, it ends the
// connection once, tells the peer once, and leaves nothing behind.
#include <gtest/gtest.h>

#include "nearcall/tests/session/session_test_util.h"

namespace nearcall::internal {
namespace {

using Type = SessionEvent::Type;

struct Violation {
  const char* name;
  bool connector;                   // the session under test
  std::vector<std::string> before;  // frames that are good, after hello
  std::string frame;                // the one that is not
  std::string text;                 // in the status
};

const std::string kPath = CallBlockOf("/a.B/C");

std::string Call(uint32_t id, uint8_t flags = 0) { return MakeFrame(FrameKind::kCall, flags, id, kPath); }
std::string Text(int kind, const char* name, uint32_t id, const char* what) {
  return absl::StrCat("protocol violation in a frame of kind ", kind, " (", name, ") for call ", id, ": ", what);
}
std::string LongCall(uint32_t id, uint32_t total) {  // a first fragment with 30 bytes
  return RawFrame(2, kMore | kWithMessage, id, static_cast<uint32_t>(kPath.size()), total,
                  kPath + std::string(30 - kPath.size(), 'x'));
}

std::vector<Violation> Violations() {
  std::string bad_metadata = kPath;
  bad_metadata[12] = 9;  // metadata of 9 bytes, which are not there
  std::string torn_pair = kPath + std::string(9, '\x01');
  torn_pair[12] = 9;  // metadata of 9 bytes that announce 16 MiB
  std::string reserved = Call(1);
  reserved[2] = 1;
  std::string drain;
  AppendDrain(kServed | 7, "", &drain);
  return {
      {"empty frame", false, {}, "", "a frame of 0 bytes is shorter than the header of 16"},
      {"short frame", false, {}, std::string(15, '\x02'), "a frame of 15 bytes is shorter than the header of 16"},
      {"reserved bytes", false, {}, reserved, Text(2, "call", 1, "the reserved bytes are not 0")},
      {"kind 0", false, {}, RawFrame(0, 0, 1, 0, 0, ""), "the kind is unknown and not skippable"},
      {"kind 11", false, {}, RawFrame(11, 0, 1, 0, 0, ""), Text(11, "unknown", 1, "the kind is unknown")},
      {"kind 127", false, {}, RawFrame(127, 0, 1, 0, 0, ""), "the kind is unknown and not skippable"},
      {"second hello", false, {}, HelloFrame(UsualHello()), Text(1, "hello", 0, "a second hello")},
      {"hello of a call", false, {}, RawFrame(1, 0, 3, 0, 0, ""), "the kind belongs to the connection"},
      {"call 0", false, {}, Call(0), Text(2, "call", 0, "call id 0 belongs to the connection")},
      {"message of call 0", false, {}, MakeFrame(FrameKind::kMessage, kWithMessage, 0), "call id 0 belongs"},
      {"ping of a call", false, {}, MakeFrame(FrameKind::kPing, 0, 1, U64Block(1)), "its call id is 0"},
      {"drain of a call", true, {}, RawFrame(10, 0, 1, 0, 0, ""), "its call id is 0"},
      {"ping cut short", false, {}, MakeFrame(FrameKind::kPing, 0, 0, "1234567"), "the block is cut short"},
      {"ping in fragments", false, {}, RawFrame(9, kMore, 0, 8, 8, "1234"), "flags 1 do not fit the kind"},
      {"drain cut short", true, {}, MakeFrame(FrameKind::kDrain, 0, 0, "1234567"), "the block is cut short"},
      {"drain of the other's calls",
       true,
       {},
       MakeFrame(FrameKind::kDrain, 0, 0, drain),
       "the last call, 2147483655, is not one of the receiver's"},
      {"flags of a call", false, {}, Call(1, kNotStarted), Text(2, "call", 1, "flags 2 do not fit the kind")},
      {"unknown flags", false, {}, Call(1, 0x40), "flags 64 do not fit the kind"},
      {"message without its flag", false, {Call(1)}, MakeFrame(FrameKind::kMessage, 0, 1), "flags 0 do not fit"},
      {"not started with a reply",
       true,
       {},
       MakeFrame(FrameKind::kStatus, kNotStarted | kWithMessage, 1),
       "flags 6 do not fit the kind"},
      {"call id of the receiver's", false, {}, Call(kServed | 1), "sent by the wrong side of the call"},
      {"call from the acceptor with the connector's id", true, {}, Call(1), "sent by the wrong side of the call"},
      {"call id in use", false, {Call(1)}, Call(1), Text(2, "call", 1, "the call id is in use")},
      {"status from the caller", false, {Call(1)}, MakeFrame(FrameKind::kStatus, 0, 1), "sent by the wrong side"},
      {"initial metadata from the caller", false, {}, MakeFrame(FrameKind::kInitialMetadata, 0, 1), "wrong side"},
      {"half-close from the server", true, {}, MakeFrame(FrameKind::kHalfClose, 0, 1), "sent by the wrong side"},
      {"cancel from the server", true, {}, MakeFrame(FrameKind::kCancel, 0, 1), "sent by the wrong side"},
      {"block over the limit",
       false,
       {},
       RawFrame(2, kMore, 1, 131073, 131073, "x"),
       "a header block of 131073 bytes, over the limit of 131072"},
      {"block of 4 GiB",
       false,
       {},
       RawFrame(2, kMore, 1, UINT32_MAX, UINT32_MAX, "x"),
       "a header block of 4294967295 bytes, over the limit of 131072"},
      {"block longer than all",
       false,
       {},
       RawFrame(2, kWithMessage, 1, 30, 29, std::string(29, 'x')),
       "a header block of 30 bytes in a unit of 29"},
      {"message without flag",
       false,
       {},
       RawFrame(2, 0, 1, 10, 20, std::string(20, 'x')),
       "a message of 10 bytes without the flag for one"},
      {"body too long",
       false,
       {},
       RawFrame(2, kWithMessage, 1, 10, 20, std::string(21, 'x')),
       "a body of 21 bytes does not fit a unit of 20"},
      {"body too short",
       false,
       {},
       RawFrame(2, kWithMessage, 1, 10, UINT32_MAX, std::string(20, 'x')),
       "a body of 20 bytes does not fit a unit of 4294967295"},
      {"nothing more",
       false,
       {},
       RawFrame(2, kMore | kWithMessage, 1, 10, 20, std::string(20, 'x')),
       "a body of 20 bytes does not fit a unit of 20"},
      {"empty first fragment", false, {}, RawFrame(2, kMore | kWithMessage, 1, 10, 20, ""), "a body of 0 bytes"},
      {"bad frame of no call", false, {}, RawFrame(4, kWithMessage, 9, 0, 5, "x"), "a body of 1 bytes"},
      {"empty continuation",
       false,
       {LongCall(1, 100)},
       RawFrame(2, kMore | kWithMessage, 1, 0, 0, ""),
       "a continuation of 0 bytes where 70 are missing"},
      {"continuation with lengths",
       false,
       {LongCall(1, 100)},
       RawFrame(2, kMore | kWithMessage, 1, 10, 20, std::string(20, 'x')),
       "a continuation whose lengths or flags"},
      {"continuation with other flags",
       false,
       {LongCall(1, 100)},
       RawFrame(2, 0, 1, 0, 0, std::string(70, 'x')),
       "a continuation whose lengths or flags do not fit"},
      {"continuation too long",
       false,
       {LongCall(1, 100)},
       RawFrame(2, kWithMessage, 1, 0, 0, std::string(71, 'x')),
       "a continuation of 71 bytes where 70 are missing"},
      {"continuation too short",
       false,
       {LongCall(1, 100)},
       RawFrame(2, kWithMessage, 1, 0, 0, std::string(69, 'x')),
       "a continuation of 69 bytes where 70 are missing"},
      {"continuation without end",
       false,
       {LongCall(1, 100)},
       RawFrame(2, kMore | kWithMessage, 1, 0, 0, std::string(70, 'x')),
       "a continuation of 70 bytes where 70"},
      {"message into an unfinished call",
       false,
       {LongCall(1, 100)},
       MakeFrame(FrameKind::kMessage, kWithMessage, 1),
       "before the rest of the call's unfinished unit"},
      {"half-close in a message",
       false,
       {Call(1), RawFrame(4, kMore | kWithMessage, 1, 0, 9, "12345")},
       MakeFrame(FrameKind::kHalfClose, 0, 1),
       "before the rest of the call's unfinished unit"},
      {"call block cut short",
       false,
       {},
       MakeFrame(FrameKind::kCall, 0, 1, std::string(15, '\0')),
       "the block is cut short or malformed"},
      {"call without path", false, {}, MakeFrame(FrameKind::kCall, 0, 1, CallBlockOf("")), "cut short or malformed"},
      {"metadata cut short", false, {}, MakeFrame(FrameKind::kCall, 0, 1, bad_metadata), "cut short or malformed"},
      {"metadata pair cut short", false, {}, MakeFrame(FrameKind::kCall, 0, 1, torn_pair), "cut short or malformed"},
      {"second half-close",
       false,
       {Call(1), MakeFrame(FrameKind::kHalfClose, 0, 1)},
       MakeFrame(FrameKind::kHalfClose, 0, 1),
       Text(5, "half-close", 1, "a second half-close")},
      {"half-close of a unary call",
       false,
       {Call(1, kWithMessage)},
       MakeFrame(FrameKind::kHalfClose, 0, 1),
       "a second half-close"},
      {"message after half-close",
       false,
       {Call(1), MakeFrame(FrameKind::kHalfClose, 0, 1)},
       MakeFrame(FrameKind::kMessage, kWithMessage, 1),
       "a message after the half-close"},
      {"message without credit",
       false,
       {Call(1), MakeFrame(FrameKind::kMessage, kWithMessage, 1, "", std::string(300'000, 'x'))},
       MakeFrame(FrameKind::kMessage, kWithMessage, 1),
       Text(4, "message", 1, "a message without credit")},
      {"credit cut short", false, {Call(1)}, MakeFrame(FrameKind::kCredit, 0, 1, "1234567"), "the block is cut short"},
      {"credit without bounds",
       false,
       {Call(1)},
       MakeFrame(FrameKind::kCredit, 0, 1, U64Block(UINT64_MAX)),
       "18446744073709551615 bytes more of credit is beyond all bounds"},
      {"credit that adds up",
       false,
       {Call(1), MakeFrame(FrameKind::kCredit, 0, 1, U64Block(uint64_t{1} << 61))},
       MakeFrame(FrameKind::kCredit, 0, 1, U64Block(uint64_t{1} << 62)),
       "beyond all bounds"},
  };
}

TEST(SessionViolationTest, EachIsNamedEndsOnceAndTellsThePeerOnce) {
  for (const Violation& violation : Violations()) {
    SCOPED_TRACE(violation.name);
    const auto script = violation.connector ? Script::Connector() : Script::Established();
    for (const std::string& frame : violation.before) {
      SessionEvent event = script->In(frame);
      ASSERT_NE(event.type, Type::kViolation) << event.status;
      if (event.type == Type::kCall) event.call->set_owner(script.get());
    }
    const SessionEvent event = script->In(violation.frame);
    ASSERT_EQ(event.type, Type::kViolation);
    EXPECT_EQ(event.status.code(), absl::StatusCode::kInternal);
    EXPECT_NE(event.status.message().find(violation.text), absl::string_view::npos) << event.status;
    EXPECT_EQ(event.call, nullptr);

    EXPECT_EQ(script->In(violation.frame).type, Type::kNone) << "only the first is told";
    EXPECT_EQ(script->In(Call(99)).type, Type::kNone) << "nothing is listened to any more";
    const std::vector<WireFrame> farewell = script->Out();
    ASSERT_EQ(KindsOf(farewell), "status");
    EXPECT_EQ(farewell[0].header.call_id, 0u);
    absl::Status status;
    absl::Span<const char> trailing;
    ASSERT_TRUE(ReadStatus(farewell[0].block(), &status, &trailing));
    EXPECT_EQ(status, event.status);
    EXPECT_FALSE(script->session.HasOutput());
    script->session.ForEachCall([&](SessionCall* call) {
      EXPECT_EQ(call->owner(), script.get());
      script->session.Release(call);
    });
  }
}

// What only a caller can see, of a call that it has begun: ids come from the session.
TEST(SessionViolationTest, OfTheServingSide) {
  const std::string bad_status(15, '\0');
  struct Case {
    std::vector<std::string> before;
    std::string frame, text;
  };
  const std::vector<Case> cases = {
      {{MakeFrame(FrameKind::kInitialMetadata, 0, 1)}, MakeFrame(FrameKind::kInitialMetadata, 0, 1), "a second time"},
      {{MakeFrame(FrameKind::kMessage, kWithMessage, 1)},
       MakeFrame(FrameKind::kInitialMetadata, 0, 1),
       "or after a message"},
      {{}, MakeFrame(FrameKind::kInitialMetadata, 0, 1, "torn"), "the metadata is malformed"},
      {{}, MakeFrame(FrameKind::kStatus, 0, 1, bad_status), "the status is malformed"},
      {{}, MakeFrame(FrameKind::kCall, 0, 1, kPath), "sent by the wrong side of the call"},
      {{RawFrame(4, kMore | kWithMessage, 1, 0, 9, "12345")},
       MakeFrame(FrameKind::kInitialMetadata, 0, 1),
       "unfinished unit"},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.text);
    const auto script = Script::Connector();
    SessionCall* call = script->Call();
    ASSERT_EQ(call->id(), 1u);
    for (const std::string& frame : c.before) ASSERT_NE(script->In(frame).type, Type::kViolation);
    const SessionEvent event = script->In(c.frame);
    ASSERT_EQ(event.type, Type::kViolation);
    EXPECT_NE(event.status.message().find(c.text), absl::string_view::npos) << event.status;
  }
}

TEST(SessionViolationTest, TheFirstFrameIsAHello) {
  for (const std::string& frame :
       {Call(1), MakeFrame(FrameKind::kPing, 0, 0, U64Block(1)), RawFrame(0x81, 0, 0, 0, 0, ""),
        MakeFrame(FrameKind::kStatus, 0, 1), std::string("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")}) {
    Script script;
    const SessionEvent event = script.In(frame);
    ASSERT_EQ(event.type, Type::kViolation);
    EXPECT_NE(event.status.message().find("the first frame is not a hello"), absl::string_view::npos) << event.status;
  }
}

TEST(SessionViolationTest, AHelloIsChecked) {
  HelloBlock poor = UsualHello();
  poor.initial_credit = kMinimumCredit - 1;
  HelloBlock backwards = UsualHello();
  backwards.min_version = 3;
  backwards.max_version = 1;
  std::string other_magic = HelloFrame(UsualHello());
  other_magic[16] = 'N';
  std::string block;
  AppendHello(UsualHello(), &block);
  const std::vector<std::pair<std::string, std::string>> cases = {
      {HelloFrame(poor), "an initial credit of 65535, below the least, 65536"},
      {HelloFrame(backwards), "not a nearcall hello"},
      {other_magic, "not a nearcall hello"},
      {MakeFrame(FrameKind::kHello, 0, 0, block.substr(0, 39)), "the block is cut short"},
      {MakeFrame(FrameKind::kHello, 0, 0, block.substr(0, 7)), "not a nearcall hello"},
      {MakeFrame(FrameKind::kHello, 0, 0, ""), "not a nearcall hello"},
      {RawFrame(1, kMore, 0, 40, 40, block.substr(0, 20)), "flags 1 do not fit"},
  };
  for (const auto& [frame, text] : cases) {
    Script script;
    const SessionEvent event = script.In(frame);
    ASSERT_EQ(event.type, Type::kViolation);
    EXPECT_NE(event.status.message().find(text), absl::string_view::npos) << event.status;
  }
  Script later;  // a longer hello, of a version that speaks this one too, is welcome
  HelloBlock newer = UsualHello();
  newer.max_version = 9;
  std::string longer;
  AppendHello(newer, &longer);
  EXPECT_EQ(later.In(MakeFrame(FrameKind::kHello, 0, 0, longer + "more to come")).type, Type::kHello);
}

TEST(SessionViolationTest, NoVersionInCommonNamesBothAndReachesTheOtherSide) {
  HelloBlock newer = UsualHello();
  newer.min_version = 2;
  newer.max_version = 3;
  Script acceptor;
  const SessionEvent event = acceptor.In(HelloFrame(newer));
  ASSERT_EQ(event.type, Type::kViolation);
  EXPECT_EQ(event.status, absl::FailedPreconditionError("no wire version in common: the connecting side speaks 2 to 3, "
                                                        "the accepting side 1 to 1"));
  const std::vector<WireFrame> answer = acceptor.Out();
  ASSERT_EQ(KindsOf(answer), "status");  // and no hello before it
  SessionOptions options;
  options.connector = true;
  Script connector(options);
  const SessionEvent heard = connector.In(MakeFrame(FrameKind::kStatus, 0, 0, answer[0].body));
  EXPECT_EQ(heard.type, Type::kViolation);
  EXPECT_EQ(heard.status, event.status);
  EXPECT_FALSE(connector.session.HasOutput()) << "who was told does not answer";
}

TEST(SessionViolationTest, AFarewellIsNeverOk) {
  const auto script = Script::Connector();
  const SessionEvent event = script->In(MakeFrame(FrameKind::kStatus, 0, 0));
  EXPECT_EQ(event.type, Type::kViolation);
  EXPECT_EQ(event.status.code(), absl::StatusCode::kUnavailable);
  const auto other = Script::Connector();
  EXPECT_EQ(other->In(MakeFrame(FrameKind::kStatus, kWithMessage, 0, "", "x")).status.code(),
            absl::StatusCode::kInternal);
}

TEST(SessionViolationTest, RefusalsThatNobodyReadsAreBounded) {
  SessionOptions options;
  options.max_concurrent_calls = 0;
  const auto script = Script::Established(options);
  for (uint32_t id = 1; id <= kMaxRefusals; ++id) {
    const SessionEvent event = script->session.Consume(absl::MakeConstSpan(Call(id)), 0);
    ASSERT_EQ(event.type, Type::kNone);
  }
  const SessionEvent event = script->In(Call(kMaxRefusals + 1));
  ASSERT_EQ(event.type, Type::kViolation);
  EXPECT_NE(event.status.message().find("10000 refused calls wait"), absl::string_view::npos) << event.status;
}

}  // namespace
}  // namespace nearcall::internal
