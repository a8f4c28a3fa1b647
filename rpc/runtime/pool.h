// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// Pool: the threads that attend connections and run user code. One epoll, one run queue, one set of timers, and as many
// threads as are wanted *not counting those that are blocked*: who blocks says so, and another thread takes its place.
// A server has one with its threads; the process has one (of one thread) for its channels, the I/O thread.
//
//   Pool pool({.name = "nearcall-io", .threads = 1});
//   pool.Post(&runnable);                       // Run() on some thread of the pool, soon
//   pool.Add(fd, source); pool.Arm(...)         // source->OnReady() once when the descriptor is ready, then disarmed
//
// Threads start at first need and sleep in epoll_wait without a time limit: an idle pool uses no CPU. Thread safety:
// all of it. Lock order: the pool's lock is innermost; OnReady, OnTimer and Run are called without it.
#ifndef NEARCALL_RPC_RUNTIME_POOL_H_
#define NEARCALL_RPC_RUNTIME_POOL_H_

#include <sys/epoll.h>

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "nearcall/rpc/runtime/runnable.h"
#include "nearcall/rpc/runtime/worker.h"
#include "nearcall/transports/api/clock.h"
#include "nearcall/transports/api/unique_fd.h"

namespace nearcall::internal {

struct PoolOptions {
  std::string name = "nearcall";  // of its threads, as `top -H` shows them (15 characters)
  int threads = 1;                // wanted unblocked
  int max_threads = 512;          // with the blocked ones; beyond, work waits
  int max_pins = 0;               // threads that may sleep in a busy connection's receive call, beside the others
};

class Pool {
 public:
  // Something with descriptors. Kept alive by the pool while it is registered.
  class Source {
   public:
    virtual ~Source() = default;
    virtual void OnReady(uint32_t tag) = 0;  // on a thread of the pool; may come once too often: check the state
  };

  class Timer;  // below

  explicit Pool(PoolOptions options);
  ~Pool();  // Stop()
  // Ends and joins the threads; what is queued is discarded. REQUIRES: not on a thread of the pool.
  void Stop();
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;

  // Whether the epoll and its wake-up could be made (EMFILE); everything else needs it to be OK.
  const absl::Status& status() const { return status_; }

  void Post(Runnable* runnable);  // REQUIRES: alive until it has run, and not queued

  // Registers a descriptor, disarmed; -1 if the kernel refused (errno). The key is for the other calls.
  int64_t Add(int fd, std::shared_ptr<Source> source, uint32_t tag);
  void Arm(int64_t key, uint32_t events);  // EPOLLIN, EPOLLOUT: one OnReady, then disarmed
  void Disarm(int64_t key);                // an OnReady may still be on its way
  void Remove(int64_t key);                // before the descriptor is closed; an OnReady may still be on its way

  // deadline: CLOCK_MONOTONIC. A timer that is scheduled again is moved.
  void Schedule(Timer* timer, int64_t deadline_ns);
  // True: it will not run (any more). False: it was not scheduled, or runs right now on another thread.
  bool Cancel(Timer* timer);

  // The calling thread of this pool blocks, or goes on: BlockingScope (blocking.h) says it.
  void Block();
  void Unblock();
  // Of the calling thread, by Worker: as blocked until Unpin(). False: there are max_pins already.
  bool Pin();
  void Unpin();

  // Says that the calling thread runs user code, which may block unseen: when no thread is left to take events for a
  // millisecond, another one is started; what the thread owes is paid for it (worker.h).
  class UserCodeScope {
   public:
    UserCodeScope() : worker_(Worker::Current()) {
      if (worker_ != nullptr) worker_->EnterUserCode(false);
    }
    ~UserCodeScope() {
      if (worker_ != nullptr) worker_->LeaveUserCode();
    }
    UserCodeScope(const UserCodeScope&) = delete;
    UserCodeScope& operator=(const UserCodeScope&) = delete;

   private:
    Worker* const worker_;
  };
  // By Worker.
  void UserCodeEntered();
  void UserCodeLeft() { user_code_.fetch_sub(1); }
  // Whether what a worker owes in user code is looked after: a piece of it that is entered, or looked at, while this is
  // so will be. Monitored() sees to it if threads are pinned, Monitor() always.
  bool monitor_active() const { return monitor_active_.load(); }
  bool Monitored();
  void Monitor();

  class Timer {
   public:
    virtual ~Timer() = default;
    virtual void OnTimer() = 0;  // on a thread of the pool

   private:
    friend class Pool;
    int64_t deadline_ns_ = 0;
    size_t heap_index_ = SIZE_MAX;  // not scheduled
  };

 private:
  struct Slot {
    std::shared_ptr<Source> source;
    int fd = -1;
    uint32_t tag = 0;
    uint32_t generation = 0;
  };

  void ThreadMain();
  void StartMonitor();  // under mutex_
  void MonitorMain();
  uint64_t UserCodeEntries();  // under mutex_
  bool MonitorTick(std::unique_lock<std::mutex>& lock);
  bool RunOne(std::unique_lock<std::mutex>& lock);
  void SpawnIfNeeded();  // under mutex_
  void Wake();           // one sleeping thread; under mutex_
  void HeapUp(size_t i);
  void HeapDown(size_t i);
  void HeapRemove(size_t i);
  void FireTimers(std::unique_lock<std::mutex>& lock);
  void SetTimerFd();  // under mutex_

  const PoolOptions options_;
  absl::Status status_;
  UniqueFd epoll_;
  UniqueFd wake_;   // eventfd, edge-triggered, never read: one write wakes one thread
  UniqueFd timer_;  // timerfd

  std::mutex mutex_;
  std::condition_variable threads_changed_;
  RunnableQueue queue_;
  std::vector<Slot> slots_;
  std::vector<uint32_t> free_slots_;
  std::vector<Timer*> heap_;
  int64_t timer_armed_ns_ = kNoDeadline;
  int threads_ = 0;               // alive
  int blocked_ = 0;               // of them, blocked
  int sleeping_ = 0;              // of them, in epoll_wait
  int waking_ = 0;                // of the sleeping ones, those already woken for the queue
  int pins_ = 0;                  // of the blocked ones, pinned
  int extra_ = 0;                 // beyond options_.threads, because user code blocked unseen
  uint64_t taken_ = 0;            // events and runnables taken: whether anything moves
  uint64_t monitor_taken_ = 0;    // at the monitor's last look
  uint64_t monitor_entered_ = 0;  // pieces of user code, at the same
  uint64_t ended_entries_ = 0;    // those of threads that have ended
  bool stopping_ = false;
  std::vector<Worker*> workers_;   // one for each thread
  std::atomic<int> user_code_{0};  // threads in user code
  std::atomic<bool> monitor_active_{false};
  std::condition_variable monitor_wake_;
  std::vector<std::thread> handles_;
  std::vector<std::thread::id> ended_;  // of handles_, to be joined
  std::thread monitor_;
};

}  // namespace nearcall::internal

#endif  // NEARCALL_RPC_RUNTIME_POOL_H_
