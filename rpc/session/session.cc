// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// Records of calls: how they come, end and go. A record is *live* while its id is in the table: from the first frame of
// the call until the status was planned (served) or has come (own). Sending is in outgoing.cc, receiving in incoming.cc
// and assembly.cc.
#include "nearcall/rpc/session/session.h"

#include <algorithm>
#include <utility>

namespace nearcall::internal {
namespace {

constexpr size_t kMaxFreeCalls = 1024;
constexpr uint32_t kIdMask = 0x7fffffff;

SessionOptions WithinLimits(SessionOptions options) {
  options.initial_credit = std::max(options.initial_credit, kMinimumCredit);
  return options;
}

}  // namespace

Session::Session(const SessionOptions& options)
    : options_(WithinLimits(options)),
      connector_(options.connector),
      next_sequence_(options.first_call_id & kIdMask),
      hello_clock_ns_(options.now_ns) {}

Session::~Session() {
  for (CallListAll* list : {&owned_, &orphans_}) {
    while (SessionCall* call = list->front()) {
      DropQueue(call, false);
      list->Remove(call);
      delete call;
    }
  }
  for (SessionCall* call : free_) delete call;
}

SessionCall* Session::AllocateCall(bool own) {
  SessionCall* call;
  if (free_.empty()) {
    call = new SessionCall;
  } else {
    call = free_.back();
    free_.pop_back();
  }
  call->own_ = own;
  call->send_credit_ = peer_credit_;
  call->receive_credit_ = options_.initial_credit;
  return call;
}

void Session::FreeCall(SessionCall* call) {
  if (free_.size() >= kMaxFreeCalls) {
    delete call;
    return;
  }
  call->~SessionCall();  // cheaper than an assignment: no member has anything to give up
  free_.push_back(new (call) SessionCall);
}

SessionCall* Session::NewCall(void* owner) {
  SessionCall* call = AllocateCall(true);
  call->owner_ = owner;
  call->announced_ = true;
  owned_.PushBack(call);
  ++own_calls_;
  return call;
}

void Session::MakeLive(SessionCall* call, uint32_t id) {
  call->id_ = id;
  call->live_ = true;
  table_.Insert(id, call);
}

void Session::SetOver(SessionCall* call) {
  if (call->over_) return;
  call->over_ = true;
  if (call->own_) --own_calls_;
}

void Session::FreePlace(SessionCall* call) {
  if (!call->admitted_) return;
  call->admitted_ = false;
  --places_taken_;
  if (!home_.empty()) Admit();
}

void Session::EndLife(SessionCall* call) {
  SetOver(call);
  if (call->head_ != nullptr) DropQueue(call, false);
  call->assembly_ = nullptr;
  control_.RemoveIfIn(call);
  table_.Erase(call->id_);
  call->live_ = false;
  if (call->own_) {
    FreePlace(call);
  } else {
    --peer_calls_;
  }
  if (orphans_.Contains(call)) {
    orphans_.Remove(call);
    FreeCall(call);
  }
}

void Session::DropQueue(SessionCall* call, bool keep_status) {
  while (Unit* unit = call->head_) {
    if (keep_status && unit->kind == FrameKind::kStatus) break;
    PopUnit(call);
  }
  if (call->head_ != nullptr) {
    UpdateTurn(call);
  } else {
    home_.RemoveIfIn(call);
    ready_.RemoveIfIn(call);
  }
}

void Session::Cancel(SessionCall* call) {
  if (!call->own_ || call->over_) return;
  SetOver(call);
  DropQueue(call, false);
  if (!call->live_) {
    FreePlace(call);
    return;
  }
  if (call->assembly_ != nullptr) call->assembly_->Discard();  // what is still to come is looked at for its shape only
  call->cancel_pending_ = true;
  call->consumed_ = 0;
  if (!control_.Contains(call)) control_.PushBack(call);
}

// The peer drains and has not begun this call of ours.
void Session::EndNotServed(SessionCall* call) {
  if (!call->over_) call->not_started_ = true;
  if (call->live_) return EndLife(call);
  SetOver(call);
  DropQueue(call, false);
  FreePlace(call);
}

void Session::Release(SessionCall* call) {
  if (call->own_) Cancel(call);
  owned_.Remove(call);
  if (!call->live_) return FreeCall(call);
  if (call->assembly_ != nullptr) call->assembly_->Discard();
  call->released_ = true;
  call->owner_ = nullptr;
  orphans_.PushBack(call);
}

std::vector<SessionCall*> Session::TakeNotStarted() {
  std::vector<SessionCall*> calls;
  for (SessionCall* call = owned_.front(); call != nullptr; call = CallListAll::Next(call)) {
    if (std::exchange(call->not_started_, false)) calls.push_back(call);
  }
  return calls;
}

void Session::ForEachCall(absl::FunctionRef<void(SessionCall*)> function) {
  for (SessionCall* call = owned_.front(); call != nullptr;) {
    SessionCall* next = CallListAll::Next(call);
    function(call);
    call = next;
  }
}

bool Session::drain_started() const { return drain_started_; }
bool Session::draining() const { return peer_drains_; }
bool Session::hello_received() const { return hello_received_; }
uint32_t Session::peer_calls() const { return peer_calls_; }
uint32_t Session::own_calls() const { return own_calls_; }
uint64_t Session::peer_max_message() const { return peer_max_message_; }

}  // namespace nearcall::internal
