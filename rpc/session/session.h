// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// Session: the state machine that multiplexes calls over one connection and cuts messages into frames. It does no I/O,
// owns no thread and reads no clock; it plans frames that the connection carries out, and consumes frames that the
// connection borrowed. It holds no payload but messages being assembled and units that wait for the medium.
//
//   SessionCall* call = session.NewCall(this_call);                   // sending
//   if (session.CanSend(*call, FrameKind::kCall) && room for one frame) {
//     session.Sent(call, {FrameKind::kCall, kWithMessage}, block.size(), message.size(), space);   // 16 bytes
//     ... copy block and message behind them, commit
//   } else {
//     session.Enqueue(call, std::move(unit));
//   }
//   for (FramePlan plan; session.Plan(max_frame, &plan);) { ... reserve, copy, commit; session.Planned(plan); }
//
//   SessionEvent event = session.Consume(frame.bytes, MonotonicNanos());   // receiving: one frame, at most one event
//
// Thread safety: none; the connection's lock guards it. Lifetime: SessionCalls belong to the session; a call's owner
// may use its pointer until Release(). Errors: a peer that breaks the protocol gives a kViolation event, once; the
// connection must then be closed with its status, and the session not be used but for Plan() and Planned(), which give
// at most one more frame (it tells the peer why), Release(), ForEachCall() and destruction.
#ifndef NEARCALL_RPC_SESSION_SESSION_H_
#define NEARCALL_RPC_SESSION_SESSION_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "nearcall/rpc/session/call_list.h"
#include "nearcall/rpc/session/id_table.h"
#include "nearcall/rpc/session/session_call.h"
#include "nearcall/rpc/session/session_types.h"
#include "nearcall/rpc/wire/bytes.h"
#include "nearcall/rpc/wire/frame.h"

namespace nearcall::internal {

class Session {
 public:
  explicit Session(const SessionOptions& options);  // its hello is the first frame planned
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  // ---- calls
  // A new call of this side. `owner` is what SessionCall::owner() gives. No id before its kCall unit is planned.
  // REQUIRES: !draining() (otherwise it would wait at home for ever).
  SessionCall* NewCall(void* owner);
  // The owner takes no further interest. A call of ours that is not over is cancelled: what waits is dropped, a cancel
  // is sent if the peer may know the call, and its place under the peer's limit stays taken until the peer's status
  // comes. Of a served call whatever is queued still goes out. REQUIRES: a served call has had its kStatus unit.
  void Release(SessionCall* call);
  // Cancels a call of ours, as Release() does, but keeps the record: no event will name it again.
  void Cancel(SessionCall* call);

  // ---- sending: a unit now, or queued
  // Whether a unit of this kind may be planned at once and as one frame (if it fits): hello is out, nothing is queued
  // before it, the peer's limits allow it. False too when the call is over (then Enqueue() drops the unit).
  bool CanSend(const SessionCall& call, FrameKind kind) const;
  // Records that exactly this unit goes out now as one frame, and writes its session header (16 bytes).
  // REQUIRES: CanSend(*call, kind), block_size <= kMaxBlockSize.
  void Sent(SessionCall* call, UnitKind unit, size_t block_size, size_t message_size, char* header);
  // Queues behind what this call has queued. RESOURCE_EXHAUSTED: over max_pending_bytes (never for a half-close or a
  // status without message), a block over kMaxBlockSize, or a unit of 4 GiB; nothing was queued. A unit of a call that
  // is over, or but for kStatus was cancelled by the peer, is dropped: OK.
  absl::Status Enqueue(SessionCall* call, std::unique_ptr<Unit> unit);
  bool Queued(const SessionCall& call) const;  // has units that are not wholly planned

  // ---- planning: the next frame to write, control frames first, calls in turn
  // False: nothing to send now. Changes nothing. REQUIRES: max_frame >= kMinFrame.
  bool Plan(size_t max_frame, FramePlan* plan);
  void Planned(const FramePlan& plan);  // the plan was carried out. REQUIRES: nothing else was called since Plan()
  bool HasOutput() const;               // Plan() would give something

  // ---- receiving
  SessionEvent Consume(absl::Span<const char> frame, int64_t now_ns);
  // The owner has taken a stream message of `bytes` off its hands; once for each kMessage event: credit flows back (in
  // batches).
  void Consumed(SessionCall* call, size_t bytes);

