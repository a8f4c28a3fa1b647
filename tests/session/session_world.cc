// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
#include "nearcall/tests/session/session_world.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "nearcall/rpc/wire/blocks.h"

// A fuzzer's feedback should come from the session, not from who watches it; and be cheap.
#if defined(__clang__)
#pragma clang attribute push(__attribute__((no_sanitize("coverage"))), apply_to = function)
#endif

namespace nearcall::internal {
namespace {

constexpr size_t kDirectFrame = 64 << 10;
constexpr char kPathPrefix[] = "/world.Service/";

size_t KindIndex(absl::Span<const char> frame) {
  if (frame.size() < kFrameHeaderSize) return 0;
  const uint8_t kind = static_cast<uint8_t>(frame[0]);
  return kind >= 1 && kind <= 10 ? kind : SessionCoverage::kKinds - 1;
}

MetadataEntries Metadata(size_t size) {
  if (size == 0) return {};
  return {{"world-bin", std::string(size, 'm')}};
}

bool SameMetadata(absl::Span<const char> encoded, size_t size) {
  MetadataEntries entries;
  return ReadMetadata(encoded, &entries) && entries == Metadata(size);
}

}  // namespace

SessionWorld::SessionWorld(const Options& options, SessionCoverage* coverage)
    : max_calls_(options.max_calls), coverage_(coverage) {
  for (int side : {0, 1}) {
    SessionOptions of_side = options.side[side];
    of_side.connector = side == 0;
    of_side.now_ns = now_ns_;
    sides_[side].session = std::make_unique<Session>(of_side);
    sides_[side].max_pending = of_side.max_pending_bytes;
    sides_[side].max_message = of_side.max_receive_message;
  }
}

SessionWorld::~SessionWorld() = default;

void SessionWorld::Fail(const std::string& what) {
  if (failure_.empty()) failure_ = what.empty() ? "(no text)" : what;
}

void SessionWorld::Look(int side) {
  const Session& session = *sides_[side].session;
  const std::string wrong = SessionInspector::Check(session);
  if (!wrong.empty()) Fail(absl::StrCat("side ", side, ": ", wrong));
  SessionInspector::Record(session, coverage_);
}

// ---- the medium

bool SessionWorld::Plan(int side, size_t max_frame) {
  SideState& self = sides_[side];
  FramePlan plan;
  const bool has_output = self.session->HasOutput();
  if (!self.session->Plan(max_frame, &plan)) {
    if (has_output) Fail("HasOutput() without a plan");
    return false;
  }
  if (!has_output) Fail("a plan without HasOutput()");
  if (plan.size() > max_frame) Fail(absl::StrCat("a frame of ", plan.size(), " bytes, over ", max_frame));
  if (self.dead && ++self.farewells > 1) Fail("more than one frame after a violation");
  std::string frame(plan.header, kFrameHeaderSize);
  frame.append(plan.block.data() == nullptr ? "" : plan.block.data(), plan.block.size());
  frame.append(plan.message.data() == nullptr ? "" : plan.message.data(), plan.message.size());
  self.session->Planned(plan);
  ++coverage_->planned[KindIndex(frame)];
  self.medium.push_back(std::move(frame));
  Look(side);
  return true;
}

bool SessionWorld::Deliver(int side) {
  SideState& self = sides_[side];
  if (self.medium.empty()) return false;
  const std::string frame = std::move(self.medium.front());
  self.medium.pop_front();
  Receive(1 - side, frame);
  return true;
}

bool SessionWorld::Drop(int side) {
  SideState& self = sides_[side];
  if (self.medium.empty()) return false;
  clean_ = false;
  self.medium.pop_front();
  return true;
}

bool SessionWorld::Corrupt(int side, size_t position, uint8_t bits) {
  SideState& self = sides_[side];
  if (self.medium.empty() || bits == 0) return false;
  clean_ = false;
  std::string& frame = self.medium.front();
  char& byte = frame[position % frame.size()];
  byte = static_cast<char>(byte ^ bits);
  return true;
}

void SessionWorld::Inject(int side, absl::Span<const char> frame) {
  clean_ = false;
  Receive(side, std::string(frame.data() == nullptr ? "" : frame.data(), frame.size()));
}

void SessionWorld::Receive(int side, const std::string& frame) {
  SideState& self = sides_[side];
  if (on_frame) on_frame(side, frame);
  // A block of exactly this size: one byte too far is seen by a sanitizer.
  const std::unique_ptr<char[]> bytes(new char[frame.size()]);
  std::memcpy(bytes.get(), frame.data(), frame.size());
  const absl::Span<const char> span(bytes.get(), frame.size());
  const bool was_dead = self.dead;
  SessionEvent event = self.session->Consume(span, now_ns_);
  if (was_dead) {
    if (event.type != SessionEvent::Type::kNone) Fail("an event after a violation");
    return;
  }
  ++coverage_->consumed[KindIndex(span)];
  if (event.type != SessionEvent::Type::kViolation) ++coverage_->accepted[KindIndex(span)];
  ++coverage_->events[static_cast<size_t>(event.type)];
  OnEvent(side, &event);
  Look(side);
}

// ---- events

SessionWorld::Party* SessionWorld::PartyOf(int side, SessionCall* call, const char* event) {
  if (call == nullptr || call->owner() == nullptr) {
    Fail(absl::StrCat("a ", event, " event without a call that has an owner"));
    return nullptr;
  }
  Party* party = static_cast<Party*>(call->owner());
  for (const auto& known : sides_[side].parties) {
    if (known.get() != party) continue;
    if (party->over || (!party->own && call->over())) {
      Fail(absl::StrCat("a ", event, " event for a call that is over"));
      return nullptr;
    }
    return party;
  }
  Fail(absl::StrCat("a ", event, " event for a call that was released"));
  return nullptr;
}

void SessionWorld::OnEvent(int side, SessionEvent* event) {
  using Type = SessionEvent::Type;
  SideState& self = sides_[side];
  Party* party = nullptr;
  const auto of_call = [&](const char* name) { return (party = PartyOf(side, event->call, name)) != nullptr; };
  switch (event->type) {
    case Type::kNone:
    case Type::kHello:
    case Type::kPong:
      break;
    case Type::kCall:
      OnCall(side, event);
      break;
    case Type::kInitialMetadata:
      if (of_call("initial metadata") && !party->own) Fail("initial metadata from a caller");
      break;
    case Type::kMessage:
      if (of_call("message")) OnMessage(party, event);
      break;
    case Type::kHalfClose:
      if (!of_call("half-close")) break;
      if (party->own || std::exchange(party->remote_closed, true)) Fail("a half-close too many");
      break;
    case Type::kStatus:
      if (of_call("status")) OnStatus(party, event);
      break;
    case Type::kCancel:
      if (of_call("cancel") && (party->own || std::exchange(party->cancelled, true))) Fail("a cancel too many");
      break;
    case Type::kWritable:
      if (of_call("writable") && event->call->send_credit() <= 0) Fail("writable without credit");
      break;
    case Type::kTooLarge:
      if (of_call("too large")) OnTooLarge(party);
      break;
    case Type::kDrain:
      TakeNotStarted(side);
      break;
    case Type::kViolation:
      self.dead = true;
      if (event->status.ok()) Fail("a violation that is OK");
      if (clean_) Fail(absl::StrCat("side ", side, " sees a violation: ", event->status.ToString()));
      break;
  }
}

void SessionWorld::OnCall(int side, SessionEvent* event) {
  auto party = std::make_unique<Party>();
  party->call = event->call;
  party->remote_closed = event->has_message;
  if (event->call->owner() != nullptr || event->call->own()) Fail("a new call that has an owner, or is our own");
  if (clean_) {
    uint64_t number = 0;
    absl::string_view path = event->path;
    if (!absl::ConsumePrefix(&path, kPathPrefix) || !absl::SimpleAtoi(path, &number) ||
        conversations_.count(number) == 0) {
      return Fail("a call of nobody's");
    }
    party->conversation = conversations_[number];
    if (std::exchange(party->conversation->served, true)) Fail("a call that came twice");
    if (!SameMetadata(event->metadata, party->conversation->metadata)) Fail("other metadata");
    if (event->has_message) CheckMessage(&party->conversation->to_server, event->message);
  }
  event->call->set_owner(party.get());
  sides_[side].parties.push_back(std::move(party));
}

void SessionWorld::CheckMessage(std::deque<Message>* expected, absl::Span<const char> message) {
  if (expected->empty()) return Fail("a message that nobody sent");
  const Message sent = expected->front();
  expected->pop_front();
  if (sent.size != message.size())
    return Fail(absl::StrCat("a message of ", message.size(), " instead of ", sent.size));
  if (message.empty()) return;
  const bool same = static_cast<uint8_t>(message[0]) == sent.seed &&
                    std::memcmp(message.data(), message.data() + 1, message.size() - 1) == 0;
  if (!same) Fail("a message of other bytes");
}

void SessionWorld::OnMessage(Party* party, SessionEvent* event) {
  if (party->remote_closed) Fail("a message after the half-close");
  if (party->refused) Fail("a message after one that was too large");
  if (party->cancelled) Fail("a message after the cancel");
  if (clean_ && party->conversation != nullptr) {
    Conversation& conversation = *party->conversation;
    CheckMessage(party->own ? &conversation.to_client : &conversation.to_server, event->message);
  }
  party->unread.push_back(event->message.size());
}

void SessionWorld::OnStatus(Party* party, SessionEvent* event) {
  if (!party->own) Fail("a status of a served call");
  if (!event->call->over()) Fail("a status, and the call is not over");
  party->over = true;
  if (!clean_ || party->conversation == nullptr) return;
  Conversation& conversation = *party->conversation;
  if (event->not_started) {
    if (conversation.served) Fail("not started, and it was served");
    return;
  }
  const bool refused = event->status.code() == absl::StatusCode::kResourceExhausted;
  if (refused && (!conversation.finished || conversation.code != 8)) return;  // by a session: its limit
  if (!conversation.finished) return Fail(absl::StrCat("a status that nobody gave: ", event->status.ToString()));
  if (refused && !event->has_message) return;  // perhaps its reply was too large
  if (static_cast<int>(event->status.code()) != conversation.code) Fail("another status");
  if (!SameMetadata(event->metadata, conversation.trailing)) Fail("other trailing metadata");
  if (event->has_message) CheckMessage(&conversation.to_client, event->message);
  if (!conversation.to_client.empty()) Fail("a status before the messages");
}

void SessionWorld::OnTooLarge(Party* party) {
  if (party->own) Fail("too large, at a caller");
  party->refused = true;
}

void SessionWorld::TakeNotStarted(int side) {
  for (SessionCall* call : sides_[side].session->TakeNotStarted()) {
    Party* party = PartyOf(side, call, "not started");
    if (party == nullptr) return;
    party->over = true;
    if (!call->over()) Fail("not started, and not over");
    if (clean_ && party->conversation != nullptr && party->conversation->served)
      Fail("drained away, and it was served");
  }
}

// ---- the owners

template <class F>
SessionWorld::Party* SessionWorld::Pick(int side, size_t which, F can) const {
  const SideState& self = sides_[side];
  if (self.dead) return nullptr;
  for (size_t i = 0; i < self.parties.size(); ++i) {
    Party* party = self.parties[(which + i) % self.parties.size()].get();
    if (can(*party)) return party;
  }
  return nullptr;
}

bool SessionWorld::Send(int side, Party* party, UnitKind kind, std::string block, const Content& content) {
  Session& session = *sides_[side].session;
  const uint8_t seed = ++seed_;
  const size_t message_size = (kind.flags & kWithMessage) != 0 ? content.message : 0;
  const bool one_frame = kFrameHeaderSize + block.size() + message_size <= kDirectFrame;
  bool sent = false;
  if (content.direct && one_frame && session.CanSend(*party->call, kind.kind)) {
    std::string frame(kFrameHeaderSize, '\0');
    session.Sent(party->call, kind, block.size(), message_size, frame.data());
    frame += block;
    frame.append(message_size, static_cast<char>(seed));
    ++coverage_->planned[KindIndex(frame)];
    sides_[side].medium.push_back(std::move(frame));
    sent = true;
  } else {
    auto unit = std::make_unique<Unit>();
    unit->kind = kind.kind;
    unit->flags = kind.flags;
    unit->block = std::move(block);
    unit->owned = Bytes(message_size);
    if (message_size != 0) std::memset(unit->owned.data(), seed, message_size);
    unit->message = unit->owned.span();
    const absl::Status status = session.Enqueue(party->call, std::move(unit));
    if (!status.ok() && status.code() != absl::StatusCode::kResourceExhausted) Fail(status.ToString());
    sent = status.ok();
    if (SessionInspector::pending_bytes(session) > sides_[side].max_pending + (1 << 20)) Fail("too much is pending");
  }
  if (sent && (kind.flags & kWithMessage) != 0 && party->conversation != nullptr) {
    (party->own ? party->conversation->to_server : party->conversation->to_client).push_back({message_size, seed});
  }
  Look(side);
  return sent;
}

bool SessionWorld::NewCall(int side, const Content& content) {
  SideState& self = sides_[side];
  if (self.dead || self.session->draining() || self.parties.size() >= max_calls_) return false;
  auto owned = std::make_unique<Party>();
  Party* party = owned.get();
  const uint64_t number = ++calls_;
  party->own = true;
  party->call = self.session->NewCall(party);
  party->conversation = conversations_[number] = std::make_shared<Conversation>();
  party->conversation->metadata = content.metadata;
  self.parties.push_back(std::move(owned));
  Look(side);
  std::string block;
  AppendCall(absl::StrCat(kPathPrefix, number), now_ns_ + 1'000'000'000, Metadata(content.metadata), &block);
  const uint8_t flags = content.with_message ? kWithMessage : 0;
  party->sent_call = Send(side, party, {FrameKind::kCall, flags}, std::move(block), content);
  party->half_closed = content.with_message;
  return true;
}

bool SessionWorld::SendMessage(int side, size_t which, const Content& content) {
  Party* party = Pick(
      side, which, [](const Party& p) { return !p.over && (p.own ? p.sent_call && !p.half_closed : !p.sent_status); });
  if (party == nullptr) return false;
  party->sent_message = true;
  Content message = content;
  message.with_message = true;
  Send(side, party, {FrameKind::kMessage, kWithMessage}, "", message);
  return true;
}

bool SessionWorld::SendInitialMetadata(int side, size_t which, const Content& content) {
  Party* party =
      Pick(side, which, [](const Party& p) { return !p.own && !p.sent_initial && !p.sent_message && !p.sent_status; });
  if (party == nullptr) return false;
  std::string block;
  AppendMetadata(Metadata(content.metadata), &block);
  party->sent_initial = Send(side, party, {FrameKind::kInitialMetadata, 0}, std::move(block), content);
  return true;
}

bool SessionWorld::HalfClose(int side, size_t which) {
  Party* party = Pick(side, which, [](const Party& p) { return p.own && !p.over && p.sent_call && !p.half_closed; });
  if (party == nullptr) return false;
  party->half_closed = Send(side, party, {FrameKind::kHalfClose, 0}, "", {});
  if (!party->half_closed) Fail("a half-close was refused");
  return true;
}

bool SessionWorld::Finish(int side, size_t which, int code, const Content& content) {
  Party* party = Pick(side, which, [](const Party& p) { return !p.own && !p.sent_status; });
  if (party == nullptr) return false;
  const absl::Status status(static_cast<absl::StatusCode>(code % 17), code % 17 == 0 ? "" : "as the world wants it");
  std::string block;
  AppendStatus(status, Metadata(content.metadata), &block);
  const uint8_t flags = content.with_message && status.ok() ? kWithMessage : 0;
  if (party->conversation != nullptr) {
    party->conversation->finished = true;
    party->conversation->code = code % 17;
    party->conversation->trailing = content.metadata;
  }
  party->sent_status = Send(side, party, {FrameKind::kStatus, flags}, std::move(block), content);
  if (!party->sent_status && party->conversation != nullptr) party->conversation->finished = false;
  return true;
}

bool SessionWorld::Cancel(int side, size_t which) {
  Party* party = Pick(side, which, [](const Party& p) { return p.own && !p.over; });
  if (party == nullptr) return false;
  sides_[side].session->Cancel(party->call);
  party->over = true;
  if (!party->call->over()) Fail("cancelled, and not over");
  Look(side);
  return true;
}

void SessionWorld::Forget(int side, Party* party) {
  auto& parties = sides_[side].parties;
  const auto it = std::find_if(parties.begin(), parties.end(), [party](const auto& p) { return p.get() == party; });
  parties.erase(it);
}

bool SessionWorld::Release(int side, size_t which) {
  Party* party = Pick(side, which, [](const Party& p) { return p.own || p.sent_status; });
  if (party == nullptr) return false;
  sides_[side].session->Release(party->call);
  Forget(side, party);
  Look(side);
  return true;
}

bool SessionWorld::TakeMessage(int side, size_t which) {
  Party* party = Pick(side, which, [](const Party& p) { return !p.unread.empty(); });
  if (party == nullptr) return false;
  sides_[side].session->Consumed(party->call, party->unread.front());
  party->unread.pop_front();
  Look(side);
  return true;
}

void SessionWorld::Ping(int side, uint64_t value) {
  if (sides_[side].dead) return;
  sides_[side].session->Ping(value);
  Look(side);
}

void SessionWorld::StartDrain(int side) {
  if (sides_[side].dead) return;
  sides_[side].session->StartDrain("the world ends");
  Look(side);
}

uint32_t SessionWorld::LiveId(int side, bool own, size_t which) const {
  const Party* party = Pick(side, which, [own](const Party& p) { return p.own == own && p.call->started(); });
  return party == nullptr ? 0 : party->call->id();
}

// ---- ends

bool SessionWorld::SettleOnce(int side) {
  bool moved = false;
  while (Plan(side, kDirectFrame)) moved = true;
  while (Deliver(side)) moved = true;
  while (TakeMessage(side, 0)) moved = true;
  while (HalfClose(side, 0)) moved = true;
  for (size_t i = 0; i < sides_[side].parties.size() && Finish(side, i, 0, {}); ++i) moved = true;
  for (size_t i = 0; i < sides_[side].parties.size();) {
    Party* party = sides_[side].parties[i].get();
    const bool done = party->own ? party->over || !party->sent_call : party->call->over();
    if (!done || sides_[side].dead) {
      ++i;
      continue;
    }
    sides_[side].session->Release(party->call);
    sides_[side].parties.erase(sides_[side].parties.begin() + static_cast<std::ptrdiff_t>(i));
    Look(side);
    moved = true;
  }
  return moved;
}

void SessionWorld::Settle() {
  int rounds = 0;
  for (bool moved = true; moved && failure_.empty();) {
    moved = SettleOnce(0);
    moved = SettleOnce(1) || moved;
    if (++rounds > 20'000) return Fail("the world does not come to rest");
  }
  if (!clean_) return;
  for (int side : {0, 1}) {
    const Session& session = *sides_[side].session;
    const std::string at = absl::StrCat("at rest, side ", side, ": ");
    if (!sides_[side].parties.empty()) Fail(absl::StrCat(at, sides_[side].parties.size(), " calls are not over"));
    if (session.own_calls() != 0 || session.peer_calls() != 0) Fail(at + "calls are counted");
    if (SessionInspector::pending_bytes(session) != 0) Fail(at + "bytes are pending");
    if (SessionInspector::records(session) != 0) Fail(at + "records remain");
  }
}

void SessionWorld::Lose() {
  clean_ = false;
  for (int side : {0, 1}) {
    SideState& self = sides_[side];
    size_t told = 0;
    const size_t owners = self.parties.size();
    self.session->ForEachCall([&](SessionCall* call) {
      ++told;
      Party* party = static_cast<Party*>(call->owner());
      self.session->Release(call);
      if (party == nullptr) return Fail("a lost call without an owner");
      Forget(side, party);
    });
    if (told != owners || !self.parties.empty()) Fail(absl::StrCat(told, " of ", owners, " owners heard of the loss"));
    self.dead = true;
  }
}

}  // namespace nearcall::internal

#if defined(__clang__)
#pragma clang attribute pop
#endif
