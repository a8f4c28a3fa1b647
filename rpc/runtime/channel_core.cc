// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
#include "nearcall/rpc/runtime/channel_core.h"

#include <algorithm>
#include <random>
#include <utility>

#include "absl/strings/str_cat.h"
#include "nearcall/rpc/runtime/blocking.h"
#include "nearcall/rpc/runtime/deadline.h"

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

ChannelCore::ChannelCore(Address address, std::shared_ptr<Transport> transport, std::shared_ptr<Pool> pool,
                         ChannelOptions options)
    : address_(std::move(address)),
      text_(address_.ToString()),
      transport_(std::move(transport)),
      pool_(std::move(pool)),
      options_(std::move(options)),
      callbacks_(std::make_shared<Strand>(pool_)) {}

ChannelCore::~ChannelCore() {
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
  return std::make_shared<Connection>(std::move(options));
}

std::shared_ptr<Connection> ChannelCore::NoConnection() {
  std::lock_guard<std::mutex> lock(mutex_);
  if (no_connection_ == nullptr) no_connection_ = MakeConnection();
  return no_connection_;
}

absl::Status ChannelCore::TryOpen(const std::shared_ptr<Connection>& connection) {
  absl::StatusOr<std::unique_ptr<Endpoint>> endpoint = transport_->Connect(address_);
  if (!endpoint.ok()) return endpoint.status();
  return connection->Open(*std::move(endpoint));
}

std::shared_ptr<Connection> ChannelCore::Acquire(bool wait, absl::Status* why) {
  std::unique_lock<std::mutex> lock(mutex_);
  while (opening_) opened_.wait(lock);  // one system call of another thread
  if (connection_ != nullptr && connection_->usable()) {
    if (open_) return connection_;
  } else {
    connection_ = MakeConnection();
    open_ = false;
  }
  std::shared_ptr<Connection> connection = connection_;
  opening_ = true;
  lock.unlock();
  absl::Status status = TryOpen(connection);
  lock.lock();
  opening_ = false;
  opened_.notify_all();
  if (status.ok()) {
    open_ = true;
    failures_ = 0;
    return connection;
  }
  ++failures_;
  *why = std::move(status);
  if (!wait) return nullptr;
  ScheduleLocked();
  return connection;
}

void ChannelCore::ScheduleLocked() {
  if (scheduled_) return;
  scheduled_ = true;
  kept_ = shared_from_this();
  pool_->Schedule(this, MonotonicNanos() + Backoff(failures_));
}

void ChannelCore::OnTimer() {
  std::shared_ptr<ChannelCore> self;
  std::shared_ptr<Connection> connection;
  {
    std::lock_guard<std::mutex> lock(mutex_);
    scheduled_ = false;
    self = std::move(kept_);
    connection = connection_;
  }
  // Nobody: those who waited have given up. In this order: a Wanter is gone only when its call stands there.
  if (connection == nullptr || (wanters_.load() == 0 && !connection->Wanted())) return;
  absl::Status why;
  Acquire(true, &why);
}

ClientCall* ChannelCore::NewCall(std::shared_ptr<Connection>* open) {
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

void ChannelCore::Recycle(ClientCall* call) {
  call->Reset();
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
    std::shared_ptr<Connection> connection = Acquire(true, &why);
    connection->LookIfIdle();
    if (connection->AwaitHello(deadline_ns)) return true;
    if (MonotonicNanos() >= deadline_ns) return false;
    // It was closed before its hello: somebody is there, but does not want us. Not again at once.
    BlockingScope blocking;
    std::unique_lock<std::mutex> lock(mutex_);
    ++failures_;
    const int64_t wait_ns = std::min(Backoff(failures_), deadline_ns - MonotonicNanos());
    opened_.wait_for(lock, std::chrono::nanoseconds(wait_ns));
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
