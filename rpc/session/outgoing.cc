// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// What goes out, and when: units at once or queued, the turn of each call, control frames before all of them.
#include <algorithm>
#include <cassert>
#include <utility>

#include "absl/strings/str_cat.h"
#include "nearcall/rpc/session/session.h"
#include "nearcall/rpc/wire/blocks.h"

namespace nearcall::internal {
namespace {

constexpr uint32_t kIdMask = 0x7fffffff;

uint64_t Cost(const Unit& unit) { return sizeof(Unit) + unit.block.size() + unit.message.size(); }

uint8_t SentFlags(FrameKind kind, uint8_t flags) { return kind == FrameKind::kMessage ? flags | kWithMessage : flags; }

}  // namespace

// ---- call ids: sequence numbers that never wrap; an id is the low 31 bits of one, and whose it is

uint32_t Session::IdOf(uint64_t sequence) const {
  return static_cast<uint32_t>(sequence & kIdMask) | (connector_ ? 0 : ~kIdMask);
}

uint64_t Session::PeekSequence() const {
  uint64_t sequence = next_sequence_;
  while ((sequence & kIdMask) == 0 || table_.Find(IdOf(sequence)) != nullptr) ++sequence;
  return sequence;
}

// ---- what may go

bool Session::MayStart(const SessionCall& call, FrameKind kind) const {
  if (kind == FrameKind::kCall) return true;  // it was admitted
  return call.live_ && (kind != FrameKind::kMessage || call.send_credit_ > 0);
}

bool Session::CanSend(const SessionCall& call, FrameKind kind) const {
  if (!hello_sent_ || dead_ || call.over_ || call.head_ != nullptr || !ready_.empty()) return false;
  if (kind == FrameKind::kCall) {
    return call.id_ == 0 && home_.empty() && !peer_drains_ && (call.admitted_ || places_taken_ < CallLimit());
  }
  if (call.cancelled_ && kind != FrameKind::kStatus) return false;
  return MayStart(call, kind);
}

void Session::Sent(SessionCall* call, UnitKind unit, size_t block_size, size_t message_size, char* header) {
  assert(CanSend(*call, unit.kind));
  if (unit.kind == FrameKind::kCall && !call->admitted_) {
    call->admitted_ = true;
    ++places_taken_;
  }
  UnitStarts(call, unit.kind, message_size);
  FrameHeader fields;
  fields.kind = unit.kind;
  fields.flags = SentFlags(unit.kind, unit.flags);
  fields.call_id = call->id_;
  fields.block_size = static_cast<uint32_t>(block_size);
  fields.total_size = static_cast<uint32_t>(block_size + message_size);
  EncodeFrameHeader(fields, header);
  UnitEnds(call, unit.kind);
}

void Session::UnitStarts(SessionCall* call, FrameKind kind, size_t message_size) {
  if (kind == FrameKind::kCall) {
    call->sequence_ = PeekSequence();
    next_sequence_ = call->sequence_ + 1;
    MakeLive(call, IdOf(call->sequence_));
  } else if (kind == FrameKind::kMessage) {
    call->send_credit_ -= static_cast<int64_t>(message_size + kMessageCost);
  }
}

void Session::UnitEnds(SessionCall* call, FrameKind kind) {
  if (kind == FrameKind::kStatus && !call->own_) EndLife(call);
}

// ---- queues

absl::Status Session::Enqueue(SessionCall* call, std::unique_ptr<Unit> unit) {
  if (dead_ || call->over_ || call->status_queued_) return absl::OkStatus();
  if (call->cancelled_ && unit->kind != FrameKind::kStatus) return absl::OkStatus();
  if (unit->block.size() > kMaxBlockSize) {
    return absl::ResourceExhaustedError(absl::StrCat("header block (metadata, status) of ", unit->block.size(),
                                                     " bytes over the limit of ", kMaxBlockSize));
  }
  if (unit->message.size() > UINT32_MAX - unit->block.size()) {
    return absl::ResourceExhaustedError(
        absl::StrCat("message of ", unit->message.size(), " bytes over the wire format's limit of 4 GiB"));
  }
  const bool has_message = unit->kind == FrameKind::kMessage || (unit->flags & kWithMessage) != 0;
  const bool always = !has_message && (unit->kind == FrameKind::kStatus || unit->kind == FrameKind::kHalfClose);
  const uint64_t cost = Cost(*unit);
  if (!always && (cost > options_.max_pending_bytes || pending_bytes_ > options_.max_pending_bytes - cost)) {
    return absl::ResourceExhaustedError(
        absl::StrCat("a unit of ", unit->block.size() + unit->message.size(), " bytes over ", pending_bytes_,
                     " that wait already, max_pending_bytes is ", options_.max_pending_bytes));
  }
  pending_bytes_ += cost;
  if (unit->kind == FrameKind::kStatus) call->status_queued_ = true;
  const bool starts = unit->kind == FrameKind::kCall && call->own_ && call->id_ == 0 && !call->admitted_;
  Unit* queued = unit.release();
  queued->next = nullptr;
  (call->tail_ == nullptr ? call->head_ : call->tail_->next) = queued;
  call->tail_ = queued;
  if (starts && !home_.Contains(call)) {
    home_.PushBack(call);
    Admit();
  } else {
    UpdateTurn(call);
  }
  return absl::OkStatus();
}

bool Session::Queued(const SessionCall& call) const { return call.head_ != nullptr; }

void Session::Admit() {
  while (!home_.empty() && places_taken_ < CallLimit() && !peer_drains_) {
    SessionCall* call = home_.front();
    home_.Remove(call);
    call->admitted_ = true;
    ++places_taken_;
    UpdateTurn(call);
  }
}

void Session::UpdateTurn(SessionCall* call) {
  if (call->own_ && !call->admitted_) return;  // at home
  const bool ready = call->head_ != nullptr && (call->offset_ > 0 || MayStart(*call, call->head_->kind));
  if (ready == ready_.Contains(call)) return;
  if (ready) {
    ready_.PushBack(call);
  } else {
    ready_.Remove(call);
  }
}

void Session::PopUnit(SessionCall* call) {
  std::unique_ptr<Unit> unit(call->head_);
  call->head_ = unit->next;
  if (call->head_ == nullptr) call->tail_ = nullptr;
  call->offset_ = 0;
  pending_bytes_ -= Cost(*unit);
}

// ---- planning

bool Session::HasOutput() const {
  if (dead_) return farewell_due_;
  return !hello_sent_ || pong_due_ || ping_due_ || drain_due_ || !refusals_.empty() || !control_.empty() ||
         !ready_.empty();
}

bool Session::Plan(size_t max_frame, FramePlan* plan) {
  assert(max_frame >= kMinFrame);
  plan->block = {};
  plan->message = {};
  plan->call = nullptr;
  plan->last = true;
  plan->notify = false;
  planned_ = Source::kNone;
  return PlanControl(max_frame, plan) || PlanUnit(max_frame, plan);
}

void Session::PlanBlock(FrameKind kind, uint8_t flags, uint32_t call_id, FramePlan* plan) {
  FrameHeader header;
  header.kind = kind;
  header.flags = flags;
  header.call_id = call_id;
  header.block_size = header.total_size = static_cast<uint32_t>(scratch_.size());
  EncodeFrameHeader(header, plan->header);
  plan->block = absl::MakeConstSpan(scratch_.data(), scratch_.size());
}

void Session::PlanStatus(uint32_t call_id, uint8_t flags, const absl::Status& status, size_t max_frame,
                         FramePlan* plan) {
  const size_t room = max_frame - kFrameHeaderSize - 16;  // without the fixed part of the block
  AppendStatus(absl::Status(status.code(), status.message().substr(0, room)), {}, &scratch_);
  PlanBlock(FrameKind::kStatus, flags, call_id, plan);
}

bool Session::PlanControl(size_t max_frame, FramePlan* plan) {
  scratch_.clear();
  if (dead_) {
    if (farewell_due_) {
      planned_ = Source::kFarewell;
      PlanStatus(0, 0, farewell_, max_frame, plan);
    }
  } else if (!hello_sent_) {
    planned_ = Source::kHello;
    HelloBlock hello;
    hello.max_concurrent_calls = options_.max_concurrent_calls;
    hello.initial_credit = options_.initial_credit;
    hello.max_message = options_.max_receive_message;
    hello.clock_ns = hello_clock_ns_;
    AppendHello(hello, &scratch_);
    PlanBlock(FrameKind::kHello, 0, 0, plan);
  } else if (pong_due_) {
    planned_ = Source::kPong;
    AppendU64(pong_value_, &scratch_);
    PlanBlock(FrameKind::kPing, kAck, 0, plan);
  } else if (ping_due_) {
    planned_ = Source::kPing;
    AppendU64(ping_value_, &scratch_);
    PlanBlock(FrameKind::kPing, 0, 0, plan);
  } else if (drain_due_) {
    planned_ = Source::kDrain;
    AppendDrain(drain_last_, absl::string_view(drain_why_).substr(0, max_frame - kFrameHeaderSize - 8), &scratch_);
    PlanBlock(FrameKind::kDrain, 0, 0, plan);
  } else if (!refusals_.empty()) {
    planned_ = Source::kRefusal;
    const Refusal& refusal = refusals_.front();
    const bool starts = refusal.why == Refusal::Why::kTooLarge || refusal.why == Refusal::Why::kNoMemory;
    PlanStatus(refusal.call_id, starts ? 0 : kNotStarted, RefusalStatus(refusal), max_frame, plan);
  } else if (!control_.empty()) {
    planned_call_ = control_.front();
    planned_ = planned_call_->cancel_pending_ ? Source::kCancel : Source::kCredit;
    if (planned_ == Source::kCredit) AppendU64(planned_call_->consumed_, &scratch_);
    PlanBlock(planned_ == Source::kCancel ? FrameKind::kCancel : FrameKind::kCredit, 0, planned_call_->id_, plan);
  }
  return planned_ != Source::kNone;
}

bool Session::PlanUnit(size_t max_frame, FramePlan* plan) {
  if (dead_ || ready_.empty()) return false;
  SessionCall* call = ready_.front();
  const Unit& unit = *call->head_;
  const size_t block_size = unit.block.size();
  const size_t total = block_size + unit.message.size();
  const size_t begin = call->offset_;
  const size_t end = begin + std::min(max_frame - kFrameHeaderSize, total - begin);

  FrameHeader header;
  header.kind = unit.kind;
  header.flags = SentFlags(unit.kind, unit.flags) | (end < total ? kMore : 0);
  header.call_id = call->id_ != 0 ? call->id_ : IdOf(PeekSequence());
  if (begin == 0) {
    header.block_size = static_cast<uint32_t>(block_size);
    header.total_size = static_cast<uint32_t>(total);
  }
  EncodeFrameHeader(header, plan->header);
  if (begin < block_size) {
    plan->block = absl::MakeConstSpan(unit.block.data() + begin, std::min(end, block_size) - begin);
  }
  if (end > block_size) {
    const size_t from = std::max(begin, block_size) - block_size;
    plan->message = unit.message.subspan(from, end - block_size - from);
  }
  plan->call = call->released_ ? nullptr : call;
  plan->last = end == total;
  plan->notify = plan->last && unit.notify && !call->released_;
  planned_ = Source::kUnit;
  planned_call_ = call;
  return true;
}

void Session::Planned(const FramePlan& plan) {
  SessionCall* call = planned_call_;
  switch (std::exchange(planned_, Source::kNone)) {
    case Source::kNone:
      break;
    case Source::kFarewell:
      farewell_due_ = false;
      break;
    case Source::kHello:
      hello_sent_ = true;
      break;
    case Source::kPong:
      pong_due_ = false;
      break;
    case Source::kPing:
      ping_due_ = false;
      break;
    case Source::kDrain:
      drain_due_ = false;
      break;
    case Source::kRefusal:
      refusals_.pop_front();
      break;
    case Source::kCancel:
      call->cancel_pending_ = false;
      control_.Remove(call);
      break;
    case Source::kCredit:
      call->receive_credit_ += static_cast<int64_t>(std::exchange(call->consumed_, 0));
      control_.Remove(call);
      break;
    case Source::kUnit: {
      const FrameKind kind = call->head_->kind;
      if (call->offset_ == 0) UnitStarts(call, kind, call->head_->message.size());
      call->offset_ += plan.block.size() + plan.message.size();
      ready_.Remove(call);
      if (!plan.last) {
        ready_.PushBack(call);  // the others have their turn between two fragments
        break;
      }
      PopUnit(call);
      UpdateTurn(call);
      UnitEnds(call, kind);
      break;
    }
  }
}

// ---- control frames that the owner asks for

void Session::Consumed(SessionCall* call, size_t bytes) {
  const uint64_t cost = std::min<uint64_t>(bytes + kMessageCost, call->delivered_);
  call->delivered_ -= cost;
  if (call->over_ || call->cancelled_ || call->remote_closed_ || call->refusing_) return;
  call->consumed_ += cost;
  if (call->consumed_ >= options_.initial_credit / 2 && !control_.Contains(call)) control_.PushBack(call);
}

void Session::Ping(uint64_t value) {
  ping_due_ = true;
  ping_value_ = value;
}

void Session::StartDrain(absl::string_view why) {
  if (drain_started_) return;
  drain_started_ = drain_due_ = true;
  drain_last_ = last_accepted_;
  drain_why_ = std::string(why.data(), why.size());
}

absl::Status Session::RefusalStatus(const Refusal& refusal) const {
  switch (refusal.why) {
    case Refusal::Why::kTooMany:
      return absl::UnavailableError(
          absl::StrCat("over the limit of ", options_.max_concurrent_calls, " concurrent calls of this connection"));
    case Refusal::Why::kDraining:
      return absl::UnavailableError(absl::StrCat("the peer is draining: ", drain_why_));
    case Refusal::Why::kTooLarge:
      return TooLarge(refusal.size);
    case Refusal::Why::kNoMemory:
      return NoMemory(refusal.size);
    case Refusal::Why::kCancelled:
      break;
  }
  return absl::CancelledError("cancelled before it had wholly arrived");
}

}  // namespace nearcall::internal
