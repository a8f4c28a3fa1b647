// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// ServerCall: one call as its server has it, of all four kinds and for all three service forms.
//
// Life: the reader makes it (Init), runs it (Run: the method's handler), which parses the request, passes the reader
// role on and enters user code; Finish() answers, once. Counted: the session's record, the run, a Responder, ops in
// flight. Thread safety: the connection's lock guards the state; user code is never run under it.
#ifndef NEARCALL_RPC_RUNTIME_SERVER_CALL_H_
#define NEARCALL_RPC_RUNTIME_SERVER_CALL_H_

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <exception>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "nearcall/rpc/op.h"
#include "nearcall/rpc/runtime/call_scope.h"
#include "nearcall/rpc/runtime/connection.h"
#include "nearcall/rpc/runtime/message_stream.h"
#include "nearcall/rpc/runtime/strand.h"
#include "nearcall/rpc/runtime/take.h"
#include "nearcall/rpc/server_context.h"
#include "nearcall/rpc/service.h"

namespace nearcall::internal {

class ServerCore;

// A method as a server has it.
struct ServedMethod {
  const MethodHandler* handler;
  ServiceBase* service;
  // Of its recent runs, how many were very short: +1 for each that was, -4 for each that was not.
  std::atomic<int> short_runs{0};

  bool IsShort() const { return short_runs.load(std::memory_order_relaxed) >= 8; }
  void NoteRun(bool was_short) {
    const int runs = short_runs.load(std::memory_order_relaxed);  // a lost update among threads does no harm
    if (was_short && runs == 16) return;
    short_runs.store(was_short ? runs + 1 : std::max(runs - 4, 0), std::memory_order_relaxed);
  }
};

// What a call keeps until its end: the request and stream objects of the asynchronous forms.
struct Kept {
  virtual ~Kept() = default;
};

class ServerCall final : public CallOwner, public StreamCall, public Runnable, private Pool::Timer {
 public:
  ServerCall();
  ~ServerCall() override;
  // Under the connection's lock, by the reader. `method` null: nobody serves the path.
  void Init(Connection& connection, SessionEvent& event, ServedMethod* method, Connection::Batch* batch);
  void Run() override;

  // ---- for the handlers of generated code
  ServerContext& context() { return context_; }
  bool ParseRequest(Message* request);  // false: it does not parse, and that is answered
  // The handler runs while this lives; the reader role goes on to another thread, unless the method is very short.
  class UserCode {
   public:
    explicit UserCode(ServerCall& call);
    ~UserCode();
    UserCode(const UserCode&) = delete;
    UserCode& operator=(const UserCode&) = delete;

   private:
    ServedMethod* const method_;
    Connection::Batch* const batch_;  // null: the thread has not read the call
    Worker* const worker_;            // null: not a pool's thread
    bool keeps_role_ = false;
  };
  template <class Body>
  void RunBlocking(Body&& body);  // as the current call of this thread; what it throws is answered
  template <class Body>
  void Guard(Body&& body);  // what it throws is answered
  void Finish(const absl::Status& status);
  void FinishWith(const Message& reply);
  void Keep(std::unique_ptr<Kept> kept) { kept_ = std::move(kept); }
  void Ref() { references_.fetch_add(1, std::memory_order_relaxed); }
  void Unref() {
    if (references_.fetch_sub(1, std::memory_order_acq_rel) == 1) Destroy();
  }

  // ---- the stream objects
  bool Read(Message* request);
  template <class Request>
  Op<std::optional<Request>> Next() {
    return Op<std::optional<Request>>(stream_.StartRead(), &TakeMessage<Request>);
  }
  bool Write(const Message& reply) { return stream_.Write(reply); }
  Op<bool> Send(const Message& reply) { return Op<bool>(stream_.StartWrite(reply), &TakeSent); }

  // ---- the context
  int64_t deadline_ns() const { return deadline_ns_; }
  bool IsCancelled() const { return cancelled_.load(std::memory_order_acquire); }
  void OnCancel(absl::AnyInvocable<void() &&> callback);
  const Peer& peer() const { return *connection_->peer(); }
  const Metadata& metadata();
  Metadata& initial_metadata() { return initial_; }
  Metadata& trailing_metadata() { return trailing_; }
  std::shared_ptr<CallScope> scope();  // made if need be

