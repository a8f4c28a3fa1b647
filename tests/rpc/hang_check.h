// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// HangCheck: ends the program, with a message that names the test, if it is not destroyed within its limit. For tests
// of what would otherwise wait for ever: the other way is the time limit of the whole program, which says nothing.
//
//   const HangCheck hang("both sides' media are full");
#ifndef NEARCALL_TESTS_RPC_HANG_CHECK_H_
#define NEARCALL_TESTS_RPC_HANG_CHECK_H_

#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <string>
#include <thread>

#include "gtest/gtest.h"

namespace nearcall::test {

class HangCheck {
 public:
  explicit HangCheck(std::string what, std::chrono::seconds limit = std::chrono::seconds(120))
      : what_(std::move(what)), limit_(limit), thread_([this] { Watch(); }) {}
  ~HangCheck() {
    {
      std::lock_guard<std::mutex> lock(mutex_);
      over_ = true;
    }
    changed_.notify_one();
    thread_.join();
  }
  HangCheck(const HangCheck&) = delete;
  HangCheck& operator=(const HangCheck&) = delete;

 private:
  void Watch() {
    std::unique_lock<std::mutex> lock(mutex_);
    // Second by second: in a program that is stopped, or gets no time, little of the limit goes by.
    for (int64_t second = 0; second < limit_.count(); ++second) {
      if (changed_.wait_until(lock, std::chrono::system_clock::now() + std::chrono::seconds(1),
                              [this] { return over_; }))
        return;
    }
    const ::testing::TestInfo* test = ::testing::UnitTest::GetInstance()->current_test_info();
    std::fprintf(stderr, "%s.%s hangs: after %lld s not over: %s\n", test == nullptr ? "?" : test->test_suite_name(),
                 test == nullptr ? "?" : test->name(), static_cast<long long>(limit_.count()), what_.c_str());
    std::abort();
  }

  const std::string what_;
  const std::chrono::seconds limit_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool over_ = false;
  std::thread thread_;  // last: it uses the others
};

}  // namespace nearcall::test

#endif  // NEARCALL_TESTS_RPC_HANG_CHECK_H_
