// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
#include "nearcall/rpc/runtime/message_stream.h"

#include <cstring>
#include <utility>

#include "nearcall/rpc/runtime/fork_guard.h"
#include "nearcall/rpc/wire/copy.h"

namespace nearcall::internal {
namespace {

std::unique_ptr<Unit> MessageUnit(const Message& message, size_t size) {
  auto unit = std::make_unique<Unit>();
  unit->kind = FrameKind::kMessage;
  unit->flags = kWithMessage;
  unit->owned = Bytes(size);
  WriteMessage(message, unit->owned.data());
  unit->message = unit->owned.span();
  return unit;
}

}  // namespace

BoundLock StreamCall::LockBound() {
  for (;;) {
    std::shared_ptr<Connection> kept = KeepBound();
    Connection& bound = kept == nullptr ? connection() : *kept;
    BoundLock lock(std::move(kept), bound.mutex());
    if (&bound == &connection()) return lock;
  }
}

// ---- reading

bool MessageStream::TakeLocked(Bytes* message) {
  if (inbox_.empty()) return false;
  *message = std::move(inbox_.front());
  inbox_.pop_front();
  if (returned_ > 0) {
    --returned_;
    return true;
  }
  if (SessionCall* call = call_->session_call(); call != nullptr) {
    Connection& connection = call_->connection();
    connection.session().Consumed(call, message->size());
    if (connection.session().HasOutput()) {
      connection.PumpLocked();
      connection.FlushLocked();
    }
  }
  return true;
}

bool MessageStream::Read(Bytes* message) {
  if (ForkGuard::Forked()) return false;
  bool taken = false;
  call_->WaitUntil(reader_, [&] {
    taken = reads_.empty() && TakeLocked(message);
    return taken || (read_end_ && reads_.empty());
  });
  return taken;
}

bool MessageStream::ReadNow(Bytes* message) {
  const BoundLock lock = call_->LockBound();
  return TakeLocked(message);
}

OpState* MessageStream::StartRead() {
  if (ForkGuard::Forked()) return NewOrphan();
  auto* op = new StreamOp(this, true);
  const BoundLock lock = call_->LockBound();
  op->Ref();
  reads_.push_back(op);
  ServeReadsLocked();
  return op;
}

void MessageStream::ServeReadsLocked() {
  while (!reads_.empty() && (!inbox_.empty() || read_end_)) {
    StreamOp* op = reads_.front();
    reads_.pop_front();
    op->CompleteLocked(TakeLocked(&op->message_));
    op->Unref();
  }
  if (reader_ != nullptr && (!inbox_.empty() || read_end_)) call_->connection().CompleteLocked(reader_);
}

// The message that the op would have given is left for the next read.
void MessageStream::AbandonReadLocked(StreamOp* op) {
  if (!op->done_) {
    for (auto it = reads_.begin(); it != reads_.end(); ++it) {
      if (*it != op) continue;
      reads_.erase(it);
      op->Unref();
      return;
    }
    return;
  }
  if (!op->ok_ || op->taken_) return;
  op->taken_ = true;
  ++returned_;  // its credit went back already
  inbox_.push_front(std::move(op->message_));
}

void MessageStream::OnMessageLocked(SessionEvent& event) {
  if (read_end_) return;  // this side ended it, by a deadline or an error, before the peer knew
  if (!event.assembled.empty()) {
    inbox_.push_back(std::move(event.assembled));
  } else {
    Bytes copy(event.message.size());
    CopyBytes(copy.data(), event.message.data(), event.message.size());
    inbox_.push_back(std::move(copy));
  }
  ServeReadsLocked();
}

void MessageStream::OnReadEndLocked() {
  read_end_ = true;
  ServeReadsLocked();
}

bool MessageStream::OnLostLocked(Connection& connection) {
  if (reader_ != nullptr) connection.CompleteLocked(std::exchange(reader_, nullptr));
  bool awaited = false;
  for (StreamOp* op : reads_) {
    if (op->unattended_) connection.RemoveUnattendedLocked();
    op->unattended_ = false;
    if (op->waiter_ != nullptr) connection.CompleteLocked(std::exchange(op->waiter_, nullptr));
    awaited = awaited || op->completion_ != nullptr;
  }
  return awaited;
}

bool MessageStream::OnBoundLocked(Connection& connection) {
  int awaited = 0;
  for (StreamOp* op : reads_) {
    op->unattended_ = op->completion_ != nullptr;
    if (op->unattended_) ++awaited;
  }
  for (int i = 0; i < awaited; ++i) connection.AddUnattendedLocked();
  return awaited > 0;
}

void MessageStream::ClearInboxLocked() {
  if (!inbox_.empty()) inbox_.clear();
  returned_ = 0;
}

// ---- writing

// Whether the hooks let it pass. What can't be sent any more they are not shown; that is found out again.
bool MessageStream::MaySend(const Message& message) {
  {
    std::lock_guard<std::mutex> lock(call_->connection().mutex());
    if (write_end_ || half_closed_) return true;
  }
  const absl::Status status = call_->hooks()->Sent(message);
  if (!status.ok()) call_->Refuse(status);
  return status.ok();
}

bool MessageStream::Write(const Message& message) {
  if (ForkGuard::Forked()) return false;
  if (call_->hooks() != nullptr && !MaySend(message)) return false;
  const size_t size = MessageSize(message);
  Connection& connection = call_->connection();
  std::unique_lock<std::mutex> lock(connection.mutex());
  Waiter waiter;
  for (;;) {
    SessionCall* call = call_->session_call();
    if (write_end_ || half_closed_ || call == nullptr || size > kMaxMessage) return false;
    if (!connection.session().Queued(*call) && call->send_credit() > 0) break;
    waiter.done = false;
    writer_ = &waiter;
    const bool in_time = connection.Await(lock, &waiter, call_->wait_deadline());
    writer_ = nullptr;
    if (!in_time && !write_end_) {
      lock.unlock();
      call_->OnWaitDeadline();
      return false;
    }
  }
  call_->BeforeWriteLocked();
  SessionCall* call = call_->session_call();
  const UnitKind kind{FrameKind::kMessage, kWithMessage};
  if (!connection.SendNowLocked(call, kind, {}, size, [&](char* to) { WriteMessage(message, to); })) {
    std::unique_ptr<Unit> unit = MessageUnit(message, size);
    unit->notify = true;  // the next Write() waits until it is planned
    writes_.push_back(nullptr);
    if (absl::Status status = connection.session().Enqueue(call, std::move(unit)); !status.ok()) {
      writes_.pop_back();
      lock.unlock();
      call_->FailCall(status);
      return false;
    }
    connection.PumpLocked();
  }
  connection.FlushSoonLocked();
  return true;
}

bool MessageStream::HalfClose() {
  if (ForkGuard::Forked()) return false;
  Connection& connection = call_->connection();
  std::lock_guard<std::mutex> lock(connection.mutex());
  SessionCall* call = call_->session_call();
  if (half_closed_ || write_end_ || call == nullptr) return false;
  half_closed_ = true;
  if (!connection.SendNowLocked(call, {FrameKind::kHalfClose, 0}, {}, 0, [](char*) {})) {
    auto unit = std::make_unique<Unit>();
    unit->kind = FrameKind::kHalfClose;
    if (!connection.session().Enqueue(call, std::move(unit)).ok()) return false;
    connection.PumpLocked();
  }
  connection.FlushSoonLocked();
  return true;
}

OpState* MessageStream::StartWrite(const Message& message) {
  if (ForkGuard::Forked()) return NewOrphan();
  auto* op = new StreamOp(this, false);
  const bool refused = call_->hooks() != nullptr && !MaySend(message);
  const size_t size = MessageSize(message);
  std::unique_ptr<Unit> unit;
  Connection& connection = call_->connection();
  std::unique_lock<std::mutex> lock(connection.mutex());
  SessionCall* call = call_->session_call();
  if (refused || write_end_ || half_closed_ || call == nullptr || size > kMaxMessage) {
    op->CompleteLocked(false);
    return op;
  }
  call_->BeforeWriteLocked();
  const UnitKind kind{FrameKind::kMessage, kWithMessage};
  if (connection.SendNowLocked(call, kind, {}, size, [&](char* to) { WriteMessage(message, to); })) {
    op->CompleteLocked(true);
  } else {
    unit = MessageUnit(message, size);
    unit->notify = true;
    op->Ref();
    writes_.push_back(op);
    if (absl::Status status = connection.session().Enqueue(call, std::move(unit)); !status.ok()) {
      writes_.pop_back();
      op->CompleteLocked(false);
      op->Unref();
      lock.unlock();
      call_->FailCall(status);
      return op;
    }
    connection.PumpLocked();
  }
  connection.FlushSoonLocked();
  return op;
}

void MessageStream::OnUnitPlannedLocked() {
  if (!writes_.empty()) {
    StreamOp* op = writes_.front();
    writes_.pop_front();
    if (op != nullptr) {
      op->CompleteLocked(true);
      op->Unref();
    }
  }
  OnWritableLocked();
}

void MessageStream::OnWritableLocked() {
  if (writer_ != nullptr) call_->connection().CompleteLocked(writer_);
}

void MessageStream::OnWriteEndLocked() {
  write_end_ = true;
  while (!writes_.empty()) {
    StreamOp* op = writes_.front();
    writes_.pop_front();
    if (op == nullptr) continue;
    op->CompleteLocked(false);
    op->Unref();
  }
  OnWritableLocked();
}

void MessageStream::Reset() {
  ClearInboxLocked();
  read_end_ = write_end_ = half_closed_ = false;
}

// ---- ops

StreamOp::StreamOp(MessageStream* stream, bool is_read) : stream_(stream), is_read_(is_read) {
  stream_->call_->RefCall();
}

StreamOp::~StreamOp() { stream_->call_->UnrefCall(); }

void StreamOp::CompleteLocked(bool ok) {
  done_ = true;
  ok_ = ok;
  Connection& connection = stream_->call_->connection();
  if (unattended_) connection.RemoveUnattendedLocked();
  unattended_ = false;
  if (waiter_ != nullptr) connection.CompleteLocked(waiter_);
  if (completion_ != nullptr) stream_->call_->PostCompletion(std::exchange(completion_, nullptr));
}

void StreamOp::Wait() {
  const BoundLock lock = stream_->call_->WaitUntil(waiter_, [this] { return done_; });
  taken_ = true;
}

bool StreamOp::Ready() {
  const BoundLock lock = stream_->call_->LockBound();
  if (done_) taken_ = true;
  return done_;
}

bool StreamOp::Subscribe(Runnable* completion, bool only_pending) {
  StreamCall* call = stream_->call_;
  {
    const BoundLock lock = call->LockBound();
    taken_ = true;
    if (done_) {
      if (only_pending) return false;
      call->PostCompletion(completion);
      return true;
    }
    completion_ = completion;
    if (!call->LostLocked()) {
      unattended_ = true;
      call->connection().AddUnattendedLocked();
      call->OnAwaitedLocked();
      return true;
    }
    call->RefCall();  // the completion may run, and let go of everything, before GoOn() returns
  }
  call->GoOn();
  call->UnrefCall();
  return true;
}

void StreamOp::Cancel() { stream_->call_->FailCall(absl::CancelledError("cancelled by the caller")); }

void StreamOp::Abandon() {
  if (!is_read_) return;
  const BoundLock lock = stream_->call_->LockBound();
  stream_->AbandonReadLocked(this);
}

}  // namespace nearcall::internal
