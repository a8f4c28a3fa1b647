// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// What goes into a Session and comes out of it: options and limits, units and plans of frames to send, events received.
#ifndef NEARCALL_RPC_SESSION_SESSION_TYPES_H_
#define NEARCALL_RPC_SESSION_SESSION_TYPES_H_

#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "nearcall/rpc/wire/bytes.h"
#include "nearcall/rpc/wire/frame.h"

namespace nearcall::internal {

class SessionCall;

struct SessionOptions {
  bool connector = false;                   // this side connected: its calls' ids have a top bit of 0
  uint64_t max_receive_message = 4 << 20;   // bytes; a longer one is discarded, the connection lives
  uint32_t max_concurrent_calls = 1000;     // of the peer's, announced; excess comes back not-started
  uint32_t initial_credit = 256 << 10;      // announced, of each stream towards this side; at least kMinimumCredit
  uint64_t max_pending_bytes = 1ull << 30;  // in queued units; beyond: RESOURCE_EXHAUSTED
  uint32_t first_call_id = 1;               // injectable, for tests of the wrap
  int64_t now_ns = 0;                       // the clock sample of hello
};
inline constexpr uint32_t kConcurrencyBeforeHello = 100;
inline constexpr uint32_t kMinimumCredit = 64 << 10;  // what a sender may assume before the peer's hello
inline constexpr size_t kMessageCost = 16;            // credit that a message takes beyond its bytes: empty ones too
inline constexpr size_t kMaxRefusals = 10'000;        // refused calls whose status may wait to be sent
inline constexpr size_t kMinFrame = 256;              // least max_frame that Plan() can work with

// What is to be sent for a call: one header block and at most one message.
struct Unit {
  FrameKind kind = FrameKind::kMessage;
  uint8_t flags = 0;  // kWithMessage, kNotStarted
  std::string block;
  absl::Span<const char> message;  // into `owned`, or memory that its owner keeps until the unit is planned or dropped
  Bytes owned;
  bool notify = false;   // FramePlan says when its last byte is planned
  Unit* next = nullptr;  // the session's
};

struct UnitKind {
  FrameKind kind;
  uint8_t flags;
};

struct FramePlan {
  char header[kFrameHeaderSize];
  absl::Span<const char> block;  // this frame's part of it
  absl::Span<const char> message;
  SessionCall* call = nullptr;  // null: a control frame, or of a call whose owner has left
  bool last = false;            // the unit's last frame
  bool notify = false;          // last, and the unit asked for it
  size_t size() const { return kFrameHeaderSize + block.size() + message.size(); }
};

struct SessionEvent {
  enum class Type {
    kNone,             // nothing for the owner (a fragment, a control frame, a frame of a call that is over)
    kHello,            // the peer's hello: limits are in force; calls that had no credit may have some now
    kCall,             // a new call of the peer: call, path, deadline, metadata, has_message (then half-closed)
    kInitialMetadata,  // metadata
    kMessage,          // message
    kHalfClose,        // the peer sends no more messages
    kStatus,           // the call is over: status, metadata (trailing), has_message, not_started
    kCancel,           // the peer cancelled its call; its status is still owed, all else queued for it was dropped
    kWritable,         // credit has come for a call that had none
    kTooLarge,         // (serving side) a stream message over the limit was refused: finish with `status`
    kDrain,            // the peer wants no new calls (status says why); TakeNotStarted() has those it will not serve
    kPong,             // the answer to Ping(): value
    kViolation,        // status says what; close the connection
  };
  Type type = Type::kNone;
  SessionCall* call = nullptr;
  absl::string_view path;
  int64_t deadline_ns = INT64_MAX;  // local clock
  absl::Span<const char> metadata;  // encoded: ReadMetadata. Views are valid until the frame is released
  bool has_message = false;
  absl::Span<const char> message;  // into the frame, or into `assembled`
  Bytes assembled;                 // owns `message` when it came in fragments
  absl::Status status;
  bool not_started = false;
  uint64_t value = 0;
};

}  // namespace nearcall::internal

#endif  // NEARCALL_RPC_SESSION_SESSION_TYPES_H_
