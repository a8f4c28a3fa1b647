// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
#include "nearcall/rpc/runtime/connection.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>

#include <algorithm>
#include <cerrno>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "nearcall/rpc/runtime/blocking.h"

namespace nearcall::internal {
namespace {

constexpr int kFramesPerTurn = 16;          // then the next connection gets its turn
constexpr size_t kSmallestMaxFrame = 4096;  // what every transport takes

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

 private:
  std::shared_ptr<Connection> connection_;
};

Connection::Connection(Options options)
    : options_(std::move(options)), session_(options_.session), resume_(std::make_unique<Resume>()) {}

Connection::~Connection() {
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
  PassRoleLocked();
  return absl::OkStatus();
}

// ---- sending

void Connection::PumpLocked() {
  if (endpoint_ == nullptr || send_blocked_ || send_failed_ || closed_) return;
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
    if (io == Io::kWouldBlock) send_blocked_ = true;
    if (io == Io::kClosed) send_failed_ = true;
    if (io != Io::kOk) return;
    char* to = space.data();
    std::memcpy(to, plan.header, kFrameHeaderSize);
    if (!plan.block.empty()) std::memcpy(to + kFrameHeaderSize, plan.block.data(), plan.block.size());
    if (!plan.message.empty()) {
      std::memcpy(to + kFrameHeaderSize + plan.block.size(), plan.message.data(), plan.message.size());
    }
    endpoint_->Commit(plan.size(), {});
    need_flush_ = true;
    session_.Planned(plan);
    if (plan.notify && plan.call->owner() != nullptr) static_cast<CallOwner*>(plan.call->owner())->OnUnitPlanned();
  }
}