  // ---- the connection
  void SetHelloClock(int64_t now_ns) { hello_clock_ns_ = now_ns; }  // for a hello that goes out later than planned
  void Ping(uint64_t value);
  void StartDrain(absl::string_view why);  // new calls of the peer are refused as not-started from now on
  bool drain_started() const;
  bool draining() const;  // the peer's drain has come: no new calls here
  std::vector<SessionCall*>
  TakeNotStarted();  // after kDrain: calls of ours that the peer will not serve; they are over
  bool hello_received() const;
  uint32_t peer_calls() const;        // of the peer's, not over
  uint32_t own_calls() const;         // of ours, not over, also those that wait at home
  uint64_t peer_max_message() const;  // UINT64_MAX before its hello
  uint64_t next_sequence() const {
    return next_sequence_;
  }  // SessionCall::sequence() of calls to come is at least this
  // Every call that still has an owner; for a connection that is gone. The function may Release() the call it is given.
  void ForEachCall(absl::FunctionRef<void(SessionCall*)> function);

 private:
  friend class SessionInspector;  // of the tests
  enum class Source : uint8_t { kNone, kFarewell, kHello, kPong, kPing, kDrain, kRefusal, kCredit, kCancel, kUnit };
  struct Refusal {  // of a call of the peer's that has no record here: the status that it gets
    enum class Why : uint8_t { kTooMany, kDraining, kTooLarge, kNoMemory, kCancelled };
    uint32_t call_id;
    Why why;
    uint64_t size;
  };
  struct Incoming {  // a frame
    FrameHeader header;
    absl::Span<const char> body;
    bool more() const { return (header.flags & kMore) != 0; }
    bool has_message() const { return (header.flags & kWithMessage) != 0; }
    uint32_t message_size() const { return header.total_size - header.block_size; }
    absl::Span<const char> block() const { return body.subspan(0, header.block_size); }  // of a unit in one frame
    absl::Span<const char> message() const { return body.subspan(header.block_size); }
  };
  using CallListAll = CallList<SessionCall, &SessionCall::all_>;
  using CallListTurn = CallList<SessionCall, &SessionCall::turn_>;
  using CallListControl = CallList<SessionCall, &SessionCall::control_>;

  // session.cc: records and their ends
  SessionCall* AllocateCall(bool own);
  void FreeCall(SessionCall* call);  // REQUIRES: not live, in no list, nothing queued
  void MakeLive(SessionCall* call, uint32_t id);
  void EndLife(SessionCall* call);  // both sides know that it is over: drops everything, the record too if released
  void SetOver(SessionCall* call);
  void EndNotServed(SessionCall* call);
  void FreePlace(SessionCall* call);
  void DropQueue(SessionCall* call, bool keep_status);
  bool Owns(uint32_t id) const { return (id >> 31) == (connector_ ? 0u : 1u); }

  // outgoing.cc: what goes out when
  uint32_t CallLimit() const { return hello_received_ ? peer_max_calls_ : kConcurrencyBeforeHello; }
  uint64_t PeekSequence() const;
  uint32_t IdOf(uint64_t sequence) const;
  void Admit();
  bool MayStart(const SessionCall& call, FrameKind kind) const;
  void UpdateTurn(SessionCall* call);
  void UnitStarts(SessionCall* call, FrameKind kind, size_t message_size);
  void UnitEnds(SessionCall* call, FrameKind kind);
  void PopUnit(SessionCall* call);
  bool PlanControl(size_t max_frame, FramePlan* plan);
  bool PlanUnit(size_t max_frame, FramePlan* plan);
  void PlanStatus(uint32_t call_id, uint8_t flags, const absl::Status& status, size_t max_frame, FramePlan* plan);
  void PlanBlock(FrameKind kind, uint8_t flags, uint32_t call_id, FramePlan* plan);
  absl::Status RefusalStatus(const Refusal& refusal) const;

