// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
#include "nearcall/rpc/runtime/channel_core.h"

#include <algorithm>
#include <random>
#include <utility>

#include "absl/strings/str_cat.h"
#include "nearcall/rpc/runtime/deadline.h"
#include "nearcall/rpc/runtime/fork_guard.h"
#include "nearcall/rpc/runtime/process.h"

namespace nearcall::internal {
namespace {

constexpr int kMaxFree = 256;  // call objects kept
constexpr int64_t kFirstBackoffNs = 1'000'000;
constexpr int64_t kLastBackoffNs = 25'000'000;

// Jitter keeps the clients of a server that comes back from coming all at once.
int64_t Backoff(int failures) {
  thread_local std::minstd_rand random(std::random_device{}());
  int64_t backoff = kFirstBackoffNs;
  for (int i = 1; i < failures && backoff < kLastBackoffNs; ++i) backoff = backoff * 8 / 5;
  backoff = std::min(backoff, kLastBackoffNs);
  return backoff * std::uniform_int_distribution<int64_t>(80, 120)(random) / 100;
}

}  // namespace

// What the pool's epoll knows of a channel that waits for a server.
class ChannelCore::WatchSource final : public Pool::Source {
 public:
  explicit WatchSource(std::weak_ptr<ChannelCore> channel) : channel_(std::move(channel)) {}
  void OnReady(uint32_t) override {
    if (const std::shared_ptr<ChannelCore> channel = channel_.lock()) channel->OnWatch();
  }

 private:
  const std::weak_ptr<ChannelCore> channel_;
};

ChannelCore::ChannelCore(Address address, std::shared_ptr<Transport> transport, std::shared_ptr<Pool> pool,
                         ChannelOptions options)
    : address_(std::move(address)),
      text_(address_.ToString()),
      transport_(std::move(transport)),
      pool_(std::move(pool)),
      options_(std::move(options)),
      callbacks_(std::make_shared<Strand>(pool_, options_.executor_)) {}

ChannelCore::~ChannelCore() {
  DropWatchLocked();
  while (free_ != nullptr) delete std::exchange(free_, free_->next_free_);
}

std::shared_ptr<Connection> ChannelCore::MakeConnection() const {
  Connection::Options options;
  options.address = text_;
  options.pool = pool_;
  options.session.connector = true;
  options.session.max_receive_message = options_.max_receive_message_size_;
  options.session.max_pending_bytes = options_.max_pending_bytes_;
  options.session.first_call_id = options_.first_call_id_;
  options.session.now_ns = MonotonicNanos();
  options.spin = options_.spin_;
  options.keepalive_ns = Nanos(options_.keepalive_time_);
  options.keepalive_timeout_ns = Nanos(options_.keepalive_timeout_);
  return MakeParents<Connection>(std::move(options));
}

std::shared_ptr<Connection> ChannelCore::NoConnection() {
  if (ForkGuard::Forked()) return MakeConnection();  // the lock may be held for ever
  std::lock_guard<std::mutex> lock(mutex_);
  if (no_connection_ == nullptr) no_connection_ = MakeConnection();
  return no_connection_;
}

absl::Status ChannelCore::TryOpen(const std::shared_ptr<Connection>& connection) {
  absl::StatusOr<std::unique_ptr<Endpoint>> endpoint = transport_->Connect(address_);
  if (!endpoint.ok()) return endpoint.status();
  return connection->Open(*std::move(endpoint));
}

std::shared_ptr<Connection> ChannelCore::Acquire(Want want, absl::Status* why) {
  std::unique_lock<std::mutex> lock(mutex_);
  while (opening_) opened_.wait(lock);  // one system call of another thread
  const bool wait = want != Want::kNow;
  if (connection_ == nullptr || !connection_->usable()) {
    if (open_) failures_ = connection_->answered() ? 0 : failures_ + 1;
    connection_ = MakeConnection();
    open_ = false;
    if (wait && (failures_ > 0 || want == Want::kWaitALittle)) ScheduleLocked();
  }
  if (open_ || (wait && (scheduled_ || watching_))) return connection_;
  return OpenLocked(lock, wait, why);
}

// Opens connection_. REQUIRES: it is neither open nor being opened.
std::shared_ptr<Connection> ChannelCore::OpenLocked(std::unique_lock<std::mutex>& lock, bool wait, absl::Status* why) {
  const std::shared_ptr<Connection> connection = connection_;
  for (bool watched = false;;) {
    opening_ = true;
    lock.unlock();
    *why = TryOpen(connection);
    lock.lock();
    opening_ = false;
    opened_.notify_all();
    if (why->ok()) {
      open_ = true;
      DropWatchLocked();
      return connection;
    }
    ++failures_;
    if (!wait) return nullptr;
    if (watched) {
      watching_ = true;
      pool_->Arm(watch_key_, EPOLLIN);
      return connection;
    }
    watched = ArmWatchLocked(*why);  // then once more: a server may have come before the watch did
    if (!watched) {
      ScheduleLocked();
      return connection;
    }
  }
}

// Whether the coming of a server will be told, from now on.
bool ChannelCore::ArmWatchLocked(const absl::Status& why) {
  if (!absl::IsUnavailable(why) && !absl::IsPermissionDenied(why)) return false;  // it is not the server that lacks
  if (watch_ == nullptr) {
    watch_ = transport_->Watch(address_);
    if (watch_ == nullptr) return false;
    watch_key_ = pool_->Add(watch_->fd(), std::make_shared<WatchSource>(weak_from_this()), 0);
  }
  if (watch_key_ >= 0 && watch_->Arm()) return true;
  DropWatchLocked();
  return false;
}

void ChannelCore::DropWatchLocked() {
  if (watch_key_ >= 0) pool_->Remove(std::exchange(watch_key_, -1));
  watch_ = nullptr;
  watching_ = false;
}

void ChannelCore::ScheduleLocked() {
  if (scheduled_) return;
  scheduled_ = true;
  kept_ = shared_from_this();
  pool_->Schedule(this, MonotonicNanos() + Backoff(failures_));
}

void ChannelCore::OnTimer() {
  std::shared_ptr<ChannelCore> self;
  {
    std::lock_guard<std::mutex> lock(mutex_);
    scheduled_ = false;
    self = std::move(kept_);
  }
  TryAgain();
}

void ChannelCore::OnWatch() {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    if (!watching_) return;
    if (!watch_->Came()) return pool_->Arm(watch_key_, EPOLLIN);
    watching_ = false;
  }
  TryAgain();
}

