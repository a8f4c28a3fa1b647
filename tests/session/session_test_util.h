// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// A script for one session: frames made by hand go in, what it plans comes out as values that compare and print.
#ifndef NEARCALL_TESTS_SESSION_SESSION_TEST_UTIL_H_
#define NEARCALL_TESTS_SESSION_SESSION_TEST_UTIL_H_

#include <gtest/gtest.h>

#include <cstring>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "nearcall/rpc/session/session.h"
#include "nearcall/rpc/wire/blocks.h"
#include "nearcall/tests/session/session_inspector.h"

namespace nearcall::internal {

inline constexpr uint32_t kServed = 0x80000000;  // the bit of ids that the accepting side began

// A frame as it stands on the wire, taken apart.
struct WireFrame {
  FrameHeader header;
  std::string body;
  absl::Span<const char> block() const { return {body.data(), std::min<size_t>(header.block_size, body.size())}; }
  std::string message() const { return body.substr(std::min<size_t>(header.block_size, body.size())); }
};

// A whole unit in one frame.
inline std::string MakeFrame(FrameKind kind, uint8_t flags, uint32_t id, const std::string& block = "",
                             const std::string& message = "") {
  FrameHeader header;
  header.kind = kind;
  header.flags = flags;
  header.call_id = id;
  header.block_size = static_cast<uint32_t>(block.size());
  header.total_size = static_cast<uint32_t>(block.size() + message.size());
  std::string frame(kFrameHeaderSize, '\0');
  EncodeFrameHeader(header, frame.data());
  return frame + block + message;
}

// One with lengths of the test's own.
inline std::string RawFrame(uint8_t kind, uint8_t flags, uint32_t id, uint32_t block_size, uint32_t total_size,
                            const std::string& body) {
  FrameHeader header;
  header.kind = static_cast<FrameKind>(kind);
  header.flags = flags;
  header.call_id = id;
  header.block_size = block_size;
  header.total_size = total_size;
  std::string frame(kFrameHeaderSize, '\0');
  EncodeFrameHeader(header, frame.data());
  return frame + body;
}

inline std::string HelloFrame(const HelloBlock& hello) {
  std::string block;
  AppendHello(hello, &block);
  return MakeFrame(FrameKind::kHello, 0, 0, block);
}
inline HelloBlock UsualHello() {
  HelloBlock hello;
  hello.max_concurrent_calls = 1000;
  hello.initial_credit = 256 << 10;
  hello.max_message = 4 << 20;
  hello.clock_ns = 0;
  return hello;
}
inline std::string CallBlockOf(absl::string_view path, int64_t deadline_ns = INT64_MAX,
                               const MetadataEntries& metadata = {}) {
  std::string block;
  AppendCall(path, deadline_ns, metadata, &block);
  return block;
}
inline std::string StatusBlockOf(const absl::Status& status, const MetadataEntries& trailing = {}) {
  std::string block;
  AppendStatus(status, trailing, &block);
  return block;
}
inline std::string U64Block(uint64_t value) {
  std::string block;
  AppendU64(value, &block);
  return block;
}

inline std::unique_ptr<Unit> MakeUnit(FrameKind kind, uint8_t flags, const std::string& block,
                                      const std::string& message = "") {
  auto unit = std::make_unique<Unit>();
  unit->kind = kind;
  unit->flags = flags;
  unit->block = block;
  unit->owned = Bytes(message.size());
  if (!message.empty()) std::memcpy(unit->owned.data(), message.data(), message.size());
  unit->message = unit->owned.span();
  return unit;
}

class Script {
 public:
  explicit Script(const SessionOptions& options = {}) : session(options) {}
  // With hellos over: what this side planned is thrown away.
  static std::unique_ptr<Script> Established(SessionOptions options = {}, const HelloBlock& hello = UsualHello()) {
    auto script = std::make_unique<Script>(options);
    EXPECT_EQ(script->In(HelloFrame(hello)).type, SessionEvent::Type::kHello);
    script->Out();
    return script;
  }
  static std::unique_ptr<Script> Connector(SessionOptions options = {}, const HelloBlock& hello = UsualHello()) {
    options.connector = true;
    return Established(options, hello);
  }

  // The frame's memory is kept, for the event's views.
  SessionEvent In(const std::string& frame, int64_t now_ns = 0) {
    last_frame_ = std::make_unique<std::string>(frame);
    SessionEvent event = session.Consume(absl::MakeConstSpan(last_frame_->data(), last_frame_->size()), now_ns);
    EXPECT_EQ(SessionInspector::Check(session), "");
    return event;
  }
  std::vector<WireFrame> Out(size_t max_frame = 4096, size_t count = SIZE_MAX) {
    std::vector<WireFrame> frames;
    FramePlan plan;
    while (frames.size() < count && session.Plan(max_frame, &plan)) {
      EXPECT_LE(plan.size(), max_frame);
      WireFrame frame;
      EXPECT_TRUE(DecodeFrameHeader(plan.header, &frame.header));
      if (!plan.block.empty()) frame.body.append(plan.block.data(), plan.block.size());
      if (!plan.message.empty()) frame.body.append(plan.message.data(), plan.message.size());
      last_plan = plan;
      session.Planned(plan);
      EXPECT_EQ(SessionInspector::Check(session), "");
      frames.push_back(std::move(frame));
    }
    return frames;
  }
  // A call of ours whose kCall went out directly.
  SessionCall* Call(uint8_t flags = kWithMessage, void* owner = nullptr) {
    SessionCall* call = session.NewCall(owner == nullptr ? this : owner);
    EXPECT_TRUE(session.CanSend(*call, FrameKind::kCall));
    char header[kFrameHeaderSize];
    session.Sent(call, {FrameKind::kCall, flags}, 20, 0, header);
    return call;
  }
  // A call of the peer's.
  SessionCall* Served(uint32_t id, uint8_t flags = 0) {
    SessionEvent event = In(MakeFrame(FrameKind::kCall, flags, id, CallBlockOf("/a.B/C")));
    EXPECT_EQ(event.type, SessionEvent::Type::kCall) << event.status;
    if (event.call != nullptr) event.call->set_owner(this);
    return event.call;
  }
  absl::Status Queue(SessionCall* call, FrameKind kind, uint8_t flags, const std::string& block,
                     const std::string& message = "") {
    return session.Enqueue(call, MakeUnit(kind, flags, block, message));
  }

  Session session;
  FramePlan last_plan;

 private:
  std::unique_ptr<std::string> last_frame_;
};

inline std::string KindsOf(const std::vector<WireFrame>& frames) {
  static constexpr const char* kNames[] = {"?",      "hello",  "call",   "initial", "message", "half-close",
                                           "status", "cancel", "credit", "ping",    "drain"};
  std::string text;
  for (const WireFrame& frame : frames) {
    const size_t kind = static_cast<size_t>(frame.header.kind);
    absl::StrAppend(&text, text.empty() ? "" : " ", kind < 11 ? kNames[kind] : "?",
                    (frame.header.flags & kMore) != 0 ? "+" : "");
  }
  return text;
}

}  // namespace nearcall::internal

#endif  // NEARCALL_TESTS_SESSION_SESSION_TEST_UTIL_H_