  // incoming.cc: what comes in
  void ConsumeFrame(absl::Span<const char> frame, int64_t now_ns, SessionEvent* event);
  void ConsumeOfConnection(const Incoming& in, int64_t now_ns, SessionEvent* event);
  void ConsumeHello(const Incoming& in, int64_t now_ns, SessionEvent* event);
  void ConsumePing(const Incoming& in, SessionEvent* event);
  void ConsumeDrain(const Incoming& in, SessionEvent* event);
  void ConsumeFarewell(const Incoming& in, SessionEvent* event);
  void ConsumeOfCall(const Incoming& in, SessionEvent* event);
  void ConsumeOfNoCall(const Incoming& in, SessionEvent* event);
  void ConsumeNewCall(const Incoming& in, SessionEvent* event);
  void FinishCall(SessionCall* call, const Incoming& in, absl::Span<const char> block, absl::Span<const char> message,
                  SessionEvent* event);
  void ConsumeCredit(SessionCall* call, const Incoming& in, SessionEvent* event);
  void ConsumeCancel(SessionCall* call, const Incoming& in, SessionEvent* event);
  void Refuse(const Incoming& in, Refusal::Why why, SessionEvent* event);
  int64_t LocalDeadline(int64_t peer_ns) const;
  // Each returns false, for `return Violate(...)`. `what` may name $0 and $1.
  bool Violate(const Incoming& in, absl::string_view what, SessionEvent* event, uint64_t number0 = 0,
               uint64_t number1 = 0);
  bool Violate(absl::Status status, SessionEvent* event, bool farewell);

  // assembly.cc: units, in one frame or several
  bool CheckShape(const Incoming& in, SessionEvent* event);
  bool CheckOrder(SessionCall* call, const Incoming& in, SessionEvent* event);
  void StartUnit(SessionCall* call, const Incoming& in, SessionEvent* event);
  void ContinueUnit(SessionCall* call, const Incoming& in, SessionEvent* event);
  void FinishUnit(SessionCall* call, const Incoming& in, absl::Span<const char> block, absl::Span<const char> message,
                  SessionEvent* event);
  void FinishDiscarded(SessionCall* call, FrameKind kind, uint32_t message_size, SessionEvent* event);
  void RefuseMessage(SessionCall* call, absl::Status status, SessionEvent* event);
  void RefuseReply(SessionCall* call, absl::Status status, SessionEvent* event);
  void RefuseForMemory(SessionCall* call, const Incoming& in, SessionEvent* event);
  absl::Status TooLarge(uint64_t size) const;
  absl::Status NoMemory(uint64_t size) const;

  const SessionOptions options_;
  const bool connector_;
  bool dead_ = false;  // a violation was seen
  bool farewell_due_ = false;
  bool hello_sent_ = false;
  bool hello_received_ = false;
  bool drain_due_ = false;
  bool drain_started_ = false;
  bool peer_drains_ = false;
  bool ping_due_ = false;
  bool pong_due_ = false;
  uint32_t peer_max_calls_ = 0;
  uint32_t places_taken_ = 0;  // own calls that count under the peer's limit
  uint32_t own_calls_ = 0;
  uint32_t peer_calls_ = 0;
  uint32_t last_accepted_ = 0;  // id of the peer's newest call that was not refused
  uint32_t drain_last_ = 0;     // what it was when this side began to drain
  uint64_t next_sequence_;
  int64_t peer_credit_ = kMinimumCredit;  // that a stream from here begins with
  uint64_t peer_max_message_ = UINT64_MAX;
  int64_t clock_offset_ns_ = 0;
  int64_t hello_clock_ns_;
  uint64_t ping_value_ = 0;
  uint64_t pong_value_ = 0;
  uint64_t pending_bytes_ = 0;
  std::string drain_why_;
  absl::Status farewell_;
  std::deque<Refusal> refusals_;
  IdTable table_;
  CallListAll owned_;    // records whose owner has not left
  CallListAll orphans_;  // the others
  CallListTurn home_;    // own calls that wait for a place, in order
  CallListTurn ready_;   // calls whose next frame may go, in turn
  CallListControl control_;
  std::vector<SessionCall*> free_;
  Source planned_ = Source::kNone;  // by the last Plan()
  SessionCall* planned_call_ = nullptr;
  std::string scratch_;  // the block of a control frame that is planned
  Bytes last_block_;     // what the views of the last event point into, if it came in fragments
};

}  // namespace nearcall::internal

#endif  // NEARCALL_RPC_SESSION_SESSION_H_
