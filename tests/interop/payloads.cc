// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0

#include "nearcall/tests/interop/payloads.h"

#include <chrono>
#include <condition_variable>
#include <map>
#include <mutex>
#include <thread>

namespace nearcall::interop {
namespace {

class Delays {
 public:
  using Clock = std::chrono::steady_clock;

  Delays() {
    std::thread([this] { Main(); }).detach();
  }

  void Add(Clock::time_point when, absl::AnyInvocable<void() &&> callback) {
    std::lock_guard<std::mutex> lock(mutex_);
    pending_.emplace(when, std::move(callback));
    changed_.notify_one();
  }

 private:
  void Main() {
    std::unique_lock<std::mutex> lock(mutex_);
    for (;;) {
      if (pending_.empty()) {
        changed_.wait(lock);
      } else if (const Clock::time_point first = pending_.begin()->first; first > Clock::now()) {
        changed_.wait_until(lock, first);
      } else {
        absl::AnyInvocable<void()&&> callback = std::move(pending_.begin()->second);
        pending_.erase(pending_.begin());
        lock.unlock();
        std::move(callback)();
        lock.lock();
      }
    }
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::multimap<Clock::time_point, absl::AnyInvocable<void() &&>> pending_;
};

}  // namespace

void After(absl::Duration delay, absl::AnyInvocable<void() &&> callback) {
  static auto* const delays = new Delays;
  delays->Add(Delays::Clock::now() + absl::ToChronoNanoseconds(delay), std::move(callback));
}

}  // namespace nearcall::interop
