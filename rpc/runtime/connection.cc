// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
#include "nearcall/rpc/runtime/connection.h"

#include <fcntl.h>

#include <algorithm>
#include <cerrno>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "nearcall/rpc/runtime/blocking.h"
#include "nearcall/rpc/wire/copy.h"

namespace nearcall::internal {
namespace {

constexpr size_t kSmallestMaxFrame = 4096;  // what every transport takes
constexpr size_t kFlushUnasked = 64 << 10;  // a transport may do it with more: then the peer may have seen it

}  // namespace

// What the pool's epoll knows of a connection: not the connection itself, which ends with its last call or owner.
class Connection::PollSource final : public Pool::Source {
 public:
  explicit PollSource(std::weak_ptr<Connection> connection) : connection_(std::move(connection)) {}
  void OnReady(uint32_t tag) override {
    if (std::shared_ptr<Connection> connection = connection_.lock()) connection->OnReady(tag);
  }

 private:
  const std::weak_ptr<Connection> connection_;
};

// The connection's place in the pool's queue, with the reader role.
class Connection::Resume final : public Runnable {
 public:
  void Post(std::shared_ptr<Connection> connection) {
    connection_ = std::move(connection);
    connection_->pool().Post(this);
  }
  void Run() override {
    std::shared_ptr<Connection> connection = std::move(connection_);
    connection->ReadBatch();
  }
  void Discard() override { std::shared_ptr<Connection> connection = std::move(connection_); }

