// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
#include "nearcall/rpc/runtime/pool.h"

#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <utility>

#include "nearcall/rpc/runtime/blocking.h"

namespace nearcall::internal {
namespace {

thread_local Pool* current_pool = nullptr;

constexpr uint64_t kWakeData = ~uint64_t{0};
constexpr uint64_t kTimerData = ~uint64_t{1};
constexpr std::chrono::milliseconds kMonitorTick(1);
constexpr int kMonitorIdleTicks = 20;
constexpr int kSpareThreads = 8;

}  // namespace

Pool::Pool(PoolOptions options) : options_(std::move(options)) {
  epoll_.Reset(::epoll_create1(EPOLL_CLOEXEC));
  wake_.Reset(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  timer_.Reset(::timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK));
  if (!epoll_.valid() || !wake_.valid() || !timer_.valid()) {
    status_ = absl::ErrnoToStatus(errno, "no descriptors for an event loop (epoll, eventfd, timerfd)");
    return;
  }
  epoll_event wake{.events = EPOLLIN | EPOLLET, .data = {.u64 = kWakeData}};
  epoll_event timer{.events = EPOLLIN | EPOLLET, .data = {.u64 = kTimerData}};
  if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, wake_.get(), &wake) != 0 ||
      ::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, timer_.get(), &timer) != 0) {
    status_ = absl::ErrnoToStatus(errno, "epoll_ctl");
  }
}

Pool::~Pool() { Stop(); }

void Pool::Stop() {
  std::vector<std::thread> handles;
  {
    std::unique_lock<std::mutex> lock(mutex_);
    stopping_ = true;
    monitor_wake_.notify_all();
    while (threads_ > 0) {
      Wake();
      threads_changed_.wait_for(lock, std::chrono::milliseconds(10));
    }
    handles.swap(handles_);
  }
  for (std::thread& handle : handles) handle.join();
  if (monitor_.joinable()) monitor_.join();
}

Pool* Pool::Current() { return current_pool; }

void Pool::Wake() {
  const uint64_t one = 1;
  // The counter can't overflow in the life of a machine; a write can then not fail.
  [[maybe_unused]] ssize_t written = ::write(wake_.get(), &one, sizeof(one));
}

void Pool::SpawnIfNeeded() {
  if (stopping_ || threads_ - blocked_ >= options_.threads + extra_ || threads_ >= options_.max_threads) return;
  for (std::thread::id ended : ended_) {  // they hold no lock any more: joining takes no time
    const auto handle =
        std::find_if(handles_.begin(), handles_.end(), [&](const auto& h) { return h.get_id() == ended; });
    handle->join();
    handles_.erase(handle);
  }
  ended_.clear();
  ++threads_;
  handles_.emplace_back([this] { ThreadMain(); });
}

void Pool::Post(Runnable* runnable) {
  std::lock_guard<std::mutex> lock(mutex_);
  queue_.Push(runnable);
  if (sleeping_ > waking_) {
    ++waking_;
    Wake();
  } else {
    SpawnIfNeeded();
  }
}

int64_t Pool::Add(int fd, std::shared_ptr<Source> source, uint32_t tag) {
  std::lock_guard<std::mutex> lock(mutex_);
  uint32_t index;
  if (free_slots_.empty()) {
    index = static_cast<uint32_t>(slots_.size());
    slots_.emplace_back();
  } else {
    index = free_slots_.back();
    free_slots_.pop_back();
  }
  Slot& slot = slots_[index];
  const int64_t key = (int64_t{slot.generation} << 32) | index;
  epoll_event event{.events = EPOLLONESHOT, .data = {.u64 = static_cast<uint64_t>(key)}};
  // EPOLLHUP and EPOLLERR come even when nothing is asked for: one early OnReady is allowed for.
  if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) != 0) {
    free_slots_.push_back(index);
    return -1;
  }
  slot.source = std::move(source);
  slot.fd = fd;
  slot.tag = tag;
  SpawnIfNeeded();
  return key;
}

void Pool::Arm(int64_t key, uint32_t events) {
  int fd;
  {
    std::lock_guard<std::mutex> lock(mutex_);
    const Slot& slot = slots_[static_cast<uint32_t>(key)];
    if (slot.generation != static_cast<uint32_t>(key >> 32)) return;
    fd = slot.fd;
  }
  epoll_event event{.events = events | EPOLLONESHOT, .data = {.u64 = static_cast<uint64_t>(key)}};
  ::epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, fd, &event);
}

