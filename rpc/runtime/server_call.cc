// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
#include "nearcall/rpc/runtime/server_call.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "nearcall/rpc/runtime/blocking.h"
#include "nearcall/rpc/runtime/fork_guard.h"
#include "nearcall/rpc/runtime/server_core.h"
#include "nearcall/rpc/wire/blocks.h"

namespace nearcall::internal {
namespace {

thread_local ServerCall* current_call = nullptr;

constexpr size_t kSmallMessage = 16 << 10;  // up to here buffers are kept, and replies written under the lock

bool OneRequest(MethodKind kind) { return kind == MethodKind::kUnary || kind == MethodKind::kServerStreaming; }

}  // namespace

CurrentCall::CurrentCall(ServerCall* call) : previous_(std::exchange(current_call, call)) {}
CurrentCall::~CurrentCall() { current_call = previous_; }

std::shared_ptr<CallScope> CurrentScope() { return current_call == nullptr ? nullptr : current_call->scope(); }

// Runs what the call's cancellation sets off, outside all locks.
class ServerCall::CancelRun final : public Runnable {
 public:
  explicit CancelRun(ServerCall* call) : call_(call) {}
  void Run() override {
    call_->RunCancel();
    call_->Unref();
  }

 private:
  ServerCall* const call_;
};

ServerCall::ServerCall() : stream_(this), context_(this) {}
ServerCall::~ServerCall() = default;

ServerCore& ServerCall::server() const { return *static_cast<ServerCore*>(connection_->host()); }

void ServerCall::Init(Connection& connection, SessionEvent& event, ServedMethod* method, Connection::Batch* batch) {
  connection_ = connection.shared_from_this();
  session_call_ = event.call;
  session_call_->set_owner(static_cast<CallOwner*>(this));
  Ref();  // the session's
  method_ = method;
  batch_ = batch;
  if (method == nullptr) unknown_path_ = std::string(event.path);
  deadline_ns_ = event.deadline_ns;
  has_request_ = event.has_message;
  if (!event.assembled.empty()) {
    large_request_ = std::move(event.assembled);
    request_ = large_request_.span();
  } else if (batch == nullptr) {
    small_request_.assign(event.message.data(), event.message.size());
    request_ = small_request_;
  } else {
    request_ = event.message;
  }
  if (!event.metadata.empty()) encoded_metadata_.assign(event.metadata.data(), event.metadata.size());
  if (deadline_ns_ != kNoDeadline) {
    timer_scheduled_ = true;
    Ref();  // the timer's
    connection.pool().Schedule(this, deadline_ns_);
  }
}

// ---- running

void ServerCall::Run() {
  if (!server().interceptors().empty()) {
    RunIntercepted();
  } else if (absl::Status status = CheckBeforeRun(); !status.ok()) {
    Finish(status);
  } else {
    method_->handler->handle(*method_->service, *this);
  }
  Unref();
}

absl::Status ServerCall::CheckBeforeRun() const {
  if (method_ == nullptr) return server().Unserved(unknown_path_);
  if (has_request_ != OneRequest(method_->handler->method->kind)) {
    return absl::UnimplementedError(
        absl::StrCat(path(), " takes ", has_request_ ? "a stream of requests" : "one request",
                     " here: client and server were generated from different .proto files"));
  }
  if (deadline_ns_ != kNoDeadline && deadline_ns_ <= MonotonicNanos()) {
    return absl::DeadlineExceededError(absl::StrCat("the deadline of ", path(), " passed before it ran"));
  }
  return absl::OkStatus();
}

// The hooks come first: they see calls that fail here, too.
void ServerCall::RunIntercepted() {
  LeaveFrame();
  bool admitted;
  {
    Pool::UserCodeScope user_code;
    CurrentCall current(this);
    const absl::string_view called = method_ == nullptr ? absl::string_view(unknown_path_) : path();
    absl::Status status = StartHooks(server().interceptors(), called, context_, &hooks_);
    if (status.ok()) status = CheckBeforeRun();
    admitted = status.ok();
    if (!admitted) Finish(status);
  }
  if (admitted) method_->handler->handle(*method_->service, *this);
}

// As if another thread had read the call: hooks are user code, for which reader role and frame are let go.
void ServerCall::LeaveFrame() {
  if (batch_ == nullptr) return;
  if (large_request_.empty()) {
    small_request_.assign(request_.data(), request_.size());
    request_ = small_request_;
  }
  connection_->OfferRole(std::exchange(batch_, nullptr));
}

bool ServerCall::ParseRequest(Message* request) {
  std::optional<Pool::UserCodeScope> user_code;
  if (hooks_ != nullptr) user_code.emplace();
  absl::Status status;
  if (!ParseMessage(request_, request)) {
    status = absl::InternalError(absl::StrCat("the request of ", path(), " (", request_.size(),
                                              " bytes) does not parse as ", request->GetTypeName()));
  } else if (hooks_ != nullptr) {
    CurrentCall current(this);
    status = hooks_->Received(*request);
  }
  if (!status.ok()) Finish(status);
  return status.ok();
}

ServerCall::UserCode::UserCode(ServerCall& call)
    : method_(call.method_), batch_(std::exchange(call.batch_, nullptr)), worker_(Worker::Current()) {
  call.request_ = {};
  if (batch_ != nullptr) {
    keeps_role_ = worker_ != nullptr && worker_->MayKeepRole() && method_->IsShort();
    if (keeps_role_) {
      call.connection_->ReleaseFrame(batch_);
      worker_->PutOffFlushes(call.connection_->HasFrame());
    } else {
      call.connection_->OfferRole(batch_);
    }
  }
  if (worker_ != nullptr) worker_->EnterUserCode(keeps_role_);
}

ServerCall::UserCode::~UserCode() {
  if (worker_ == nullptr) return;
  const bool held = worker_->LeaveUserCode();
  if (keeps_role_) batch_->role_held = held;
  method_->NoteRun(worker_->was_short());
}

bool ServerCall::Read(Message* request) {
  Bytes bytes;
  return stream_.Read(&bytes) && TakeParsed(*this, bytes.span(), request);
}

// ---- answering

void ServerCall::BeforeWriteLocked() {
  if (initial_sent_) return;
  initial_sent_ = true;
  if (initial_.entries().empty() || session_call_ == nullptr) return;
  auto unit = std::make_unique<Unit>();
  unit->kind = FrameKind::kInitialMetadata;
  AppendMetadata(initial_.entries(), &unit->block);
  if (absl::Status status = connection_->session().Enqueue(session_call_, std::move(unit)); !status.ok()) {
    if (failed_.ok()) failed_ = std::move(status);
    return;
  }
  connection_->PumpLocked();
}

// What was sent: not always what the handler said.
absl::Status ServerCall::SendStatusLocked(absl::Status status, const Message* reply, size_t size, Bytes* serialized) {
  Session& session = connection_->session();
  if (reply != nullptr && size > session.peer_max_message()) {
    status = absl::ResourceExhaustedError(absl::StrCat(
        "the reply of ", path(), " has ", size, " bytes, over the client's limit of ", session.peer_max_message()));
    reply = nullptr;
  }
  BeforeWriteLocked();
  if (deadline_passed_ || refused_ || (status.ok() && !failed_.ok())) status = failed_;
  if (status.ok()) status.Update(initial_.status());
  if (status.ok()) status.Update(trailing_.status());
  if (!status.ok()) reply = nullptr;
  block_.clear();
  AppendStatus(status, trailing_.entries(), &block_);
  if (block_.size() > kMaxBlockSize) {
    status = absl::ResourceExhaustedError(
        absl::StrCat("status and trailing metadata have ", block_.size(), " bytes, over the limit of ", kMaxBlockSize));
    block_.clear();
    AppendStatus(status, {}, &block_);
    reply = nullptr;
  }
  if (reply == nullptr) size = 0;
  const UnitKind kind{FrameKind::kStatus, static_cast<uint8_t>(reply != nullptr ? kWithMessage : 0)};
  const bool sent = serialized->empty() && connection_->SendNowLocked(session_call_, kind, block_, size, [&](char* to) {
    if (reply != nullptr) WriteMessage(*reply, to);
  });
  if (!sent) {
    auto unit = std::make_unique<Unit>();
    unit->kind = kind.kind;
    unit->flags = kind.flags;
    unit->block = block_;
    if (reply != nullptr && serialized->empty()) {
      *serialized = Bytes(size);
      WriteMessage(*reply, serialized->data());
    }
    if (reply != nullptr) {
      unit->owned = std::move(*serialized);
      unit->message = unit->owned.span();
    }
    if (absl::Status queued = session.Enqueue(session_call_, std::move(unit)); !queued.ok()) {
      auto refusal = std::make_unique<Unit>();  // over max_pending_bytes: never so without a message
      refusal->kind = FrameKind::kStatus;
      AppendStatus(queued, {}, &refusal->block);
      session.Enqueue(session_call_, std::move(refusal)).IgnoreError();  // Enqueue() says that it takes it
      status = queued;
    }
    connection_->PumpLocked();
  }
  connection_->FlushSoonLocked();
  return status;
}

// How a call ended whose client is not there to be told.
absl::Status ServerCall::UnheardLocked() const {
  const absl::string_view called = method_ == nullptr ? absl::string_view(unknown_path_) : path();
  if (!connection_->ClosedLocked()) return absl::CancelledError(absl::StrCat("the client cancelled ", called));
  return absl::CancelledError(
      absl::StrCat("the client of ", called, " is gone: ", connection_->CloseStatusLocked().message()));
}

void ServerCall::FinishCommon(const absl::Status& status, const Message* reply) {
  if (ForkGuard::Forked()) return;  // the parent answers
  size_t size = 0;
  Bytes serialized;
  if (reply != nullptr) {
    size = MessageSize(*reply);
    if (size > kMaxMessage) {
      return FinishCommon(absl::ResourceExhaustedError(absl::StrCat("the reply of ", path(), " has ", size,
                                                                    " bytes; a message has at most ", kMaxMessage)),
                          nullptr);
    }
    if (size > kSmallMessage) {
      serialized = Bytes(size);
      WriteMessage(*reply, serialized.data());
    }
  }
  std::unique_ptr<Kept> kept;  // ends after the lock: it is user data
  absl::Status ended = status;
  {
    std::unique_lock<std::mutex> lock(connection_->mutex());
    if (finished_) return;
    finished_ = true;
    // The user's callback does not outlive the call.
    if (on_cancel_thread_ != std::thread::id() && on_cancel_thread_ != std::this_thread::get_id()) {
      lock.unlock();
      BlockingScope blocking;
      lock.lock();
      while (on_cancel_thread_ != std::thread::id()) on_cancel_done_.wait(lock);
    }
    if (session_call_ != nullptr) {
      ended = SendStatusLocked(status, reply, size, &serialized);
      if (session_call_ != nullptr) {  // else the connection was lost meanwhile
        connection_->session().Release(std::exchange(session_call_, nullptr));
        Unref();
      }
    }
    if (hooks_ != nullptr && cancelled_) ended = deadline_passed_ ? failed_ : UnheardLocked();
    stream_.OnReadEndLocked();
    stream_.OnWriteEndLocked();
    if (timer_scheduled_ && connection_->pool().Cancel(this)) {
      timer_scheduled_ = false;
      Unref();
    }
    kept = std::move(kept_);
    server().OnCallFinished(*connection_);
  }
  if (hooks_ == nullptr) return;
  CurrentCall none(nullptr);  // calls that are made at the end are not the call's: it may be cancelled
  hooks_->End(ended, trailing_);
}

void ServerCall::Finish(const absl::Status& status) { FinishCommon(status, nullptr); }

void ServerCall::FinishWith(const Message& reply) {
  absl::Status status;
  if (hooks_ != nullptr && !IsCancelled() && !ForkGuard::Forked()) status = hooks_->Sent(reply);
  FinishCommon(status, status.ok() ? &reply : nullptr);
}

// ---- events

void ServerCall::OnEvent(Connection&, SessionEvent& event) {
  using Type = SessionEvent::Type;
  switch (event.type) {
    case Type::kMessage:
      return stream_.OnMessageLocked(event);
    case Type::kHalfClose:
      return stream_.OnReadEndLocked();
    case Type::kWritable:
      return stream_.OnWritableLocked();
    case Type::kTooLarge:
      if (failed_.ok()) failed_ = std::move(event.status);
      stream_.OnReadEndLocked();
      return;
    case Type::kCancel:
      return CancelLocked(false);
    default:
      return;
  }
}

void ServerCall::OnLost(Connection& connection, const absl::Status&, bool) {
  if (session_call_ != nullptr) {
    connection.session().Release(std::exchange(session_call_, nullptr));
    CancelLocked(false);
    Unref();  // never the last: the run or the responder has one
  }
}

void ServerCall::CancelLocked(bool deadline) {
  if (cancelled_.load(std::memory_order_relaxed) || finished_) return;
  cancelled_.store(true, std::memory_order_release);
  if (deadline) {
    deadline_passed_ = true;
    failed_ = absl::DeadlineExceededError(
        absl::StrCat("the deadline of ", method_ == nullptr ? "the call" : path(), " has passed"));
  }
  stream_.ClearInboxLocked();
  stream_.OnReadEndLocked();
  stream_.OnWriteEndLocked();
  if (cancel_run_ == nullptr) cancel_run_ = std::make_unique<CancelRun>(this);
  Ref();
  connection_->pool().Post(cancel_run_.get());
}

void ServerCall::RunCancel() {
  absl::AnyInvocable<void() &&> callback;
  {
    std::lock_guard<std::mutex> lock(connection_->mutex());
    if (on_cancel_set_ && !finished_) {
      callback = std::move(on_cancel_);
      on_cancel_set_ = false;
      on_cancel_thread_ = std::this_thread::get_id();
    }
  }
  if (callback) {
    {
      Pool::UserCodeScope user_code;
      std::move(callback)();
    }
    std::lock_guard<std::mutex> lock(connection_->mutex());
    on_cancel_thread_ = std::thread::id();
    on_cancel_done_.notify_all();
  }
  std::shared_ptr<CallScope> scope;
  {
    std::lock_guard<std::mutex> lock(scope_mutex_);
    scope = scope_;
  }
  if (scope != nullptr) scope->Cancel();
}

void ServerCall::OnTimer() {
  {
    std::lock_guard<std::mutex> lock(connection_->mutex());
    CancelLocked(true);
  }
  Unref();
}

void ServerCall::OnCancel(absl::AnyInvocable<void() &&> callback) {
  if (ForkGuard::Forked()) return;
  {
    std::lock_guard<std::mutex> lock(connection_->mutex());
    if (finished_) return;
    if (!IsCancelled()) {
      on_cancel_ = std::move(callback);
      on_cancel_set_ = true;
      return;
    }
  }
  std::move(callback)();
}

void ServerCall::FailCall(const absl::Status& status) {
  if (ForkGuard::Forked()) return;
  std::lock_guard<std::mutex> lock(connection_->mutex());
  if (failed_.ok()) failed_ = status;
  stream_.ClearInboxLocked();
  stream_.OnReadEndLocked();
  stream_.OnWriteEndLocked();
}

void ServerCall::Refuse(const absl::Status& status) {
  FailCall(status);
  std::lock_guard<std::mutex> lock(connection_->mutex());
  if (deadline_passed_ || std::exchange(refused_, true)) return;
  failed_ = status;
}

void ServerCall::PostCompletion(Runnable* run) {
  if (strand_ == nullptr) strand_ = std::make_shared<Strand>(connection_->shared_pool());
  strand_->Post(run);
}

const Metadata& ServerCall::metadata() {
  if (!metadata_decoded_) {
    metadata_decoded_ = true;
    MetadataEntries entries;
    if (ReadMetadata(encoded_metadata_, &entries)) AppendReceived(std::move(entries), &metadata_);
  }
  return metadata_;
}

std::shared_ptr<CallScope> ServerCall::scope() {
  if (ForkGuard::Forked()) return nullptr;
  std::shared_ptr<CallScope> scope;
  {
    std::lock_guard<std::mutex> lock(scope_mutex_);
    if (scope_ == nullptr) scope_ = std::make_shared<CallScope>(deadline_ns_);
    scope = scope_;
  }
  if (IsCancelled()) scope->Cancel();
  return scope;
}

// ---- the stock

void ServerCall::Destroy() {
  if (ForkGuard::Forked()) return;
  const std::shared_ptr<Connection> connection = std::move(connection_);  // it keeps the server's core
  Reset();
  static_cast<ServerCore*>(connection->host())->Recycle(this);
}

void ServerCall::Reset() {
  references_.store(1, std::memory_order_relaxed);
  kept_ = nullptr;
  hooks_ = nullptr;
  if (!large_request_.empty()) large_request_ = Bytes();
  if (small_request_.capacity() > kSmallMessage * 2) small_request_ = std::string();
  if (!encoded_metadata_.empty()) encoded_metadata_.clear();
  for (Metadata* metadata : {&metadata_, &initial_, &trailing_}) {
    if (!metadata->entries().empty() || !metadata->status().ok()) *metadata = Metadata();
  }
  if (!failed_.ok()) failed_ = absl::OkStatus();
  deadline_passed_ = refused_ = false;
  metadata_decoded_ = initial_sent_ = finished_ = timer_scheduled_ = on_cancel_set_ = false;
  cancelled_.store(false, std::memory_order_relaxed);
  if (on_cancel_) on_cancel_ = nullptr;
  scope_ = nullptr;
  strand_ = nullptr;
  stream_.Reset();
}

}  // namespace nearcall::internal