 private:
  std::shared_ptr<Connection> connection_;
};

Connection::Connection(Options options)
    : options_(std::move(options)),
      session_(options_.session),
      spinner_(options_.spin),
      resume_(std::make_unique<Resume>()) {}

void Connection::ResumeLater() { resume_->Post(shared_from_this()); }

Connection::~Connection() {
  if (peer_watch_ != nullptr) StopWatching();
  for (int64_t key : receive_keys_) {
    if (key >= 0) pool().Remove(key);
  }
  for (int64_t key : send_keys_) {
    if (key >= 0) pool().Remove(key);
  }
  if (death_key_ >= 0) pool().Remove(death_key_);
}

absl::Status Connection::Open(std::unique_ptr<Endpoint> endpoint) {
  std::lock_guard<std::mutex> lock(mutex_);
  endpoint_ = std::move(endpoint);
  if (closed_) {
    endpoint_->Close(close_status_);
    return close_status_;
  }
  if (source_ == nullptr) source_ = std::make_shared<PollSource>(weak_from_this());
  session_.SetHelloClock(MonotonicNanos());
  PumpLocked();
  if (send_failed_ && max_frame_ == 0) {
    const absl::Status why = DescribeLocked(endpoint_->status());
    endpoint_ = nullptr;
    send_failed_ = false;
    return why.ok() ? absl::UnavailableError(absl::StrCat("nobody is at ", address())) : why;
  }
  FlushLocked();
  // Whoever has not had our hello takes its calls for not started: so none is read before it is out.
  hello_stuck_ = options_.host != nullptr && send_blocked_;
  if (!hello_stuck_) PassRoleLocked();
  return absl::OkStatus();
}

// ---- sending

void Connection::PumpLocked() {
  if (endpoint_ == nullptr || (send_blocked_ && !has_room_) || send_failed_ || closed_) return;
  absl::Span<char> space;
  if (max_frame_ == 0) {
    const Io io = endpoint_->Reserve(kSmallestMaxFrame, &space);
    if (io == Io::kWouldBlock) send_blocked_ = true;
    if (io == Io::kClosed) send_failed_ = true;
    if (io != Io::kOk) return;
    max_frame_ = endpoint_->info().max_frame;
  }
  for (FramePlan plan; session_.Plan(max_frame_, &plan);) {
    Io io = endpoint_->Reserve(plan.size(), &space);
    if (io == Io::kWouldBlock && FlushLocked() == Io::kOk) io = endpoint_->Reserve(plan.size(), &space);
    if (io == Io::kWouldBlock) {
      send_blocked_ = true;
      has_room_ = false;
    }
    if (io == Io::kClosed) send_failed_ = true;
    if (io != Io::kOk) return;
    char* to = space.data();
    std::memcpy(to, plan.header, kFrameHeaderSize);
    CopyBytes(to + kFrameHeaderSize, plan.block.data(), plan.block.size());
    CopyBytes(to + kFrameHeaderSize + plan.block.size(), plan.message.data(), plan.message.size());
    CommitLocked(plan.size());
    session_.Planned(plan);
    if (plan.notify && plan.call->owner() != nullptr) static_cast<CallOwner*>(plan.call->owner())->OnUnitPlanned();
  }
}

Io Connection::FlushLocked() {
  if (send_failed_) return Io::kClosed;
  if (need_flush_ && !has_room_) {
    const Io io = endpoint_->Flush();
    if (io == Io::kOk) need_flush_ = false;
    if (io != Io::kClosed) NoteSeenLocked();
    // Frames still go into the endpoint's buffer, as far as it has room: so they share the next system call.
    if (io == Io::kWouldBlock) send_blocked_ = has_room_ = true;
    if (io == Io::kClosed) send_failed_ = true;
  }
  if (send_blocked_) WatchSendLocked();
  return send_failed_ ? Io::kClosed : send_blocked_ ? Io::kWouldBlock : Io::kOk;
}

absl::Status Connection::AbandonSendingLocked() {
  usable_.store(false, std::memory_order_release);
  const absl::Status ended = endpoint_ == nullptr ? absl::OkStatus() : endpoint_->status();
  const absl::Status why = DescribeLocked(ended.ok() ? absl::UnavailableError("closed by the peer") : ended);
  if (session_.own_calls() == 0) CloseLocked(why);
  return why;
}

Io Connection::FlushSoonLocked() {
  if (need_flush_ && !send_blocked_ && !send_failed_) {
    if (Worker* worker = Worker::Current(); worker != nullptr && worker->OweFlush(this)) return Io::kOk;
  }
  return FlushLocked();
}

void Connection::CommitLocked(size_t size) {
  endpoint_->Commit(size, {});
  need_flush_ = true;
  unflushed_ += size;
  if (unflushed_ > kFlushUnasked) NoteSeenLocked();
}

void Connection::NoteSeenLocked() {
  unflushed_ = 0;
  unseen_from_ = session_.next_sequence();
}

bool Connection::NeverSeenLocked(const SessionCall& call) const {
  return !call.started() || (send_failed_ && call.sequence() >= unseen_from_);
}

void Connection::Settle(bool pass_role) {
  std::lock_guard<std::mutex> lock(mutex_);
  if (FlushLocked() == Io::kClosed) AbandonSendingLocked().IgnoreError();  // the reader finds out why
  if (pass_role) PassRoleLocked();
}

void Connection::ForgetSendWatchLocked() {
  for (size_t i = 0; i < send_keys_.size(); ++i) {
    if (const int64_t key = std::exchange(send_keys_[i], -1); key >= 0) pool().Remove(key);
    send_fds_[i].Reset();
  }
  send_registered_ = connecting_send_ = false;
}

// Somebody must notice when the medium takes bytes again: the reading waiter before it next sleeps, else the pool.
void Connection::WatchSendLocked() {
  if (send_watch_ != SendWatch::kNone || closed_ || (dispatching_ && reading_waiter_ != nullptr)) return;
  if (connecting_send_ && max_frame_ != 0) ForgetSendWatchLocked();  // by now it is something else that is full
  if (!send_registered_) {
    send_registered_ = true;
    connecting_send_ = max_frame_ == 0;
    const std::array<pollfd, 3> fds = endpoint_->PollFds(Side::kSend);
    for (size_t i = 0; i < fds.size(); ++i) {
      if (fds[i].fd < 0) continue;
      send_fds_[i].Reset(::fcntl(fds[i].fd, F_DUPFD_CLOEXEC, 0));
      if (send_fds_[i].valid()) send_keys_[i] = pool().Add(send_fds_[i].get(), source_, kSendTag);
      if (send_keys_[i] < 0) {
        return CloseLocked(absl::ResourceExhaustedError(
            absl::StrCat("no descriptor to watch the full connection to ", address(), " with (errno ", errno, ")")));
      }
    }
  }
  const std::array<pollfd, 3> now = endpoint_->PollFds(Side::kSend);
  for (size_t i = 0; i < now.size(); ++i) send_events_[i] = static_cast<uint32_t>(now[i].events);
  if (!endpoint_->Arm(Side::kSend)) {  // room has come meanwhile: one early OnReady sees to it
    send_watch_ = SendWatch::kPool;
    for (int64_t key : send_keys_) {
      if (key >= 0) pool().Arm(key, EPOLLOUT | EPOLLIN);
    }
    return;
  }
  send_watch_ = SendWatch::kPool;
  for (size_t i = 0; i < send_keys_.size(); ++i) {
    if (send_keys_[i] >= 0) pool().Arm(send_keys_[i], send_events_[i]);
  }
}

void Connection::OnSendReady() {
  std::lock_guard<std::mutex> lock(mutex_);
  if (send_watch_ != SendWatch::kPool || closed_) return;
  endpoint_->Disarm(Side::kSend);
  send_watch_ = SendWatch::kNone;
  send_blocked_ = has_room_ = false;
  if (FlushLocked() == Io::kOk) PumpLocked();
  const Io io = FlushLocked();
  if (connecting_send_ && max_frame_ != 0 && send_watch_ == SendWatch::kNone) ForgetSendWatchLocked();
  if (io != Io::kWouldBlock && std::exchange(hello_stuck_, false)) PassRoleLocked();
  if (io == Io::kOk && options_.host != nullptr) options_.host->OnWritten(*this);
}

// ---- what comes in

// A frame that was borrowed. What it gives is to be run, with the frame held if there is a batch.
Runnable* Connection::ConsumeLocked(const Frame& frame, Batch* batch) {
  ++frames_;
  SessionEvent event = session_.Consume(frame.bytes, hello_due_ ? MonotonicNanos() : 0);
  dispatching_ = true;
  Runnable* const run = DispatchLocked(event, batch);
  if (session_.HasOutput()) {
    PumpLocked();
    FlushLocked();
  }
  dispatching_ = false;
  return run;
}

Runnable* Connection::DispatchLocked(SessionEvent& event, Batch* batch) {
  using Type = SessionEvent::Type;
  switch (event.type) {
    case Type::kNone:
    case Type::kPong:
      return nullptr;
    case Type::kHello:
      hello_due_ = false;
      connected_ = true;
      answered_.store(true, std::memory_order_release);
      WatchDeathLocked();
      hello_.notify_all();
      session_.ForEachCall([this](SessionCall* call) {  // streams may have more credit than was assumed
        SessionEvent writable;
        writable.type = Type::kWritable;
        writable.call = call;
        static_cast<CallOwner*>(call->owner())->OnEvent(*this, writable);
      });
      return nullptr;
    case Type::kCall:
      if (options_.host != nullptr) {
        WatchPeerLocked();
        return options_.host->OnNewCall(*this, event, batch);
      }
      CloseLocked(absl::InternalError("the server began a call, and nothing is served here"));
      return nullptr;
    case Type::kDrain:
      usable_.store(false, std::memory_order_release);
      for (SessionCall* call : session_.TakeNotStarted()) {
        static_cast<CallOwner*>(call->owner())
            ->OnLost(*this, absl::UnavailableError(absl::StrCat("the server at ", address(), " is shutting down")),
                     true);
      }
      return nullptr;
    case Type::kViolation:
      PumpLocked();  // the session's farewell says why
      FlushLocked();
      CloseLocked(event.status);
      return nullptr;
    default:
      if (event.call != nullptr && event.call->owner() != nullptr) {
        static_cast<CallOwner*>(event.call->owner())->OnEvent(*this, event);
      }
      return nullptr;
  }
}

// The descriptor may be known early, and be a better one once the peer's greeting has come.
void Connection::WatchDeathLocked() {
  const int fd = endpoint_->TakeDeathWatch();
  if (fd == death_fd_) return;
  if (death_key_ >= 0) pool().Remove(death_key_);
  death_fd_ = fd;
  death_key_ = fd < 0 ? -1 : pool().Add(fd, source_, kDeathTag);
  if (death_key_ >= 0) pool().Arm(death_key_, EPOLLIN);
  // Without a place in the epoll a death is still seen as the end of the stream.
}

// ---- the whole connection

bool Connection::AwaitHello(int64_t deadline_ns) {
  BlockingScope blocking;
  std::unique_lock<std::mutex> lock(mutex_);
  AddUnattendedLocked();
  ++hello_waiters_;
  while (!connected_ && !closed_) {
    const int64_t left = deadline_ns - MonotonicNanos();
    if (left <= 0) break;
    if (deadline_ns == kNoDeadline) {
      hello_.wait(lock);
    } else {
      hello_.wait_for(lock, std::chrono::nanoseconds(left));
    }
  }
  --hello_waiters_;
  RemoveUnattendedLocked();
  return connected_ && !closed_;
}

bool Connection::Wanted() {
  std::lock_guard<std::mutex> lock(mutex_);
  return session_.own_calls() > 0 || hello_waiters_ > 0;
}

void Connection::FailCalls(const absl::Status& why, absl::FunctionRef<bool(CallOwner*)> fails) {
  std::lock_guard<std::mutex> lock(mutex_);
  session_.ForEachCall([&](SessionCall* call) {
    auto* owner = static_cast<CallOwner*>(call->owner());
    if (fails(owner)) owner->OnLost(*this, why, true);
  });
}

absl::Status Connection::DescribeLocked(const absl::Status& status) const {
  if (status.message().find(address()) != absl::string_view::npos) return status;
  return absl::Status(status.code(), absl::StrCat("connection to ", address(), ": ", status.message()));
}

// All has been read that the peer sent. Its hello goes out before it begins a call: without it, it has begun none.
void Connection::FailFromEndpointLocked() {
  absl::Status why = endpoint_->status();
  if (why.ok()) why = absl::UnavailableError("closed");
  EndLocked(why, !connected_ && (max_frame_ == 0 || !endpoint_->info().may_lose_last));
}

void Connection::Close(const absl::Status& why) {
  std::lock_guard<std::mutex> lock(mutex_);
  CloseLocked(why);
}

void Connection::CloseLocked(const absl::Status& why) { EndLocked(why, false); }

// not_started: of all calls, beside those that the peer has never seen.
void Connection::EndLocked(const absl::Status& why, bool not_started) {
  if (closed_) return;
  closed_ = true;
  usable_.store(false, std::memory_order_release);
  close_status_ = DescribeLocked(why);
  if (endpoint_ != nullptr) endpoint_->Close(why);
  ForgetSendWatchLocked();  // the peer of a pipe sees the end when no descriptor is left, duplicates too
  session_.ForEachCall([this, not_started](SessionCall* call) {
    if (call->owner() == nullptr) return;
    static_cast<CallOwner*>(call->owner())->OnLost(*this, close_status_, not_started || NeverSeenLocked(*call));
  });
  for (Waiter* waiter = first_waiter_; waiter != nullptr; waiter = waiter->next) waiter->wake.notify_one();
  hello_.notify_all();
  if (options_.host != nullptr) options_.host->OnClosed(*this);
}

void Connection::StartDrain(absl::string_view why) {
  std::lock_guard<std::mutex> lock(mutex_);
  if (closed_) return;
  session_.StartDrain(why);
  PumpLocked();
  FlushLocked();
}

bool Connection::IdleLocked() const { return session_.peer_calls() == 0 && !session_.HasOutput() && !need_flush_; }

}  // namespace nearcall::internal