Io Connection::FlushLocked() {
  if (send_failed_) return Io::kClosed;
  if (need_flush_) {
    const Io io = endpoint_->Flush();
    if (io == Io::kOk) need_flush_ = false;
    if (io == Io::kWouldBlock) send_blocked_ = true;
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

void Connection::FlushSoonLocked() { FlushLocked(); }

// Somebody must notice when the medium takes bytes again: the reading waiter before it next sleeps, else the pool.
void Connection::WatchSendLocked() {
  if (send_watch_ != SendWatch::kNone || closed_ || (dispatching_ && reading_waiter_ != nullptr)) return;
  if (!send_registered_) {
    send_registered_ = true;
    const std::array<pollfd, 3> fds = endpoint_->PollFds(Side::kSend);
    for (size_t i = 0; i < fds.size(); ++i) {
      if (fds[i].fd < 0) continue;
      send_fds_[i].Reset(::fcntl(fds[i].fd, F_DUPFD_CLOEXEC, 0));
      send_events_[i] = static_cast<uint32_t>(fds[i].events);
      if (send_fds_[i].valid()) send_keys_[i] = pool().Add(send_fds_[i].get(), source_, kSendTag);
      if (send_keys_[i] < 0) {
        return CloseLocked(absl::ResourceExhaustedError(
            absl::StrCat("no descriptor to watch the full connection to ", address(), " with (errno ", errno, ")")));
      }
    }
  }
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
  send_blocked_ = false;
  if (FlushLocked() == Io::kOk) PumpLocked();
  if (FlushLocked() == Io::kOk && options_.host != nullptr) options_.host->OnWritten(*this);
}

// ---- the reader role

bool Connection::AttendLocked() {
  if (!registered_) {
    registered_ = true;
    WatchDeathLocked();  // before PollFds(), which then leaves it out
    const std::array<pollfd, 3> fds = endpoint_->PollFds(Side::kReceive);
    for (size_t i = 0; i < fds.size(); ++i) {
      if (fds[i].fd < 0) continue;
      receive_events_[i] = static_cast<uint32_t>(fds[i].events);
      receive_keys_[i] = pool().Add(fds[i].fd, source_, kReceiveTag);
      if (receive_keys_[i] < 0) {
        CloseLocked(absl::ResourceExhaustedError(
            absl::StrCat("the connection to ", address(), " can't be watched: epoll_ctl errno ", errno)));
        return true;
      }
    }
  }
  if (!endpoint_->Arm(Side::kReceive)) return false;
  role_ = Role::kAttended;
  for (size_t i = 0; i < receive_keys_.size(); ++i) {
    if (receive_keys_[i] >= 0) pool().Arm(receive_keys_[i], receive_events_[i]);
  }
  return true;
}

void Connection::PassRoleLocked() {
  role_ = Role::kIdle;
  if (closed_ || endpoint_ == nullptr) return;
  while (first_waiter_ != nullptr) {
    Waiter* waiter = first_waiter_;
    first_waiter_ = waiter->next;
    if (first_waiter_ == nullptr) last_waiter_ = nullptr;
    waiter->queued = false;
    if (waiter->done) continue;
    role_ = Role::kHeld;
    waiter->lead = true;
    waiter->wake.notify_one();
    return;
  }
  if (options_.host == nullptr && unattended_ == 0) return;
  if (AttendLocked()) return;
  role_ = Role::kHeld;  // something is ready already
  resume_->Post(shared_from_this());
}

void Connection::TakeRoleLocked() {
  if (role_ == Role::kAttended) {
    for (int64_t key : receive_keys_) {
      if (key >= 0) pool().Disarm(key);
    }
    endpoint_->Disarm(Side::kReceive);
  }
  role_ = Role::kHeld;
}

void Connection::AddUnattendedLocked() {
  if (unattended_++ == 0 && role_ == Role::kIdle) PassRoleLocked();
}

void Connection::OnReady(uint32_t tag) {
  if (tag == kSendTag) return OnSendReady();
  {
    std::lock_guard<std::mutex> lock(mutex_);
    if (closed_) return;
    if (tag == kDeathTag) {
      endpoint_->PeerDied();
      if (role_ != Role::kIdle) return;  // who reads, or the epoll, finds out
    } else {
      if (role_ != Role::kAttended) return;  // a stale event: somebody took the role meanwhile
      endpoint_->Disarm(Side::kReceive);
    }
    role_ = Role::kHeld;
  }
  ReadBatch();
}

void Connection::LookIfIdle() {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    if (closed_ || role_ != Role::kIdle || endpoint_ == nullptr) return;
    role_ = Role::kHeld;
  }
  ReadBatch();
}

void Connection::ReadBatch() {
  for (int frames = 0; frames < kFramesPerTurn; ++frames) {
    Batch batch;
    Runnable* run = nullptr;
    const Io io = ReadOne(&batch, nullptr, &run, nullptr);
    if (io == Io::kClosed) return FailFromEndpoint();
    if (io == Io::kWouldBlock) break;
    if (run == nullptr) continue;
    run->Run();
    if (batch.frame_held) endpoint_->Release();
    if (!batch.role_held) return;
  }
  std::lock_guard<std::mutex> lock(mutex_);
  PassRoleLocked();
}

Io Connection::ReadOne(Batch* batch, Waiter* self, Runnable** run, bool* done) {
  Frame frame;
  const Io io = endpoint_->Borrow(&frame);
  if (io != Io::kOk) return io;
  bool keep;
  {
    std::lock_guard<std::mutex> lock(mutex_);
    if (closed_) {
      endpoint_->Release();
      return Io::kClosed;
    }
    SessionEvent event = session_.Consume(frame.bytes, hello_due_ ? MonotonicNanos() : 0);
    dispatching_ = true;
    *run = DispatchLocked(event, batch);
    if (session_.HasOutput()) {
      PumpLocked();
      FlushLocked();
    }
    dispatching_ = false;
    keep = kept_frame_ || (*run != nullptr && batch != nullptr);
    if (batch != nullptr) batch->frame_held = keep;
    if (done != nullptr) *done = self->done || closed_;
  }
  if (!keep) endpoint_->Release();
  return Io::kOk;
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
      if (options_.host != nullptr) return options_.host->OnNewCall(*this, event, batch);
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

void Connection::OfferRole(Batch* batch) {
  ReleaseFrame(batch);
  if (!batch->role_held) return;
  batch->role_held = false;
  std::lock_guard<std::mutex> lock(mutex_);
  PassRoleLocked();
}

void Connection::ReleaseFrame(Batch* batch) {
  if (!batch->frame_held) return;
  batch->frame_held = false;
  endpoint_->Release();
}

// ---- waiting

bool Connection::Await(std::unique_lock<std::mutex>& lock, Waiter* waiter, int64_t deadline_ns) {
  while (!waiter->done && !closed_) {
    if (waiter->lead || (role_ != Role::kHeld && endpoint_ != nullptr)) {
      if (!waiter->lead) TakeRoleLocked();
      waiter->lead = false;
      reading_waiter_ = waiter;
      ReadForWaiter(lock, waiter, deadline_ns);
      reading_waiter_ = nullptr;
      if (kept_frame_) {
        waiter->holding = true;
        return true;
      }
      PassRoleLocked();
      return waiter->done;
    }
    if (!waiter->queued) {
      waiter->queued = true;
      waiter->next = nullptr;
      (last_waiter_ == nullptr ? first_waiter_ : last_waiter_->next) = waiter;
      last_waiter_ = waiter;
    }
    BlockingScope blocking;
    if (deadline_ns == kNoDeadline) {
      waiter->wake.wait(lock);
    } else {
      const int64_t left = deadline_ns - MonotonicNanos();
      if (left <= 0) break;
      waiter->wake.wait_for(lock, std::chrono::nanoseconds(left));
    }
  }
  if (waiter->queued) {
    waiter->queued = false;
    Waiter** link = &first_waiter_;
    Waiter* previous = nullptr;
    while (*link != waiter) {
      previous = *link;
      link = &previous->next;
    }
    *link = waiter->next;
    if (last_waiter_ == waiter) last_waiter_ = previous;
  }
  if (waiter->lead) {
    waiter->lead = false;
    PassRoleLocked();
  }
  return waiter->done;
}

void Connection::FinishRead() {
  endpoint_->Release();
  std::lock_guard<std::mutex> lock(mutex_);
  kept_frame_ = false;
  PassRoleLocked();
}

bool Connection::KeepFrameLocked(const Waiter* waiter) {
  if (waiter == nullptr || waiter != reading_waiter_ || !dispatching_) return false;
  kept_frame_ = true;
  return true;
}

void Connection::CompleteLocked(Waiter* waiter) {
  waiter->done = true;
  if (waiter != reading_waiter_) {
    waiter->wake.notify_one();
  } else if (!dispatching_ && interrupt_.valid()) {
    const uint64_t one = 1;
    [[maybe_unused]] ssize_t written = ::write(interrupt_.get(), &one, sizeof(one));  // full: it is awake already
  }
}

void Connection::ReadForWaiter(std::unique_lock<std::mutex>& lock, Waiter* waiter, int64_t deadline_ns) {
  for (bool last_look = false;;) {
    lock.unlock();
    for (;;) {
      Runnable* run = nullptr;
      bool done = false;
      const Io io = ReadOne(nullptr, waiter, &run, &done);
      if (io == Io::kWouldBlock) break;
      if (io == Io::kClosed) {
        FailFromEndpoint();
        done = true;
      }
      if (run != nullptr) pool().Post(run);
      if (done) {
        lock.lock();
        return;
      }
    }
    lock.lock();
    if (waiter->done || closed_ || last_look) return;
    last_look = !Sleep(lock, deadline_ns);
  }
}

// Sleeps until something can be read, the queued output can go on, the waiter is completed by another thread (true), or
// the deadline comes (false).
bool Connection::Sleep(std::unique_lock<std::mutex>& lock, int64_t deadline_ns) {
  if (!interrupt_.valid()) {
    interrupt_.Reset(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    if (!interrupt_.valid()) {
      CloseLocked(absl::ResourceExhaustedError(
          absl::StrCat("no descriptor to wait with on ", address(), ": eventfd errno ", errno)));
      return true;
    }
  }
  std::array<pollfd, 7> fds;
  nfds_t count = 0;
  const auto add = [&](const std::array<pollfd, 3>& more) {
    for (const pollfd& fd : more) {
      if (fd.fd >= 0) fds[count++] = fd;
    }
  };
  const bool watch_send = send_blocked_ && send_watch_ == SendWatch::kNone;
  if (watch_send && endpoint_->Arm(Side::kSend)) {
    send_watch_ = SendWatch::kWaiter;
    add(endpoint_->PollFds(Side::kSend));
  }
  fds[count++] = {.fd = interrupt_.get(), .events = POLLIN, .revents = 0};
  const size_t interrupt = count - 1;
  lock.unlock();
  bool in_time = true;
  if ((!watch_send || count > 1) && endpoint_->Arm(Side::kReceive)) {
    add(endpoint_->PollFds(Side::kReceive));
    BlockingScope blocking;
    timespec left{};
    if (deadline_ns != kNoDeadline) {
      const int64_t ns = std::max<int64_t>(deadline_ns - MonotonicNanos(), 0);
      left = {.tv_sec = ns / 1'000'000'000, .tv_nsec = ns % 1'000'000'000};
    }
    const int ready = ::ppoll(fds.data(), count, deadline_ns == kNoDeadline ? nullptr : &left, nullptr);
    in_time = ready != 0;
    endpoint_->Disarm(Side::kReceive);
    if (fds[interrupt].revents != 0) {
      uint64_t value;
      [[maybe_unused]] ssize_t n = ::read(interrupt_.get(), &value, sizeof(value));
    }
  }
  lock.lock();
  if (watch_send) {
    if (send_watch_ == SendWatch::kWaiter) {
      endpoint_->Disarm(Side::kSend);
      send_watch_ = SendWatch::kNone;
    }
    send_blocked_ = false;
    dispatching_ = true;  // what blocks again is watched by the next Sleep()
    if (FlushLocked() == Io::kOk) PumpLocked();
    FlushLocked();
    dispatching_ = false;
  }
  return in_time;
}

bool Connection::AwaitHello(int64_t deadline_ns) {
  std::unique_lock<std::mutex> lock(mutex_);
  AddUnattendedLocked();
  ++hello_waiters_;
  {
    BlockingScope blocking;
    while (!connected_ && !closed_) {
      const int64_t left = deadline_ns - MonotonicNanos();
      if (left <= 0) break;
      if (deadline_ns == kNoDeadline) {
        hello_.wait(lock);
      } else {
        hello_.wait_for(lock, std::chrono::nanoseconds(left));
      }
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

// ---- the end

absl::Status Connection::DescribeLocked(const absl::Status& status) const {
  if (status.message().find(address()) != absl::string_view::npos) return status;
  return absl::Status(status.code(), absl::StrCat("connection to ", address(), ": ", status.message()));
}

void Connection::FailFromEndpoint() {
  std::lock_guard<std::mutex> lock(mutex_);
  absl::Status why = endpoint_->status();
  if (why.ok()) why = absl::UnavailableError("closed");
  CloseLocked(why);
}

void Connection::Close(const absl::Status& why) {
  std::lock_guard<std::mutex> lock(mutex_);
  CloseLocked(why);
}

void Connection::CloseLocked(const absl::Status& why) {
  if (closed_) return;
  closed_ = true;
  usable_.store(false, std::memory_order_release);
  close_status_ = DescribeLocked(why);
  if (endpoint_ != nullptr) endpoint_->Close(why);
  session_.ForEachCall([this](SessionCall* call) {
    if (call->owner() == nullptr) return;
    static_cast<CallOwner*>(call->owner())->OnLost(*this, close_status_, !call->started());
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
