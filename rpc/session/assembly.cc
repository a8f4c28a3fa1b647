// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// Units: their first frame, which says how long they are and is held to the limits before memory is taken, their
// continuations, and what becomes of a whole one.
#include <algorithm>
#include <cstring>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "nearcall/rpc/session/session.h"
#include "nearcall/rpc/wire/blocks.h"
#include "nearcall/rpc/wire/copy.h"

namespace nearcall::internal {
namespace {

// Adds one frame's bytes; a discarded unit only counts them.
void Add(absl::Span<const char> body, Assembly* assembly) {
  size_t at = assembly->received;
  assembly->received += static_cast<uint32_t>(body.size());
  if (assembly->discard) return;
  if (at < assembly->block_size) {
    const size_t size = std::min<size_t>(body.size(), assembly->block_size - at);
    CopyBytes(assembly->block.data() + at, body.data(), size);
    body.remove_prefix(size);
    at += size;
  }
  if (!body.empty()) CopyBytes(assembly->message.data() + (at - assembly->block_size), body.data(), body.size());
}

}  // namespace

absl::Status Session::TooLarge(uint64_t size) const {
  return absl::ResourceExhaustedError(
      absl::StrCat("message of ", size, " bytes over the receiver's limit of ", options_.max_receive_message));
}

absl::Status Session::NoMemory(uint64_t size) const {
  return absl::ResourceExhaustedError(absl::StrCat("no memory for a message of ", size, " bytes"));
}

// The first or only frame of a unit: whether its lengths fit together.
bool Session::CheckShape(const Incoming& in, SessionEvent* event) {
  const FrameHeader& header = in.header;
  const size_t size = in.body.size();
  if (header.block_size > kMaxBlockSize) {
    return Violate(in, "a header block of $0 bytes, over the limit of $1", event, header.block_size, kMaxBlockSize);
  }
  if (header.block_size > header.total_size) {
    return Violate(in, "a header block of $0 bytes in a unit of $1", event, header.block_size, header.total_size);
  }
  if (!in.has_message() && header.block_size != header.total_size) {
    return Violate(in, "a message of $0 bytes without the flag for one", event, in.message_size());
  }
  if (in.more() ? size == 0 || size >= header.total_size : size != header.total_size) {
    return Violate(in, "a body of $0 bytes does not fit a unit of $1", event, size, header.total_size);
  }
  return true;
}

// Whether a unit of this kind may come now.
bool Session::CheckOrder(SessionCall* call, const Incoming& in, SessionEvent* event) {
  switch (in.header.kind) {
    case FrameKind::kInitialMetadata:
      if (call->got_initial_) return Violate(in, "a second time, or after a message", event);
      call->got_initial_ = true;
      return true;
    case FrameKind::kMessage:
      call->got_initial_ = true;
      if (call->remote_closed_) return Violate(in, "a message after the half-close", event);
      if (call->receive_credit_ <= 0) return Violate(in, "a message without credit", event);
      call->receive_credit_ -= static_cast<int64_t>(in.message_size() + kMessageCost);
      return true;
    case FrameKind::kHalfClose:
      if (call->remote_closed_) return Violate(in, "a second half-close", event);
      call->remote_closed_ = true;
      return true;
    default:
      return true;
  }
}

void Session::StartUnit(SessionCall* call, const Incoming& in, SessionEvent* event) {
  const FrameHeader& header = in.header;
  bool discard = call->over_ || call->released_ || call->cancelled_ || call->refusing_;
  if (in.message_size() > options_.max_receive_message && !discard) {
    discard = true;
    if (header.kind == FrameKind::kMessage) {
      RefuseMessage(call, TooLarge(in.message_size()), event);
    } else if (header.kind == FrameKind::kStatus && in.more()) {
      RefuseReply(call, TooLarge(in.message_size()), event);
    }
  }
  if (!in.more()) {
    if (discard) return FinishDiscarded(call, header.kind, in.message_size(), event);
    return FinishUnit(call, in, in.block(), in.message(), event);
  }
  call->assembly_ = std::make_unique<Assembly>();
  Assembly& assembly = *call->assembly_;
  assembly.kind = header.kind;
  assembly.flags = header.flags & ~kMore;
  assembly.block_size = header.block_size;
  assembly.total_size = header.total_size;
  assembly.discard = discard;
  const bool memory = discard || (Bytes::TryAllocate(header.block_size, &assembly.block) &&
                                  Bytes::TryAllocate(in.message_size(), &assembly.message));
  if (!memory) assembly.Discard();
  Add(in.body, &assembly);
  if (!memory) RefuseForMemory(call, in, event);
}

void Session::RefuseForMemory(SessionCall* call, const Incoming& in, SessionEvent* event) {
  if (in.header.kind == FrameKind::kCall) {
    EndLife(call);
    Refuse(in, Refusal::Why::kNoMemory, event);
  } else if (in.header.kind == FrameKind::kMessage) {
    RefuseMessage(call, NoMemory(in.message_size()), event);
  } else if (in.header.kind == FrameKind::kStatus) {
    RefuseReply(call, NoMemory(in.message_size()), event);
  }
}

// The call is over for its owner; its id and place stay taken until the rest, which is discarded, has come.
void Session::RefuseReply(SessionCall* call, absl::Status status, SessionEvent* event) {
  event->type = SessionEvent::Type::kStatus;
  event->call = call;
  event->status = std::move(status);
  SetOver(call);
  DropQueue(call, false);
}

// A stream message that is not taken: the serving side is told so, and finishes; a call of ours is over at once.
void Session::RefuseMessage(SessionCall* call, absl::Status status, SessionEvent* event) {
  event->call = call;
  event->status = std::move(status);
  if (call->own_) {
    event->type = SessionEvent::Type::kStatus;
    Cancel(call);
  } else {
    event->type = SessionEvent::Type::kTooLarge;
    call->refusing_ = true;
  }
}

void Session::ContinueUnit(SessionCall* call, const Incoming& in, SessionEvent* event) {
  Assembly& assembly = *call->assembly_;
  const FrameHeader& header = in.header;
  const size_t size = in.body.size();
  const uint32_t missing = assembly.total_size - assembly.received;
  if (header.block_size != 0 || header.total_size != 0 || (header.flags & ~kMore) != assembly.flags) {
    Violate(in, "a continuation whose lengths or flags do not fit", event);
    return;
  }
  if (size == 0 || (in.more() ? size >= missing : size != missing)) {
    Violate(in, "a continuation of $0 bytes where $1 are missing", event, size, missing);
    return;
  }
  Add(in.body, &assembly);
  if (in.more()) return;
  const std::unique_ptr<Assembly> whole = std::move(call->assembly_);
  if (whole->discard) {
    return FinishDiscarded(call, whole->kind, whole->total_size - whole->block_size, event);
  }
  last_block_ = std::move(whole->block);
  event->assembled = std::move(whole->message);
  if (whole->kind == FrameKind::kCall) {
    orphans_.Remove(call);
    owned_.PushBack(call);
    call->announced_ = true;
    return FinishCall(call, in, last_block_.span(), event->assembled.span(), event);
  }
  FinishUnit(call, in, last_block_.span(), event->assembled.span(), event);
}

void Session::FinishUnit(SessionCall* call, const Incoming& in, absl::Span<const char> block,
                         absl::Span<const char> message, SessionEvent* event) {
  event->call = call;
  switch (in.header.kind) {
    case FrameKind::kInitialMetadata:
      event->type = SessionEvent::Type::kInitialMetadata;
      event->metadata = block;
      if (!ValidMetadata(block)) Violate(in, "the metadata is malformed", event);
      break;
    case FrameKind::kMessage:
      call->delivered_ += message.size() + kMessageCost;
      event->type = SessionEvent::Type::kMessage;
      event->message = message;
      event->has_message = true;
      break;
    case FrameKind::kHalfClose:
      call->consumed_ = 0;
      control_.RemoveIfIn(call);
      event->type = SessionEvent::Type::kHalfClose;
      break;
    case FrameKind::kStatus:
      if (!block.empty() && !ReadStatus(block, &event->status, &event->metadata)) {
        Violate(in, "the status is malformed", event);
        return;
      }
      event->type = SessionEvent::Type::kStatus;
      event->has_message = in.has_message();
      event->message = message;
      event->not_started = (in.header.flags & kNotStarted) != 0;
      EndLife(call);
      break;
    default:
      break;
  }
}

// All of a unit has come that nobody takes: only a status means something still.
void Session::FinishDiscarded(SessionCall* call, FrameKind kind, uint32_t message_size, SessionEvent* event) {
  if (kind != FrameKind::kStatus) return;
  if (!call->over_) {
    event->type = SessionEvent::Type::kStatus;
    event->call = call;
    event->status = message_size > options_.max_receive_message ? TooLarge(message_size) : NoMemory(message_size);
  }
  EndLife(call);
}

}  // namespace nearcall::internal
