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
#include <system_error>
#include <utility>

#include "nearcall/rpc/runtime/blocking.h"

namespace nearcall::internal {
namespace {

constexpr uint64_t kWakeData = ~uint64_t{0};
constexpr uint64_t kTimerData = ~uint64_t{1};
constexpr std::chrono::microseconds kMonitorTick(500);  // what is owed is paid by the second
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
  for (;;) {
    Runnable* runnable;
    {
      std::lock_guard<std::mutex> lock(mutex_);
      runnable = queue_.Pop();
    }
    if (runnable == nullptr) return;
    runnable->Discard();
  }
}

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
  try {
    handles_.emplace_back([this] { ThreadMain(); });
    ++threads_;
  } catch (const std::system_error&) {
    // EAGAIN: no thread to be had. With others, work waits for them; without any, for the next Post() or Add().
  }
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
  Worker worker(this);
  ::pthread_setname_np(::pthread_self(), options_.name.substr(0, 15).c_str());
  std::unique_lock<std::mutex> lock(mutex_);
  workers_.push_back(&worker);
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
  workers_.erase(std::find(workers_.begin(), workers_.end(), &worker));
  ended_entries_ += worker.entered();
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

bool Pool::Pin() {
  std::lock_guard<std::mutex> lock(mutex_);
  if (pins_ >= options_.max_pins || stopping_) return false;
  ++pins_;
  ++blocked_;
  SpawnIfNeeded();
  if (threads_ - blocked_ > 0) return true;
  --pins_;  // no thread can be had for the other connections
  --blocked_;
  return false;
}

void Pool::Unpin() {
  std::lock_guard<std::mutex> lock(mutex_);
  --pins_;
  --blocked_;
}

BlockingScope::BlockingScope() : pool_(nullptr) {
  Worker* const worker = Worker::Current();  // null also in a child that one of the library's threads has forked
  if (worker == nullptr) return;
  worker->Settle();
  pool_ = &worker->pool();
  pool_->Block();
}
BlockingScope::~BlockingScope() {
  if (pool_ != nullptr) pool_->Unblock();
}

// ---- the monitor

void Pool::UserCodeEntered() {
  user_code_.fetch_add(1);
  if (monitor_active_.load()) return;
  std::lock_guard<std::mutex> lock(mutex_);
  if (stopping_ || user_code_.load() < threads_) return;
  StartMonitor();
}

bool Pool::Monitored() {
  if (monitor_active_.load()) return true;
  std::lock_guard<std::mutex> lock(mutex_);
  if (pins_ > 0 && !stopping_) StartMonitor();  // else it is not busy enough to be worth it
  return monitor_active_.load();
}

void Pool::Monitor() {
  if (monitor_active_.load()) return;
  std::lock_guard<std::mutex> lock(mutex_);
  if (!stopping_) StartMonitor();
}

void Pool::StartMonitor() {
  if (monitor_active_.load()) return;
  if (!monitor_.joinable()) {
    try {
      monitor_ = std::thread([this] { MonitorMain(); });
    } catch (const std::system_error&) {
      return;  // EAGAIN: no thread to be had. Nobody keeps a role then, and no thread is added: tried again next time.
    }
  }
  monitor_active_.store(true);
  monitor_wake_.notify_one();
}

void Pool::MonitorMain() {
  ::pthread_setname_np(::pthread_self(), "nearcall-mon");
  std::unique_lock<std::mutex> lock(mutex_);
  while (!stopping_) {
    if (!monitor_active_.load()) {
      monitor_wake_.wait(lock);
      continue;
    }
    for (int idle = 0; !stopping_ && idle < kMonitorIdleTicks;) {
      monitor_wake_.wait_for(lock, kMonitorTick);
      if (!stopping_) idle = MonitorTick(lock) ? 0 : idle + 1;
    }
    extra_ = 0;  // threads beyond what is wanted end when they are through
    // Who entered user code before this store, and saw the monitor active, is looked after.
    monitor_active_.store(false);
    if (UserCodeEntries() != monitor_entered_) monitor_active_.store(true);
  }
}

uint64_t Pool::UserCodeEntries() {
  uint64_t entries = ended_entries_;
  for (Worker* worker : workers_) entries += worker->entered();
  return entries;
}

// Whether another tick may find something: user code was entered since the last, or all threads are in it.
bool Pool::MonitorTick(std::unique_lock<std::mutex>& lock) {
  const bool full = sleeping_ == 0 && threads_ - blocked_ > 0 && user_code_.load() > 0;
  if (full && taken_ == monitor_taken_) {
    ++extra_;  // and none has come back for a tick
    SpawnIfNeeded();
  }
  monitor_taken_ = taken_;
  std::vector<Worker::Debt> debts;
  for (Worker* worker : workers_) {
    Worker::Debt debt;
    if (worker->Look(&debt)) debts.push_back(std::move(debt));
  }
  const uint64_t entries = UserCodeEntries();
  const bool moved = entries != monitor_entered_ || (full && threads_ < options_.max_threads);
  monitor_entered_ = entries;
  if (debts.empty()) return moved;
  lock.unlock();
  for (Worker::Debt& debt : debts) debt.Pay();
  debts.clear();
  lock.lock();
  return moved;
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
