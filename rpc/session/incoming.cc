// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// What comes in: each frame is checked against what its kind may look like, who may send it and what its call has seen.
// Whatever a peer sends ends in an event or a violation; no assertion here depends on it. Units are put together in
// assembly.cc.
#include <limits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/substitute.h"
#include "nearcall/rpc/session/session.h"
#include "nearcall/rpc/wire/blocks.h"

namespace nearcall::internal {
namespace {

constexpr uint16_t kVersion = 1;
constexpr int64_t kHandshakeTimeNs = 1'000'000'000;  // clocks that differ by less are the same clock
constexpr int64_t kMaxCredit = int64_t{1} << 62;

const char* NameOf(FrameKind kind) {
  switch (kind) {
    case FrameKind::kHello:
      return "hello";
    case FrameKind::kCall:
      return "call";
    case FrameKind::kInitialMetadata:
      return "initial metadata";
    case FrameKind::kMessage:
      return "message";
    case FrameKind::kHalfClose:
      return "half-close";
    case FrameKind::kStatus:
      return "status";
    case FrameKind::kCancel:
      return "cancel";
    case FrameKind::kCredit:
      return "credit";
    case FrameKind::kPing:
      return "ping";
    case FrameKind::kDrain:
      return "drain";
  }
  return "unknown";
}

constexpr uint8_t kAllowedFlags[] = {
    0,                                   // no kind
    0,                                   // hello
    kMore | kWithMessage,                // call
    kMore,                               // initial metadata
    kMore | kWithMessage,                // message
    0,                                   // half-close
    kMore | kWithMessage | kNotStarted,  // status
    0,                                   // cancel
    0,                                   // credit
    kAck,                                // ping
    0,                                   // drain
};

bool FlagsFit(FrameKind kind, uint8_t flags) {
  if ((flags & ~kAllowedFlags[static_cast<uint8_t>(kind)]) != 0) return false;
  if (kind == FrameKind::kMessage) return (flags & kWithMessage) != 0;
  return (flags & (kWithMessage | kNotStarted)) != (kWithMessage | kNotStarted);
}

int64_t SaturatingAdd(int64_t a, int64_t b) {
  int64_t sum;
  if (!__builtin_add_overflow(a, b, &sum)) return sum;
  return b > 0 ? std::numeric_limits<int64_t>::max() : std::numeric_limits<int64_t>::min();
}

int64_t SaturatingSubtract(int64_t a, int64_t b) {
  int64_t difference;
  if (!__builtin_sub_overflow(a, b, &difference)) return difference;
  return b < 0 ? std::numeric_limits<int64_t>::max() : std::numeric_limits<int64_t>::min();
}

}  // namespace

SessionEvent Session::Consume(absl::Span<const char> frame, int64_t now_ns) {
  SessionEvent event;
  ConsumeFrame(frame, now_ns, &event);
  return event;
}

bool Session::Violate(absl::Status status, SessionEvent* event, bool farewell) {
  dead_ = true;
  farewell_due_ = farewell;
  if (farewell) farewell_ = status;
  event->type = SessionEvent::Type::kViolation;
  event->call = nullptr;
  event->status = std::move(status);
  return false;
}

[[gnu::cold]] bool Session::Violate(const Incoming& in, absl::string_view what, SessionEvent* event, uint64_t number0,
                                    uint64_t number1) {
  const FrameHeader& header = in.header;
  return Violate(absl::InternalError(absl::StrCat(
                     "protocol violation in a frame of kind ", static_cast<int>(header.kind), " (", NameOf(header.kind),
                     ") for call ", header.call_id, ": ", absl::Substitute(what, number0, number1))),
                 event, /*farewell=*/true);
}

void Session::ConsumeFrame(absl::Span<const char> frame, int64_t now_ns, SessionEvent* event) {
  if (dead_) return;
  Incoming in;
  if (frame.size() < kFrameHeaderSize) {
    Violate(in, "a frame of $0 bytes is shorter than the header of $1", event, frame.size(), kFrameHeaderSize);
    return;
  }
  const bool reserved_is_zero = DecodeFrameHeader(frame.data(), &in.header);
  in.body = frame.subspan(kFrameHeaderSize);
  const FrameKind kind = in.header.kind;
  if (!hello_received_ && kind != FrameKind::kHello && !(kind == FrameKind::kStatus && in.header.call_id == 0)) {
    Violate(in, "the first frame is not a hello", event);
  } else if ((static_cast<uint8_t>(kind) & kSkippable) != 0) {
    // Whatever a later version made of it.
  } else if (!reserved_is_zero) {
    Violate(in, "the reserved bytes are not 0", event);
  } else if (kind < FrameKind::kHello || kind > FrameKind::kDrain) {
    Violate(in, "the kind is unknown and not skippable", event);
  } else if (!FlagsFit(kind, in.header.flags)) {
    Violate(in, "flags $0 do not fit the kind", event, in.header.flags);
  } else if (in.header.call_id == 0 || kind == FrameKind::kHello || kind >= FrameKind::kPing) {
    ConsumeOfConnection(in, now_ns, event);
  } else {
    ConsumeOfCall(in, event);
  }
}

// ---- frames of the connection

void Session::ConsumeOfConnection(const Incoming& in, int64_t now_ns, SessionEvent* event) {
  const FrameKind kind = in.header.kind;
  const bool of_connection = kind == FrameKind::kHello || kind == FrameKind::kPing || kind == FrameKind::kDrain;
  if (!of_connection && kind != FrameKind::kStatus) {
    Violate(in, "call id 0 belongs to the connection", event);
  } else if (in.header.call_id != 0) {
    Violate(in, "the kind belongs to the connection, its call id is 0", event);
  } else if (CheckShape(in, event)) {
    switch (kind) {
      case FrameKind::kHello:
        return ConsumeHello(in, now_ns, event);
      case FrameKind::kPing:
        return ConsumePing(in, event);
      case FrameKind::kDrain:
        return ConsumeDrain(in, event);
      default:
        return ConsumeFarewell(in, event);
    }
  }
}

void Session::ConsumeHello(const Incoming& in, int64_t now_ns, SessionEvent* event) {
  HelloBlock hello;
  if (hello_received_) {
    Violate(in, "a second hello", event);
    return;
  }
  if (!ReadHelloVersions(in.body, &hello.min_version, &hello.max_version)) {
    Violate(in, "not a nearcall hello: magic or versions are wrong", event);
    return;
  }
  if (hello.min_version > kVersion || hello.max_version < kVersion) {
    const std::string mine = absl::StrCat(kVersion, " to ", kVersion);
    const std::string theirs = absl::StrCat(hello.min_version, " to ", hello.max_version);
    Violate(absl::FailedPreconditionError(absl::StrCat("no wire version in common: the connecting side speaks ",
                                                       connector_ ? mine : theirs, ", the accepting side ",
                                                       connector_ ? theirs : mine)),
            event, /*farewell=*/true);
    return;
  }
  if (!ReadHello(in.body, &hello)) {
    Violate(in, "the block is cut short", event);
    return;
  }
  if (hello.initial_credit < kMinimumCredit) {
    Violate(in, "an initial credit of $0, below the least, $1", event, hello.initial_credit, kMinimumCredit);
    return;
  }
  hello_received_ = true;
  peer_max_calls_ = hello.max_concurrent_calls;
  peer_max_message_ = hello.max_message;
  const int64_t offset = SaturatingSubtract(now_ns, hello.clock_ns);
  clock_offset_ns_ = offset > -kHandshakeTimeNs && offset < kHandshakeTimeNs ? 0 : offset;
  const int64_t more = int64_t{hello.initial_credit} - peer_credit_;
  peer_credit_ = hello.initial_credit;
  for (CallListAll* list : {&owned_, &orphans_}) {
    for (SessionCall* call = list->front(); call != nullptr; call = CallListAll::Next(call)) {
      call->send_credit_ += more;
      UpdateTurn(call);
    }
  }
  Admit();
  event->type = SessionEvent::Type::kHello;
}

void Session::ConsumePing(const Incoming& in, SessionEvent* event) {
  uint64_t value;
  if (!ReadU64(in.body, &value)) {
    Violate(in, "the block is cut short", event);
  } else if ((in.header.flags & kAck) != 0) {
    event->type = SessionEvent::Type::kPong;
    event->value = value;
  } else {
    pong_due_ = true;
    pong_value_ = value;
  }
}

void Session::ConsumeDrain(const Incoming& in, SessionEvent* event) {
  uint32_t last;
  absl::string_view why;
  if (!ReadDrain(in.body, &last, &why)) {
    Violate(in, "the block is cut short", event);
    return;
  }
  if (last != 0 && !Owns(last)) {
    Violate(in, "the last call, $0, is not one of the receiver's", event, last);
    return;
  }
  peer_drains_ = true;
  // The largest sequence number not above the next one whose id is `last`: ids reach further back than any call that
  // the peer may have accepted last.
  const uint64_t back = (next_sequence_ - last) & 0x7fffffff;
  const uint64_t last_sequence = last == 0 || back > next_sequence_ ? 0 : next_sequence_ - back;
  for (CallListAll* list : {&owned_, &orphans_}) {
    for (SessionCall* call = list->front(); call != nullptr;) {
      SessionCall* next = CallListAll::Next(call);
      if (call->own_ && (!call->live_ || call->sequence_ > last_sequence || last == 0)) EndNotServed(call);
      call = next;
    }
  }
  event->type = SessionEvent::Type::kDrain;
  event->status = absl::UnavailableError(why);
}

void Session::ConsumeFarewell(const Incoming& in, SessionEvent* event) {
  absl::Status status;
  absl::Span<const char> trailing;
  if (in.header.flags != 0 || !ReadStatus(in.body, &status, &trailing)) {
    Violate(in, "the status of the connection is malformed", event);
    return;
  }
  if (status.ok()) status = absl::UnavailableError("the peer ended the connection");
  Violate(std::move(status), event, /*farewell=*/false);
}

// ---- frames of calls

void Session::ConsumeOfCall(const Incoming& in, SessionEvent* event) {
  const FrameKind kind = in.header.kind;
  const bool from_server = kind == FrameKind::kStatus || kind == FrameKind::kInitialMetadata;
  const bool from_client = kind == FrameKind::kCall || kind == FrameKind::kHalfClose || kind == FrameKind::kCancel;
  if (Owns(in.header.call_id) ? from_client : from_server) {
    Violate(in, "sent by the wrong side of the call", event);
    return;
  }
  SessionCall* call = table_.Find(in.header.call_id);
  if (call == nullptr) return ConsumeOfNoCall(in, event);
  if (call->assembly_ != nullptr && kind != FrameKind::kCredit) {
    if (kind == call->assembly_->kind) return ContinueUnit(call, in, event);
    if (kind != FrameKind::kStatus && kind != FrameKind::kCancel) {
      Violate(in, "before the rest of the call's unfinished unit", event);
      return;
    }
    call->assembly_ = nullptr;  // a call may end in the middle of a message
  } else if (kind == FrameKind::kCall) {
    Violate(in, "the call id is in use", event);
    return;
  }
  if (!CheckShape(in, event)) return;
  if (kind == FrameKind::kCredit) return ConsumeCredit(call, in, event);
  if (kind == FrameKind::kCancel) return ConsumeCancel(call, in, event);
  if (kind == FrameKind::kStatus || CheckOrder(call, in, event)) StartUnit(call, in, event);
}

// The call may be over here while the peer does not know it yet, or have been refused: what comes for it is looked at
// for its shape only. Continuations have no lengths to look at.
void Session::ConsumeOfNoCall(const Incoming& in, SessionEvent* event) {
  if (in.header.total_size == 0 && in.header.block_size == 0) return;
  if (CheckShape(in, event) && in.header.kind == FrameKind::kCall) ConsumeNewCall(in, event);
}

void Session::ConsumeNewCall(const Incoming& in, SessionEvent* event) {
  if (drain_started_) return Refuse(in, Refusal::Why::kDraining, event);
  if (peer_calls_ >= options_.max_concurrent_calls) return Refuse(in, Refusal::Why::kTooMany, event);
  last_accepted_ = in.header.call_id;
  if (in.message_size() > options_.max_receive_message) return Refuse(in, Refusal::Why::kTooLarge, event);
  SessionCall* call = AllocateCall(false);
  ++peer_calls_;
  MakeLive(call, in.header.call_id);
  if (in.more()) {
    orphans_.PushBack(call);  // until all of it is there
    return StartUnit(call, in, event);
  }
  owned_.PushBack(call);
  call->announced_ = true;
  FinishCall(call, in, in.block(), in.message(), event);
}

void Session::FinishCall(SessionCall* call, const Incoming& in, absl::Span<const char> block,
                         absl::Span<const char> message, SessionEvent* event) {
  CallBlock fields;
  if (!ReadCall(block, &fields)) {
    owned_.Remove(call);  // it was never anybody's
    orphans_.PushBack(call);
    Violate(in, "the block is cut short or malformed", event);
    return;
  }
  event->type = SessionEvent::Type::kCall;
  event->call = call;
  event->path = fields.path;
  event->deadline_ns = LocalDeadline(fields.deadline_ns);
  event->metadata = fields.metadata;
  event->message = message;
  event->has_message = call->remote_closed_ = in.has_message();
}

int64_t Session::LocalDeadline(int64_t peer_ns) const {
  if (peer_ns == std::numeric_limits<int64_t>::max()) return peer_ns;
  return SaturatingAdd(peer_ns, clock_offset_ns_);
}

void Session::Refuse(const Incoming& in, Refusal::Why why, SessionEvent* event) {
  if (refusals_.size() >= kMaxRefusals) {
    Violate(in, "$0 refused calls wait for the peer to read, and it sends more", event, kMaxRefusals);
    return;
  }
  refusals_.push_back({in.header.call_id, why, in.message_size()});
}

void Session::ConsumeCredit(SessionCall* call, const Incoming& in, SessionEvent* event) {
  uint64_t value;
  if (!ReadU64(in.body, &value)) {
    Violate(in, "the block is cut short", event);
    return;
  }
  if (value > static_cast<uint64_t>(kMaxCredit) || call->send_credit_ > kMaxCredit - static_cast<int64_t>(value)) {
    Violate(in, "$0 bytes more of credit is beyond all bounds", event, value);
    return;
  }
  const bool had_none = call->send_credit_ <= 0;
  call->send_credit_ += static_cast<int64_t>(value);
  UpdateTurn(call);
  if (had_none && call->send_credit_ > 0 && call->announced_ && !call->over_ && !call->cancelled_ && !call->released_) {
    event->type = SessionEvent::Type::kWritable;
    event->call = call;
  }
}

void Session::ConsumeCancel(SessionCall* call, const Incoming& in, SessionEvent* event) {
  if (call->cancelled_) return;
  if (!call->announced_) {  // nobody here has seen it
    EndLife(call);
    return Refuse(in, Refusal::Why::kCancelled, event);
  }
  call->cancelled_ = true;
  call->consumed_ = 0;
  control_.RemoveIfIn(call);
  DropQueue(call, /*keep_status=*/true);
  if (call->released_) return;
  event->type = SessionEvent::Type::kCancel;
  event->call = call;
}

}  // namespace nearcall::internal