void Pool::Disarm(int64_t key) { Arm(key, 0); }

void Pool::Remove(int64_t key) {
  std::shared_ptr<Source> source;  // let go outside the lock
  std::lock_guard<std::mutex> lock(mutex_);
  const uint32_t index = static_cast<uint32_t>(key);
  Slot& slot = slots_[index];
  if (slot.generation != static_cast<uint32_t>(key >> 32) || slot.fd < 0) return;
  ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, slot.fd, nullptr);
  source = std::move(slot.source);
  slot.fd = -1;
  ++slot.generation;
  slot.generation &= 0x3fffffff;  // keys stay clear of kWakeData, kTimerData and -1
  free_slots_.push_back(index);
}

bool Pool::RunOne(std::unique_lock<std::mutex>& lock) {
  Runnable* runnable = queue_.Pop();
  if (runnable == nullptr) return false;
  ++taken_;
  // Others help with what is behind it.
  if (!queue_.empty() && sleeping_ > waking_) {
    ++waking_;
    Wake();
  }
  lock.unlock();
  runnable->Run();
  lock.lock();
  return true;
}

void Pool::ThreadMain() {
  current_pool = this;
  ::pthread_setname_np(::pthread_self(), options_.name.substr(0, 15).c_str());
  std::unique_lock<std::mutex> lock(mutex_);
  for (;;) {
    while (!stopping_ && RunOne(lock)) {
    }
    // Many more than wanted (those that were blocked are back): the thread ends. Some are kept for the next block.
    if (stopping_ || threads_ - blocked_ > options_.threads + extra_ + kSpareThreads) break;
    ++sleeping_;
    lock.unlock();
    epoll_event event;
    const int n = ::epoll_wait(epoll_.get(), &event, 1, -1);
    lock.lock();
    --sleeping_;
    if (n != 1) continue;  // EINTR
    if (event.data.u64 == kWakeData) {
      waking_ = 0;  // several wake-ups may have come as one event: RunOne() wakes the next
      continue;
    }
    ++taken_;
    if (event.data.u64 == kTimerData) {
      FireTimers(lock);
      continue;
    }
    const Slot& slot = slots_[static_cast<uint32_t>(event.data.u64)];
    if (slot.generation != static_cast<uint32_t>(event.data.u64 >> 32) || slot.source == nullptr) continue;
    std::shared_ptr<Source> source = slot.source;
    const uint32_t tag = slot.tag;
    lock.unlock();
    source->OnReady(tag);
    source.reset();
    lock.lock();
  }
  --threads_;
  ended_.push_back(std::this_thread::get_id());
  threads_changed_.notify_all();
  // A wake-up meant for this thread goes on to another.
  if (!queue_.empty() && sleeping_ > waking_) {
    ++waking_;
    Wake();
  }
}

void Pool::Block() {
  std::lock_guard<std::mutex> lock(mutex_);
  ++blocked_;
  SpawnIfNeeded();
}

void Pool::Unblock() {
  std::lock_guard<std::mutex> lock(mutex_);
  --blocked_;
}

BlockingScope::BlockingScope() : pool_(current_pool) {
  if (pool_ != nullptr) pool_->Block();
}
BlockingScope::~BlockingScope() {
  if (pool_ != nullptr) pool_->Unblock();
}

Pool::UserCodeScope::UserCodeScope(Pool& pool) : pool_(pool) {
  std::lock_guard<std::mutex> lock(pool_.mutex_);
  ++pool_.user_code_;
  if (pool_.user_code_ < pool_.threads_ || pool_.stopping_) return;
  // The last thread goes into user code: the monitor looks whether it comes back.
  if (!pool_.monitor_.joinable()) {
    pool_.monitor_ = std::thread([pool = &pool_] { pool->MonitorMain(); });
  } else if (!pool_.monitor_running_) {
    pool_.monitor_wake_.notify_one();
  }
}

Pool::UserCodeScope::~UserCodeScope() {
  std::lock_guard<std::mutex> lock(pool_.mutex_);
  --pool_.user_code_;
}

