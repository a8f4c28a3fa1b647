// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
#include "nearcall/rpc/run_loop.h"

#include <chrono>
#include <utility>

#include "nearcall/rpc/runtime/deadline.h"

namespace nearcall {

void RunLoop::Post(absl::AnyInvocable<void() &&> work) {
  std::lock_guard<std::mutex> lock(mutex_);
  if (stopped_) return;  // `work` ends after the lock: it may let go of much
  work_.push_back(std::move(work));
  changed_.notify_one();
}

void RunLoop::Run() {
  while (RunOne(absl::InfiniteDuration())) {
  }
}

bool RunLoop::RunOne(absl::Duration wait) {
  const int64_t deadline_ns = internal::DeadlineAfter(wait);
  absl::AnyInvocable<void() &&> work;
  {
    std::unique_lock<std::mutex> lock(mutex_);
    while (work_.empty() && !stopped_) {
      if (deadline_ns == kNoDeadline) {
        changed_.wait(lock);
        continue;
      }
      const int64_t left = deadline_ns - MonotonicNanos();
      if (left <= 0) return false;
      changed_.wait_for(lock, std::chrono::nanoseconds(left));
    }
    if (stopped_) return false;
    work = std::move(work_.front());
    work_.pop_front();
  }
  std::move(work)();
  return true;
}

int RunLoop::RunPending() {
  std::unique_lock<std::mutex> lock(mutex_);
  int ran = 0;
  for (size_t count = work_.size(); count > 0 && !work_.empty(); --count, ++ran) {
    absl::AnyInvocable<void()&&> work = std::move(work_.front());
    work_.pop_front();
    lock.unlock();
    std::move(work)();
    work = nullptr;
    lock.lock();
  }
  return ran;
}

void RunLoop::Stop() {
  std::deque<absl::AnyInvocable<void() &&>> dropped;  // after the lock
  std::lock_guard<std::mutex> lock(mutex_);
  stopped_ = true;
  dropped.swap(work_);
  changed_.notify_all();
}

}  // namespace nearcall
