// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
#include "nearcall/tests/session/session_inspector.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "nearcall/rpc/wire/blocks.h"

// A fuzzer's feedback should come from the session, not from who watches it; and be cheap.
#if defined(__clang__)
#pragma clang attribute push(__attribute__((no_sanitize("coverage"))), apply_to = function)
#endif

namespace nearcall::internal {
namespace {

enum State : size_t {
  kBeforeHello,
  kHelloSentOnly,
  kHelloReceivedOnly,
  kEstablished,
  kWeDrain,
  kPeerDrains,
  kRefusalsWait,
  kPingWaits,
  kPongWaits,
  kCreditWaits,
  kCancelWaits,
  kFarewellWaits,
  kDead,
  kPeerAtItsLimit,
  kOwnNew,
  kOwnAtHome,
  kOwnAdmitted,
  kOwnCallInFragments,
  kOwnOpen,
  kOwnWithoutCredit,
  kOwnMessageOutInFragments,
  kOwnMetadataIn,
  kOwnMessageIn,
  kOwnStatusIn,
  kOwnDiscarding,
  kOwnCancelled,
  kOwnReleased,
  kOwnOver,
  kServedCallIn,
  kServedOpen,
  kServedHalfClosed,
  kServedWithoutCredit,
  kServedMessageIn,
  kServedDiscarding,
  kServedRefusing,
  kServedCancelled,
  kServedMessageOutInFragments,
  kServedStatusQueued,
  kServedStatusOutInFragments,
  kServedReleased,
  kServedOver,
  kStateCount,
};

constexpr const char* kStateNames[] = {
    "before hello",
    "hello sent only",
    "hello received only",
    "established",
    "this side drains",
    "the peer drains",
    "refusals wait",
    "a ping waits",
    "a pong waits",
    "credit waits",
    "a cancel waits",
    "a farewell waits",
    "dead",
    "the peer at its limit",
    "own call: new",
    "own call: at home",
    "own call: has a place",
    "own call: going out in fragments",
    "own call: open",
    "own call: without credit",
    "own call: message going out in fragments",
    "own call: metadata coming in fragments",
    "own call: message coming in fragments",
    "own call: status coming in fragments",
    "own call: rest thrown away",
    "own call: cancelled, status owed",
    "own call: released, status owed",
    "own call: over, owner stays",
    "served call: coming in fragments",
    "served call: open",
    "served call: half-closed",
    "served call: without credit",
    "served call: message coming in fragments",
    "served call: rest thrown away",
    "served call: a message refused",
    "served call: cancelled",
    "served call: message going out in fragments",
    "served call: status queued",
    "served call: status going out in fragments",
    "served call: released, status queued",
    "served call: over, owner stays",
};
static_assert(sizeof(kStateNames) / sizeof(kStateNames[0]) == kStateCount);
static_assert(kStateCount <= SessionCoverage::kStates);

constexpr const char* kKindNames[] = {"(cut short)", "hello",      "call",   "initial metadata",
                                      "message",     "half-close", "status", "cancel",
                                      "credit",      "ping",       "drain",  "unknown"};
constexpr const char* kEventNames[] = {"none",       "hello",  "call",     "initial metadata", "message",
                                       "half-close", "status", "cancel",   "writable",         "too large",
                                       "drain",      "pong",   "violation"};
constexpr size_t kEventCount = sizeof(kEventNames) / sizeof(kEventNames[0]);

}  // namespace

const char* SessionInspector::StateName(size_t state) { return state < kStateCount ? kStateNames[state] : nullptr; }

// ---- coverage

void SessionCoverage::Add(const SessionCoverage& other) {
  for (size_t i = 0; i < kKinds; ++i) {
    planned[i] += other.planned[i];
    consumed[i] += other.consumed[i];
    accepted[i] += other.accepted[i];
  }
  for (size_t i = 0; i < kEvents; ++i) events[i] += other.events[i];
  for (size_t i = 0; i < kStates; ++i) states[i] += other.states[i];
}

std::string SessionCoverage::Table(std::string* missing) const {
  std::string table = absl::StrFormat("%-44s %14s %14s %14s\n", "frame kind", "sent", "received", "accepted");
  const auto note = [missing](uint64_t count, absl::string_view name) {
    if (count == 0 && missing != nullptr) absl::StrAppend(missing, name, "\n");
  };
  for (size_t i = 0; i < kKinds; ++i) {
    const bool real = i > 0 && i + 1 < kKinds;  // a session sends no others
    absl::StrAppendFormat(&table, "%-44s %14s %14u %14u\n", kKindNames[i], real ? absl::StrCat(planned[i]) : "-",
                          consumed[i], accepted[i]);
    if (real) note(planned[i], absl::StrCat("frame kind sent: ", kKindNames[i]));
    note(i == 0 ? consumed[i] : accepted[i], absl::StrCat("frame kind received: ", kKindNames[i]));
  }
  absl::StrAppendFormat(&table, "%-44s %14s\n", "event", "times");
  for (size_t i = 0; i < kEventCount; ++i) {
    absl::StrAppendFormat(&table, "%-44s %14u\n", kEventNames[i], events[i]);
    note(events[i], absl::StrCat("event: ", kEventNames[i]));
  }
  absl::StrAppendFormat(&table, "%-44s %14s\n", "session state", "seen");
  for (size_t i = 0; i < kStateCount; ++i) {
    absl::StrAppendFormat(&table, "%-44s %14u\n", kStateNames[i], states[i]);
    note(states[i], absl::StrCat("session state: ", kStateNames[i]));
  }
  return table;
}

void SessionInspector::Record(const Session& session, SessionCoverage* coverage) {
  const auto mark = [coverage](size_t state, bool in) { coverage->states[state] += in ? 1 : 0; };
  const Session& s = session;
  mark(kBeforeHello, !s.hello_sent_ && !s.hello_received_);
  mark(kHelloSentOnly, s.hello_sent_ && !s.hello_received_);
  mark(kHelloReceivedOnly, !s.hello_sent_ && s.hello_received_);
  mark(kEstablished, s.hello_sent_ && s.hello_received_ && !s.dead_);
  mark(kWeDrain, s.drain_started_);
  mark(kPeerDrains, s.peer_drains_);
  mark(kRefusalsWait, !s.refusals_.empty());
  mark(kPingWaits, s.ping_due_);
  mark(kPongWaits, s.pong_due_);
  mark(kFarewellWaits, s.dead_ && s.farewell_due_);
  mark(kDead, s.dead_);
  mark(kPeerAtItsLimit, s.peer_calls_ >= s.options_.max_concurrent_calls);
  for (const SessionCall* c = s.control_.front(); c != nullptr; c = Session::CallListControl::Next(c)) {
    mark(c->cancel_pending_ ? kCancelWaits : kCreditWaits, true);
  }
  for (const auto* list : {&s.owned_, &s.orphans_}) {
    for (const SessionCall* c = list->front(); c != nullptr; c = Session::CallListAll::Next(c)) {
      RecordCall(s, *c, coverage);
    }
  }
}

void SessionInspector::RecordCall(const Session& session, const SessionCall& c, SessionCoverage* coverage) {
  const auto mark = [coverage](size_t state, bool in) { coverage->states[state] += in ? 1 : 0; };
  const bool partly_out = c.head_ != nullptr && c.offset_ > 0;
  const FrameKind out = partly_out ? c.head_->kind : FrameKind::kHello;
  const FrameKind in = c.assembly_ != nullptr ? c.assembly_->kind : FrameKind::kHello;
  const bool thrown_away = c.assembly_ != nullptr && c.assembly_->discard;
  if (c.own_) {
    mark(kOwnNew, !c.live_ && !c.admitted_ && c.head_ == nullptr && !c.over_);
    mark(kOwnAtHome, session.home_.Contains(&c));
    mark(kOwnAdmitted, c.admitted_ && !c.live_);
    mark(kOwnCallInFragments, out == FrameKind::kCall);
    mark(kOwnOpen, c.live_ && !c.over_);
    mark(kOwnWithoutCredit, c.live_ && !c.over_ && c.send_credit_ <= 0);
    mark(kOwnMessageOutInFragments, out == FrameKind::kMessage);
    mark(kOwnMetadataIn, in == FrameKind::kInitialMetadata);
    mark(kOwnMessageIn, in == FrameKind::kMessage);
    mark(kOwnStatusIn, in == FrameKind::kStatus);
    mark(kOwnDiscarding, thrown_away);
    mark(kOwnCancelled, c.over_ && c.live_ && !c.released_);
    mark(kOwnReleased, c.over_ && c.live_ && c.released_);
    mark(kOwnOver, c.over_ && !c.live_);
  } else {
    mark(kServedCallIn, in == FrameKind::kCall);
    mark(kServedOpen, c.announced_ && c.live_ && !c.remote_closed_);
    mark(kServedHalfClosed, c.announced_ && c.live_ && c.remote_closed_);
    mark(kServedWithoutCredit, c.live_ && c.send_credit_ <= 0);
    mark(kServedMessageIn, in == FrameKind::kMessage);
    mark(kServedDiscarding, thrown_away);
    mark(kServedRefusing, c.refusing_);
    mark(kServedCancelled, c.cancelled_);
    mark(kServedMessageOutInFragments, out == FrameKind::kMessage);
    mark(kServedStatusQueued, c.status_queued_ && c.live_);
    mark(kServedStatusOutInFragments, out == FrameKind::kStatus);
    mark(kServedReleased, c.released_);
    mark(kServedOver, c.over_);
  }
}

// ---- consistency

size_t SessionInspector::records(const Session& session) {
  size_t count = 0;
  for (const auto* list : {&session.owned_, &session.orphans_}) {
    for (const SessionCall* c = list->front(); c != nullptr; c = Session::CallListAll::Next(c)) ++count;
  }
  return count;
}

std::string SessionInspector::Check(const Session& s) {
  uint64_t pending = 0;
  size_t live = 0, queued_own = 0, home = 0;
  uint32_t places = 0, own = 0, peers = 0;
  for (const auto* list : {&s.owned_, &s.orphans_}) {
    for (const SessionCall* c = list->front(); c != nullptr; c = Session::CallListAll::Next(c)) {
      std::string wrong = CheckCall(s, *c, list == &s.owned_);
      if (wrong.empty()) wrong = CheckQueue(s, *c, &pending);
      if (!wrong.empty()) return absl::StrCat("call ", c->id_, c->own_ ? " (own): " : " (served): ", wrong);
      live += c->live_;
      places += c->admitted_;
      own += c->own_ && !c->over_;
      peers += !c->own_ && c->live_;
      queued_own += c->own_ && !c->admitted_ && c->head_ != nullptr;
    }
  }
  for (const SessionCall* c = s.home_.front(); c != nullptr; c = Session::CallListTurn::Next(c)) ++home;
  if (live != s.table_.size()) return absl::StrCat(s.table_.size(), " ids for ", live, " live calls");
  if (places != s.places_taken_) return absl::StrCat(s.places_taken_, " places taken by ", places, " calls");
  if (own != s.own_calls_) return absl::StrCat("own_calls() is ", s.own_calls_, ", there are ", own);
  if (peers != s.peer_calls_) return absl::StrCat("peer_calls() is ", s.peer_calls_, ", there are ", peers);
  if (home != queued_own) return absl::StrCat(home, " calls at home, ", queued_own, " should be");
  if (pending != s.pending_bytes_) return absl::StrCat(s.pending_bytes_, " bytes pending, ", pending, " should be");
  if (s.refusals_.size() > kMaxRefusals) return "too many refusals";
  if (s.peer_calls_ > s.options_.max_concurrent_calls) return "more calls of the peer's than it may have";
  if (!s.dead_ && !s.home_.empty() && !s.peer_drains_ && s.places_taken_ < s.CallLimit()) {
    return "a call waits at home although there is a place";
  }
  return "";
}

std::string SessionInspector::CheckCall(const Session& s, const SessionCall& c, bool owned) {
  if (owned && (c.released_ || !c.announced_)) return "in the list of owned calls without an owner";
  // A call whose block was malformed is dropped with its session.
  if (!owned && !c.released_ && c.announced_ && !s.dead_) return "in the list of orphans with an owner";
  if (c.live_ != (c.id_ != 0 && s.table_.Find(c.id_) == &c)) return "its id is not as live as itself";
  if (c.over_ && !c.own_ && c.live_) return "served, over and live";
  if (c.over_ && (c.head_ != nullptr || (c.assembly_ != nullptr && !c.assembly_->discard))) {
    return "over, and something is kept for it";
  }
  if (s.control_.Contains(&c) && !c.live_) return "a control frame for a call that is not live";
  if (s.control_.Contains(&c) && !c.cancel_pending_ && c.consumed_ == 0) return "a credit frame for nothing";
  if (c.cancel_pending_ && c.live_ && !s.control_.Contains(&c)) return "its cancel is lost";
  if (c.assembly_ != nullptr) {
    const Assembly& a = *c.assembly_;
    if (a.received >= a.total_size) return "an assembly that is complete";
    if (!a.discard && a.block.size() + a.message.size() != a.total_size) return "an assembly of another size";
    if (!a.discard && a.message.size() > s.options_.max_receive_message) return "an assembly over the limit";
  }
  const bool counts = c.live_ && !c.over_ && !c.cancelled_ && !c.refusing_ && !c.remote_closed_ && !c.released_;
  // A status may come in the middle of a message, whose credit is then nobody's any more.
  const bool ending = c.assembly_ != nullptr && c.assembly_->kind == FrameKind::kStatus;
  if (counts && !ending && !s.dead_) {
    int64_t sum = c.receive_credit_ + static_cast<int64_t>(c.delivered_ + c.consumed_);
    if (c.assembly_ != nullptr && c.assembly_->kind == FrameKind::kMessage) {
      sum += c.assembly_->total_size - c.assembly_->block_size + static_cast<int64_t>(kMessageCost);
    }
    if (sum != s.options_.initial_credit) return absl::StrCat("credit adds up to ", sum);
  }
  return "";
}

std::string SessionInspector::CheckQueue(const Session& s, const SessionCall& c, uint64_t* pending) {
  const Unit* last = nullptr;
  for (const Unit* unit = c.head_; unit != nullptr; unit = unit->next) {
    *pending += sizeof(Unit) + unit->block.size() + unit->message.size();
    last = unit;
  }
  if (last != c.tail_) return "its queue's tail is not the last";
  if (c.head_ == nullptr && c.offset_ != 0) return "part of nothing was planned";
  const bool at_home = c.own_ && !c.admitted_;
  const bool ready = c.head_ != nullptr && !at_home && (c.offset_ > 0 || s.MayStart(c, c.head_->kind));
  if (ready != s.ready_.Contains(&c)) return ready ? "it could send and has no turn" : "it has a turn and cannot send";
  return "";
}

}  // namespace nearcall::internal

#if defined(__clang__)
#pragma clang attribute pop
#endif
