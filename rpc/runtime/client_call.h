// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// ClientCall: one call as its client has it, of all four kinds: the result behind an Op, the owner of a session's
// record. Unary calls come from and go back to their channel's stock, so that none is allocated in the steady state.
//
// Which connection. Dispatch() binds the call to one and sends; a call that the server provably has not started (it was
// still at home, or came back so) is dispatched again, on another connection, by whoever waits for it (its end, a
// message, the initial metadata), while its request is kept. Thread safety: the bound connection's lock guards the
// state; bind_mutex_ the binding against Cancel() from other threads (bind_mutex_ before the connection's lock). To
// bind it again takes the locks of both connections: see LockBound().
#ifndef NEARCALL_RPC_RUNTIME_CLIENT_CALL_H_
#define NEARCALL_RPC_RUNTIME_CLIENT_CALL_H_

#include <atomic>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "nearcall/rpc/call_options.h"
#include "nearcall/rpc/metadata.h"
#include "nearcall/rpc/runtime/call_scope.h"
#include "nearcall/rpc/runtime/connection.h"
#include "nearcall/rpc/runtime/message_stream.h"
#include "nearcall/rpc/runtime/op_state.h"
#include "nearcall/rpc/service.h"

namespace nearcall::internal {

class ChannelCore;

class ClientCall final : public OpState,
                         public CallOwner,
                         public StreamCall,
                         private CallScope::Child,
                         private Pool::Timer {
 public:
  ClientCall();
  ~ClientCall() override;

  // Starts it; `request` null: the messages follow. Never blocks, never fails: an error is the call's result.
  void Start(const std::shared_ptr<ChannelCore>& channel, std::shared_ptr<Connection> open, const MethodInfo& method,
             const Message* request, const CallOptions& options);

  // OpState: the call's end
  void Wait() override;
  bool Ready() override;
  bool Subscribe(Runnable* completion, bool only_pending) override;
  void Taken() override;
  void Cancel() override;
  void Abandon() override;

  // After the end, by the owner.
  const absl::Status& status() const { return status_; }
  bool ParseReply(Message* reply);  // false: it does not parse, or there is none; status() says so
  absl::Status TakeStatus();        // of a call without one reply
  // What the owner is about to get, shown to the hooks. REQUIRES: there are some. False: status() is an error.
  bool EndHooks(const Message* reply);

  MessageStream& stream() { return stream_; }
  void DropUnread();                         // from now on stream messages are read off and dropped
  void EndWith(const absl::Status& status);  // by this side; nothing if it has ended
  const Metadata& WaitForInitialMetadata();  // blocks until it has come, or the call's end
  const Metadata& trailing_metadata() const { return trailing_; }
  bool streams_requests() const { return !has_request_; }
  bool wait_for_ready() const { return wait_for_ready_; }

  // CallOwner
  void OnEvent(Connection& connection, SessionEvent& event) override;
  void OnUnitPlanned() override { stream_.OnUnitPlannedLocked(); }
  void OnLost(Connection& connection, const absl::Status& why, bool not_started) override;

  // StreamCall
  Connection& connection() override { return *bound_.load(std::memory_order_acquire); }
  std::shared_ptr<Connection> KeepBound() override;
  bool LostLocked() const override { return retry_; }
  void GoOn() override { Dispatch(); }
  void OnAwaitedLocked() override { StartTimerLocked(); }
  SessionCall* session_call() override { return session_call_; }
  int64_t wait_deadline() const override { return deadline_ns_; }
  void OnWaitDeadline() override;
  void PostCompletion(Runnable* run) override;
  const char* path() const override { return method_->path; }
  void RefCall() override { Ref(); }
  void UnrefCall() override { Unref(); }
  void FailCall(const absl::Status& status) override { EndWith(status); }
  void Refuse(const absl::Status& status) override;

 private:
  class Retry;
  friend class ChannelCore;

  void Destroy() override;
  void Reset();  // as new, but for the buffers' room
  void OnScopeCancelled() override;
  void OnTimer() override;
  bool Prepare(const MethodInfo& method, const Message* request, const CallOptions& options);
  absl::Status PrepareBlock(const Metadata& metadata);
  absl::Status PrepareIntercepted(const Message* request, Metadata metadata);
  void Dispatch();
  void DispatchBound(std::shared_ptr<Connection> connection);
  bool SendTo(std::shared_ptr<Connection> to, absl::Status* why);
  void BindLocked(std::shared_ptr<Connection> to);
  absl::Status SendLocked(Connection& connection);
  void OnStatusLocked(Connection& connection, SessionEvent& event);
  void FinishLocked(absl::Status status);
  void StartTimerLocked();
  absl::Status DeadlineStatus() const;

  std::shared_ptr<ChannelCore> channel_;
  const MethodInfo* method_ = nullptr;
  int64_t deadline_ns_ = kNoDeadline;
  bool wait_for_ready_ = false;
  bool has_request_ = false;
  std::shared_ptr<CallScope> scope_;
  std::shared_ptr<ResponseMetadata> response_metadata_;
  std::string block_;          // the call's header block
  std::string small_request_;  // kept until the end, for another try
  Bytes large_request_;
  absl::Span<const char> request_;

  std::mutex bind_mutex_;
  std::shared_ptr<Connection> connection_;
  std::atomic<Connection*> bound_{nullptr};  // the same, for who has no lock yet
  // Earlier ones, whose lock somebody may be about to take: as many as attempts. One that waits for ready has any
  // number of them; there whoever locks keeps the connection (KeepBound).
  std::vector<std::shared_ptr<Connection>> left_;
  bool cancelled_ = false;  // under bind_mutex_: no new binding
  absl::Status cancel_status_;
  int attempts_ = 0;

  SessionCall* session_call_ = nullptr;
  bool over_ = false;
  bool retry_ = false;  // lost, provably not started: to be dispatched again
  absl::Status status_;
  bool has_reply_ = false;
  absl::Span<const char> reply_;  // into one of the next three
  bool holding_frame_ = false;    // the connection's, with the reader role
  std::string small_reply_;
  Bytes large_reply_;
  Metadata initial_;
  Metadata trailing_;
  bool initial_received_ = false;
  bool drop_unread_ = false;
  bool unattended_ = false;
  bool timer_scheduled_ = false;
  Waiter* waiter_ = nullptr;
  Waiter* initial_waiter_ = nullptr;
  Runnable* completion_ = nullptr;
  std::unique_ptr<Retry> retry_run_;
  std::atomic<bool> retry_posted_{false};
  MessageStream stream_;
  ClientCall* next_free_ = nullptr;  // in the channel's stock
};

}  // namespace nearcall::internal

#endif  // NEARCALL_RPC_RUNTIME_CLIENT_CALL_H_