void Pool::MonitorMain() {
  ::pthread_setname_np(::pthread_self(), "nearcall-mon");
  std::unique_lock<std::mutex> lock(mutex_);
  while (!stopping_) {
    monitor_running_ = true;
    uint64_t last_taken = taken_;
    for (int idle = 0; !stopping_ && idle < kMonitorIdleTicks;) {
      monitor_wake_.wait_for(lock, kMonitorTick);
      if (sleeping_ == 0 && taken_ == last_taken && threads_ - blocked_ > 0) {
        ++extra_;  // all threads are in user code, and none has come back for a tick
        SpawnIfNeeded();
      }
      idle = user_code_ > 0 && sleeping_ == 0 ? 0 : idle + 1;
      last_taken = taken_;
    }
    monitor_running_ = false;
    extra_ = 0;  // threads beyond what is wanted end when they are through
    if (!stopping_) monitor_wake_.wait(lock);
  }
}

// ---- timers: a binary heap by deadline, and one timerfd set to the earliest

void Pool::SetTimerFd() {
  const int64_t earliest = heap_.empty() ? kNoDeadline : heap_[0]->deadline_ns_;
  // A timerfd that fires too early costs one look; setting it at each change would cost a system call a call.
  if (earliest >= timer_armed_ns_) return;
  timer_armed_ns_ = earliest;
  itimerspec when{};
  const int64_t at = earliest > 0 ? earliest : 1;
  when.it_value.tv_sec = at / 1'000'000'000;
  when.it_value.tv_nsec = at % 1'000'000'000;
  ::timerfd_settime(timer_.get(), TFD_TIMER_ABSTIME, &when, nullptr);
}

void Pool::Schedule(Timer* timer, int64_t deadline_ns) {
  std::lock_guard<std::mutex> lock(mutex_);
  if (timer->heap_index_ != SIZE_MAX) HeapRemove(timer->heap_index_);
  timer->deadline_ns_ = deadline_ns;
  timer->heap_index_ = heap_.size();
  heap_.push_back(timer);
  HeapUp(heap_.size() - 1);
  SetTimerFd();
  SpawnIfNeeded();
}

bool Pool::Cancel(Timer* timer) {
  std::lock_guard<std::mutex> lock(mutex_);
  if (timer->heap_index_ == SIZE_MAX) return false;
  HeapRemove(timer->heap_index_);
  return true;
}

void Pool::FireTimers(std::unique_lock<std::mutex>& lock) {
  uint64_t expirations;
  [[maybe_unused]] ssize_t n = ::read(timer_.get(), &expirations, sizeof(expirations));
  timer_armed_ns_ = kNoDeadline;
  while (!stopping_ && !heap_.empty() && heap_[0]->deadline_ns_ <= MonotonicNanos()) {
    Timer* timer = heap_[0];
    HeapRemove(0);
    lock.unlock();
    timer->OnTimer();
    lock.lock();
  }
  SetTimerFd();
}

void Pool::HeapUp(size_t i) {
  while (i > 0) {
    const size_t parent = (i - 1) / 2;
    if (heap_[parent]->deadline_ns_ <= heap_[i]->deadline_ns_) break;
    std::swap(heap_[parent], heap_[i]);
    heap_[parent]->heap_index_ = parent;
    heap_[i]->heap_index_ = i;
    i = parent;
  }
}

void Pool::HeapDown(size_t i) {
  for (;;) {
    size_t child = 2 * i + 1;
    if (child >= heap_.size()) return;
    if (child + 1 < heap_.size() && heap_[child + 1]->deadline_ns_ < heap_[child]->deadline_ns_) ++child;
    if (heap_[i]->deadline_ns_ <= heap_[child]->deadline_ns_) return;
    std::swap(heap_[i], heap_[child]);
    heap_[i]->heap_index_ = i;
    heap_[child]->heap_index_ = child;
    i = child;
  }
}

void Pool::HeapRemove(size_t i) {
  heap_[i]->heap_index_ = SIZE_MAX;
  Timer* last = heap_.back();
  heap_.pop_back();
  if (i == heap_.size()) return;
  heap_[i] = last;
  last->heap_index_ = i;
  HeapUp(i);
  HeapDown(last->heap_index_);
}

}  // namespace nearcall::internal