  // CallOwner
  void OnEvent(Connection& connection, SessionEvent& event) override;
  void OnUnitPlanned() override { stream_.OnUnitPlannedLocked(); }
  void OnLost(Connection& connection, const absl::Status& why, bool not_started) override;

  // StreamCall
  Connection& connection() override { return *connection_; }
  SessionCall* session_call() override { return session_call_; }
  int64_t wait_deadline() const override { return kNoDeadline; }  // the deadline's timer cancels the call
  void OnWaitDeadline() override {}
  void BeforeWriteLocked() override;
  void PostCompletion(Runnable* run) override;
  const char* path() const override { return method_->handler->method->path; }
  void RefCall() override { Ref(); }
  void UnrefCall() override { Unref(); }
  void FailCall(const absl::Status& status) override;
  void Refuse(const absl::Status& status) override;

 private:
  friend class ServerCore;
  class CancelRun;
  class CurrentScope;

  ServerCore& server() const;
  void OnTimer() override;
  void CancelLocked(bool deadline);
  void RunCancel();
  absl::Status CheckBeforeRun() const;
  void RunIntercepted();
  void LeaveFrame();
  absl::Status SendStatusLocked(absl::Status status, const Message* reply, size_t size, Bytes* serialized);
  absl::Status UnheardLocked() const;
  void FinishCommon(const absl::Status& status, const Message* reply);
  void Destroy();
  void Reset();

  std::atomic<int> references_{1};
  std::shared_ptr<Connection> connection_;
  SessionCall* session_call_ = nullptr;
  ServedMethod* method_ = nullptr;
  Connection::Batch* batch_ = nullptr;  // while the thread that read the call still holds frame and reader role
  std::string unknown_path_;
  int64_t deadline_ns_ = kNoDeadline;
  bool has_request_ = false;
  absl::Span<const char> request_;  // into the batch's frame, or one of the next two
  std::string small_request_;
  Bytes large_request_;
  std::string encoded_metadata_;
  bool metadata_decoded_ = false;
  Metadata metadata_;
  Metadata initial_;
  Metadata trailing_;
  bool initial_sent_ = false;
  std::string block_;
  std::unique_ptr<Kept> kept_;
  absl::Status failed_;  // this side can't go on: what is answered in place of OK

  bool deadline_passed_ = false;  // then failed_ is answered, whatever the handler says
  bool refused_ = false;          // then too
  bool finished_ = false;
  std::atomic<bool> cancelled_{false};
  bool timer_scheduled_ = false;
  absl::AnyInvocable<void() &&> on_cancel_;
  bool on_cancel_set_ = false;
  std::thread::id on_cancel_thread_;  // where the callback runs right now
  std::condition_variable on_cancel_done_;
  std::unique_ptr<CancelRun> cancel_run_;
  std::mutex scope_mutex_;
  std::shared_ptr<CallScope> scope_;
  std::shared_ptr<Strand> strand_;
  MessageStream stream_;
  ServerContext context_;
  ServerCall* next_free_ = nullptr;
};

// The blocking handler that runs on this thread: calls made within inherit from it.
class CurrentCall {
 public:
  explicit CurrentCall(ServerCall* call);
  ~CurrentCall();
  CurrentCall(const CurrentCall&) = delete;
  CurrentCall& operator=(const CurrentCall&) = delete;

 private:
  ServerCall* const previous_;
};

template <class Body>
void ServerCall::Guard(Body&& body) {
  try {
    body();
  } catch (const std::exception& e) {
    Finish(absl::UnknownError(std::string("the handler threw: ") + e.what()));
  } catch (...) {  // not hidden: it is the call's answer
    Finish(absl::UnknownError("the handler threw something that is no std::exception"));
  }
}

template <class Body>
void ServerCall::RunBlocking(Body&& body) {
  UserCode user_code(*this);
  CurrentCall current(this);
  Guard(std::forward<Body>(body));
}

// For Responder: answers, and gives its reference back.
inline void FinishAndUnref(ServerCall* call, const absl::Status& status) {
  call->Finish(status);
  call->Unref();
}
inline void FinishAndUnref(ServerCall* call, const Message& reply) {
  call->FinishWith(reply);
  call->Unref();
}

}  // namespace nearcall::internal

#endif  // NEARCALL_RPC_RUNTIME_SERVER_CALL_H_
