// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
#include "nearcall/rpc/runtime/client_call.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "nearcall/rpc/runtime/call_options_access.h"
#include "nearcall/rpc/runtime/channel_core.h"
#include "nearcall/rpc/runtime/fork_guard.h"
#include "nearcall/rpc/wire/blocks.h"
#include "nearcall/rpc/wire/copy.h"

namespace nearcall::internal {
namespace {

constexpr int kMaxAttempts = 5;             // of a call that provably was not started and does not wait for ready
constexpr size_t kSmallMessage = 16 << 10;  // up to here buffers are kept with the call's object
constexpr size_t kCopiedReply = 2 << 10;  // up to here a copy is cheaper than to keep frame and reader role for parsing

}  // namespace

// Dispatches a lost call again for a callback or coroutine that waits for it.
class ClientCall::Retry final : public Runnable {
 public:
  explicit Retry(ClientCall* call) : call_(call) {}
  void Run() override {
    call_->retry_posted_.store(false);
    call_->Dispatch();
    call_->Unref();
  }

 private:
  ClientCall* const call_;
};

ClientCall::ClientCall() : stream_(this) {}
ClientCall::~ClientCall() = default;

// ---- start

bool ClientCall::Prepare(const MethodInfo& method, const Message* request, const CallOptions& options) {
  method_ = &method;
  deadline_ns_ = CallOptionsAccess::deadline_ns(options);
  wait_for_ready_ = CallOptionsAccess::wait_for_ready(options);
  response_metadata_ = CallOptionsAccess::response_metadata(options);
  scope_ = CallOptionsAccess::parent(options);
  if (scope_ == nullptr) scope_ = CurrentScope();
  if (scope_ != nullptr) deadline_ns_ = std::min(deadline_ns_, scope_->deadline_ns());
  has_request_ = request != nullptr;
  request_ = {};
  if (channel_->interceptors().empty()) {
    status_ = PrepareBlock(CallOptionsAccess::metadata(options));
  } else {
    status_ = PrepareIntercepted(request, CallOptionsAccess::metadata(options));
  }
  if (!status_.ok()) return false;
  if (request == nullptr) return true;
  const size_t size = MessageSize(*request);
  if (size > kMaxMessage) {
    status_ = absl::ResourceExhaustedError(
        absl::StrCat("the request of ", method.path, " has ", size, " bytes; a message has at most ", kMaxMessage));
    return false;
  }
  if (size <= kSmallMessage) {
    small_request_.resize(size);
    WriteMessage(*request, small_request_.data());
    request_ = small_request_;
  } else {
    large_request_ = Bytes(size);
    WriteMessage(*request, large_request_.data());
    request_ = large_request_.span();
  }
  return true;
}

absl::Status ClientCall::PrepareBlock(const Metadata& metadata) {
  if (!metadata.status().ok()) return metadata.status();
  if (deadline_ns_ != kNoDeadline && deadline_ns_ <= MonotonicNanos()) return DeadlineStatus();
  block_.clear();
  AppendCall(method_->path, deadline_ns_, metadata.entries(), &block_);
  return absl::OkStatus();
}

// The hooks come first: they see calls that fail here, too.
absl::Status ClientCall::PrepareIntercepted(const Message* request, Metadata metadata) {
  OutgoingCall outgoing(method_->path, channel_->address(), deadline_ns_, &metadata);
  absl::Status status = StartHooks(channel_->interceptors(), outgoing, &hooks_);
  if (status.ok()) status = PrepareBlock(metadata);
  if (status.ok() && hooks_ != nullptr && request != nullptr) status = hooks_->Sent(*request);
  return status;
}

void ClientCall::Start(const std::shared_ptr<ChannelCore>& channel, std::shared_ptr<Connection> open,
                       const MethodInfo& method, const Message* request, const CallOptions& options) {
  channel_ = channel;
  if (ForkGuard::Forked()) {
    method_ = &method;
    BindLocked(channel_->NoConnection());
    return FinishLocked(ForkGuard::Error());  // nobody else knows the call
  }
  if (!Prepare(method, request, options)) {
    BindLocked(channel_->NoConnection());
    FinishLocked(status_);  // nobody else knows the call yet
    return;
  }
  if (scope_ == nullptr) return DispatchBound(std::move(open));  // nobody else can know the call before this returns
  if (!scope_->Link(this)) {
    BindLocked(channel_->NoConnection());
    FinishLocked(absl::CancelledError(absl::StrCat("the call within which ", method.path, " was made is cancelled")));
    return;
  }
  std::lock_guard<std::mutex> bind(bind_mutex_);
  DispatchBound(std::move(open));
}

// Again. Several may wait for it: the first to come does it.
void ClientCall::Dispatch() {
  std::lock_guard<std::mutex> bind(bind_mutex_);
  {
    std::lock_guard<std::mutex> lock(connection_->mutex());
    if (!retry_) return;
  }
  DispatchBound(nullptr);
}

// To that connection first, if there is one.
void ClientCall::DispatchBound(std::shared_ptr<Connection> connection) {
  absl::Status why;
  std::optional<ChannelCore::Wanter> wanter;
  if (wait_for_ready_) wanter.emplace(*channel_);
  for (; (wait_for_ready_ || attempts_ < kMaxAttempts) && !cancelled_; ++attempts_) {
    const auto want = !wait_for_ready_           ? ChannelCore::Want::kNow
                      : attempts_ < kMaxAttempts ? ChannelCore::Want::kWait
                                                 : ChannelCore::Want::kWaitALittle;
    if (connection == nullptr) connection = channel_->Acquire(want, &why);
    if (connection == nullptr) break;
    if (SendTo(std::exchange(connection, nullptr), &why)) return;
  }
  if (cancelled_) why = cancel_status_;
  if (connection_ == nullptr) BindLocked(channel_->NoConnection());
  std::lock_guard<std::mutex> lock(connection_->mutex());
  // Out of attempts that all began well: how the last of them ended.
  if (why.ok()) why = connection_->CloseStatusLocked();
  if (why.ok()) why = absl::UnavailableError(absl::StrCat("no connection to ", channel_->address()));
  if (!over_) FinishLocked(why);
}

void ClientCall::BindLocked(std::shared_ptr<Connection> to) {
  if (connection_ != nullptr && connection_ != to && !wait_for_ready_) left_.push_back(std::move(connection_));
  connection_ = std::move(to);
  bound_.store(connection_.get(), std::memory_order_release);
  retry_ = false;
}

std::shared_ptr<Connection> ClientCall::KeepBound() {
  if (!wait_for_ready_) return nullptr;
  std::lock_guard<std::mutex> bind(bind_mutex_);
  return connection_;
}

// False: the connection was found gone before the peer can have seen anything of the call.
bool ClientCall::SendTo(std::shared_ptr<Connection> to, absl::Status* why) {
  Connection* const connection = to.get();
  std::unique_lock<std::mutex> lock(connection->mutex(), std::defer_lock);
  {
    const std::shared_ptr<Connection> left = connection_;  // until its lock is let go
    std::unique_lock<std::mutex> before;
    if (connection_ == nullptr || connection_ == to) {
      lock.lock();
    } else {
      before = std::unique_lock<std::mutex>(connection_->mutex(), std::defer_lock);
      std::lock(before, lock);
    }
    if (connection->ClosedLocked() || connection->session().draining()) {
      if (connection->ClosedLocked()) *why = connection->CloseStatusLocked();
      return false;
    }
    BindLocked(std::move(to));
  }
  session_call_ = connection->session().NewCall(static_cast<CallOwner*>(this));
  connection->WatchPeerLocked();
  Ref();  // the session's
  if (absl::Status status = SendLocked(*connection); !status.ok()) {
    FinishLocked(status);
    return true;
  }
  const bool gone = connection->FlushSoonLocked() == Io::kClosed;
  if (over_) return true;
  if (gone) {
    // EPIPE: the peer closed before these bytes were taken. They went out alone, or what was before them failed too.
    connection->session().Release(std::exchange(session_call_, nullptr));
    Unref();
    retry_ = true;
    *why = connection->AbandonSendingLocked();
    return false;
  }
  if (completion_ != nullptr) {
    unattended_ = true;
    connection->AddUnattendedLocked();
  }
  if (stream_.OnBoundLocked(*connection) || completion_ != nullptr || !has_request_) StartTimerLocked();
  return true;
}

absl::Status ClientCall::SendLocked(Connection& connection) {
  if (request_.size() > connection.session().peer_max_message()) {
    return absl::ResourceExhaustedError(absl::StrCat("the request of ", method_->path, " has ", request_.size(),
                                                     " bytes, over the receiver's limit of ",
                                                     connection.session().peer_max_message()));
  }
  const UnitKind kind{FrameKind::kCall, static_cast<uint8_t>(has_request_ ? kWithMessage : 0)};
  if (connection.SendNowLocked(session_call_, kind, block_, request_.size(),
                               [this](char* to) { CopyBytes(to, request_.data(), request_.size()); })) {
    return absl::OkStatus();
  }
  auto unit = std::make_unique<Unit>();
  unit->kind = kind.kind;
  unit->flags = kind.flags;
  unit->block = block_;
  unit->message = request_;
  if (!has_request_) {  // a write that waits behind it is to be woken when it is out
    unit->notify = true;
    stream_.ExpectUnitLocked();
  }
  absl::Status status = connection.session().Enqueue(session_call_, std::move(unit));
  connection.PumpLocked();
  return status;
}

void ClientCall::StartTimerLocked() {
  if (deadline_ns_ == kNoDeadline || timer_scheduled_ || over_) return;
  timer_scheduled_ = true;
  Ref();  // the timer's
  connection_->pool().Schedule(this, deadline_ns_);
}

// ---- events, under the connection's lock

void ClientCall::OnEvent(Connection& connection, SessionEvent& event) {
  using Type = SessionEvent::Type;
  switch (event.type) {
    case Type::kInitialMetadata: {
      MetadataEntries entries;
      if (ReadMetadata(event.metadata, &entries)) AppendReceived(std::move(entries), &initial_);
      initial_received_ = true;
      if (initial_waiter_ != nullptr) connection.CompleteLocked(initial_waiter_);
      return;
    }
    case Type::kMessage:
      initial_received_ = true;
      if (initial_waiter_ != nullptr) connection.CompleteLocked(initial_waiter_);
      if (drop_unread_) {
        connection.session().Consumed(session_call_, event.message.size());
      } else {
        stream_.OnMessageLocked(event);
      }
      return;
    case Type::kWritable:
      return stream_.OnWritableLocked();
    case Type::kStatus:
      return OnStatusLocked(connection, event);
    default:
      return;
  }
}

void ClientCall::OnStatusLocked(Connection& connection, SessionEvent& event) {
  if (event.not_started) return OnLost(connection, event.status, true);
  if (!event.metadata.empty()) {
    MetadataEntries entries;
    if (ReadMetadata(event.metadata, &entries)) AppendReceived(std::move(entries), &trailing_);
  }
  has_reply_ = event.has_message;
  if (event.has_message) {
    if (!event.assembled.empty()) {
      large_reply_ = std::move(event.assembled);
      reply_ = large_reply_.span();
    } else if (event.message.size() > kCopiedReply && connection.KeepFrameLocked(waiter_)) {
      holding_frame_ = true;
      reply_ = event.message;
    } else {
      small_reply_.assign(event.message.data(), event.message.size());
      reply_ = small_reply_;
    }
  }
  FinishLocked(std::move(event.status));
}

void ClientCall::OnLost(Connection& connection, const absl::Status& why, bool not_started) {
  const bool again = not_started && has_request_ && (wait_for_ready_ || attempts_ < kMaxAttempts);
  if (!again || over_) return FinishLocked(why);
  ++attempts_;
  if (session_call_ != nullptr) {
    connection.session().Release(std::exchange(session_call_, nullptr));
    Unref();
  }
  status_ = why;
  retry_ = true;
  if (unattended_) connection.RemoveUnattendedLocked();
  unattended_ = false;
  // A waiter may be on another connection when it wakes: it is forgotten here.
  if (waiter_ != nullptr) connection.CompleteLocked(std::exchange(waiter_, nullptr));
  if (initial_waiter_ != nullptr) connection.CompleteLocked(std::exchange(initial_waiter_, nullptr));
  const bool awaited = stream_.OnLostLocked(connection) || completion_ != nullptr;
  if (!awaited || retry_posted_.exchange(true)) return;
  if (retry_run_ == nullptr) retry_run_ = std::make_unique<Retry>(this);
  Ref();
  connection.pool().Post(retry_run_.get());
}

void ClientCall::FinishLocked(absl::Status status) {
  if (over_) return;
  over_ = true;
  retry_ = false;
  status_ = std::move(status);
  initial_received_ = true;
  if (response_metadata_ != nullptr) {
    response_metadata_->initial = initial_;
    response_metadata_->trailing = trailing_;
  }
  Connection& connection = *connection_;
  if (unattended_) connection.RemoveUnattendedLocked();
  unattended_ = false;
  stream_.OnReadEndLocked();
  stream_.OnWriteEndLocked();
  if (waiter_ != nullptr) connection.CompleteLocked(waiter_);
  if (initial_waiter_ != nullptr) connection.CompleteLocked(initial_waiter_);
  if (completion_ != nullptr) PostCompletion(std::exchange(completion_, nullptr));
  if (timer_scheduled_ && connection.pool().Cancel(this)) {
    timer_scheduled_ = false;
    Unref();
  }
  if (session_call_ != nullptr) {
    connection.session().Release(std::exchange(session_call_, nullptr));
    if (connection.session().HasOutput()) {  // a cancel
      connection.PumpLocked();
      connection.FlushLocked();
    }
    Unref();  // never the last: whoever takes the result has one
  }
}

// ---- the owner's side

void ClientCall::Wait() {
  WaitUntil(waiter_, [this] { return over_; });
}

bool ClientCall::Ready() {
  const BoundLock lock = LockBound();
  return over_;
}

bool ClientCall::Subscribe(Runnable* completion, bool only_pending) {
  {
    const BoundLock lock = LockBound();
    if (over_) {
      if (only_pending) return false;
      PostCompletion(completion);
      return true;
    }
    completion_ = completion;
    if (!retry_) {
      unattended_ = true;
      connection().AddUnattendedLocked();
      StartTimerLocked();
      return true;
    }
    Ref();  // the completion may run, and let go of everything, before Dispatch() returns
  }
  Dispatch();
  Unref();
  return true;
}

bool ClientCall::ParseReply(Message* reply) {
  if (!status_.ok()) return false;
  if (!has_reply_) {
    status_ = absl::InternalError(absl::StrCat("the server ended ", method_->path, " with OK and without a reply"));
    return false;
  }
  if (ParseMessage(reply_, reply)) return true;
  status_ = absl::InternalError(absl::StrCat("the reply of ", method_->path, " (", reply_.size(),
                                             " bytes) does not parse as ", reply->GetTypeName()));
  return false;
}

absl::Status ClientCall::TakeStatus() {
  absl::Status status;
  {
    std::lock_guard<std::mutex> lock(connection_->mutex());  // a writer may refuse its message meanwhile
    status = status_;
  }
  if (hooks_ != nullptr) hooks_->End(status, trailing_);
  return status;
}

bool ClientCall::EndHooks(const Message* reply) {
  Taken();  // a hook may want to read the same connection
  if (reply != nullptr) status_ = hooks_->Received(*reply);
  hooks_->End(status_, trailing_);
  return status_.ok();
}

void ClientCall::Taken() {
  if (!holding_frame_) return;
  holding_frame_ = false;
  reply_ = {};
  connection_->FinishRead();
}

void ClientCall::EndWith(const absl::Status& status) {
  if (orphaned()) return;
  std::lock_guard<std::mutex> bind(bind_mutex_);
  if (!cancelled_) {
    cancelled_ = true;
    cancel_status_ = status;
  }
  std::lock_guard<std::mutex> lock(connection_->mutex());
  if (over_) return;
  if (absl::IsCancelled(status)) stream_.ClearInboxLocked();
  FinishLocked(status);
}

// The status may have come already, behind the message.
void ClientCall::Refuse(const absl::Status& status) {
  EndWith(status);
  std::lock_guard<std::mutex> lock(connection_->mutex());
  if (status_.ok()) status_ = status;
  stream_.ClearInboxLocked();
}

void ClientCall::Abandon() {
  Cancel();
  if (hooks_ != nullptr) hooks_->End(status_, trailing_);
}

void ClientCall::Cancel() { EndWith(absl::CancelledError("cancelled by the caller")); }

void ClientCall::OnScopeCancelled() {
  EndWith(absl::CancelledError("the call within which it was made was cancelled"));
}

absl::Status ClientCall::DeadlineStatus() const {
  return absl::DeadlineExceededError(
      absl::StrCat("the deadline of ", method_->path, " at ", channel_->address(), " has passed"));
}

// Or the connection was closed under a call that it did not know any more.
void ClientCall::OnWaitDeadline() {
  absl::Status why = DeadlineStatus();
  {
    const BoundLock lock = LockBound();
    if (connection().ClosedLocked()) why = connection().CloseStatusLocked();
  }
  EndWith(why);
}

void ClientCall::OnTimer() {
  EndWith(DeadlineStatus());
  Unref();
}

void ClientCall::PostCompletion(Runnable* run) { channel_->PostCallback(run); }

void ClientCall::DropUnread() {
  if (ForkGuard::Forked()) return;  // there is nothing to read
  {
    const BoundLock lock = LockBound();
    drop_unread_ = true;
  }
  Bytes message;
  while (stream_.ReadNow(&message)) {
  }
}

const Metadata& ClientCall::WaitForInitialMetadata() {
  if (!orphaned()) WaitUntil(initial_waiter_, [this] { return initial_received_ || over_; });
  return initial_;
}

void ClientCall::Reset() {
  method_ = nullptr;
  scope_ = nullptr;
  response_metadata_ = nullptr;
  if (small_request_.capacity() > kSmallMessage * 2) small_request_ = std::string();
  if (small_reply_.capacity() > kSmallMessage * 2) small_reply_ = std::string();
  if (!large_request_.empty()) large_request_ = Bytes();
  if (!large_reply_.empty()) large_reply_ = Bytes();
  request_ = reply_ = {};
  hooks_ = nullptr;
  connection_ = nullptr;
  bound_.store(nullptr, std::memory_order_relaxed);
  left_.clear();
  cancelled_ = over_ = retry_ = has_reply_ = false;
  initial_received_ = drop_unread_ = timer_scheduled_ = false;
  attempts_ = 0;
  if (!cancel_status_.ok()) cancel_status_ = absl::OkStatus();
  if (!status_.ok()) status_ = absl::OkStatus();
  if (!initial_.entries().empty()) initial_ = Metadata();
  if (!trailing_.entries().empty()) trailing_ = Metadata();
  stream_.Reset();
}

void ClientCall::Destroy() {
  if (scope_ != nullptr) scope_->Unlink(this);
  std::shared_ptr<ChannelCore> channel = std::move(channel_);
  channel->Recycle(this);
}

}  // namespace nearcall::internal