void ChannelCore::TryAgain() {
  std::unique_lock<std::mutex> lock(mutex_);
  const std::shared_ptr<Connection> connection = connection_;
  lock.unlock();
  // Nobody: those who waited have given up. In this order: a Wanter is gone only when its call stands there.
  const bool wanted = wanters_.load() > 0 || connection->Wanted();
  lock.lock();
  while (opening_) opened_.wait(lock);
  if (open_ || scheduled_ || watching_) return;
  if (!wanted) return DropWatchLocked();
  absl::Status why;
  OpenLocked(lock, true, &why);
}

ClientCall* ChannelCore::NewCall(std::shared_ptr<Connection>* open) {
  if (ForkGuard::Forked()) return new ClientCall;
  {
    std::lock_guard<std::mutex> lock(mutex_);
    if (open_ && !opening_ && connection_->usable()) *open = connection_;
    if (ClientCall* call = free_; call != nullptr) {
      free_ = call->next_free_;
      --free_count_;
      call->Revive();
      return call;
    }
  }
  return new ClientCall;
}

void ChannelCore::PostCallback(Runnable* run) {
  if (ForkGuard::Forked()) {
    Process::Get().io_pool()->Post(run);
  } else {
    callbacks_->Post(run);
  }
}

void ChannelCore::Recycle(ClientCall* call) {
  call->Reset();
  if (ForkGuard::Forked()) return delete call;
  {
    std::lock_guard<std::mutex> lock(mutex_);
    if (free_count_ < kMaxFree) {
      ++free_count_;
      call->next_free_ = free_;
      free_ = call;
      return;
    }
  }
  delete call;
}

bool ChannelCore::WaitForConnected(absl::Duration timeout) {
  const int64_t deadline_ns = DeadlineAfter(timeout);
  const Wanter wanter(*this);
  for (;;) {
    absl::Status why;
    const std::shared_ptr<Connection> connection = Acquire(Want::kWait, &why);
    connection->LookIfIdle();
    if (connection->AwaitHello(deadline_ns)) return true;
    if (MonotonicNanos() >= deadline_ns) return false;
    // It was closed before its hello: somebody is there, but does not want us. Acquire() does not hurry.
  }
}

std::string ChannelCore::transport() {
  std::shared_ptr<Connection> connection;
  {
    std::lock_guard<std::mutex> lock(mutex_);
    connection = connection_;
  }
  if (connection == nullptr) return "";
  connection->LookIfIdle();
  std::lock_guard<std::mutex> lock(connection->mutex());
  const EndpointInfo* info = connection->InfoLocked();
  return info == nullptr || connection->ClosedLocked() ? "" : info->transport;
}

}  // namespace nearcall::internal
