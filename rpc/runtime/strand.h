// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// Strand: runs things one at a time, in order, on a pool or on an executor of the user's: a channel's callbacks, or one
// served call's.
//
// Thread safety: all of it. Lifetime: shared; it keeps itself alive while it has work.
#ifndef NEARCALL_RPC_RUNTIME_STRAND_H_
#define NEARCALL_RPC_RUNTIME_STRAND_H_

#include <memory>
#include <mutex>

#include "nearcall/rpc/executor.h"
#include "nearcall/rpc/runtime/pool.h"
#include "nearcall/rpc/runtime/runnable.h"

namespace nearcall::internal {

class Strand final : public std::enable_shared_from_this<Strand>, private Runnable {
 public:
  explicit Strand(std::shared_ptr<Pool> pool, std::shared_ptr<Executor> executor = nullptr)
      : pool_(std::move(pool)), executor_(std::move(executor)) {}

  void Post(Runnable* runnable) {
    std::lock_guard<std::mutex> lock(mutex_);
    queue_.Push(runnable);
    if (self_ != nullptr) return;
    self_ = shared_from_this();
    pool_->Post(this);
  }

 private:
  static constexpr int kTurn = 64;  // then others of the pool get theirs

  // An executor is asked from here: Post() may be called under a lock of ours.
  void Run() override {
    if (executor_ == nullptr) {
      if (!RunTurn()) pool_->Post(this);
    } else {
      PostToExecutor();
    }
  }
  void PostToExecutor() {
    executor_->Post([strand = shared_from_this()] {
      if (!strand->RunTurn()) strand->PostToExecutor();
    });
  }

  // True: nothing is left.
  bool RunTurn() {
    Turn turn(nullptr);  // what callbacks send is flushed at its end, or before one of them blocks
    Pool::UserCodeScope user_code;
    std::shared_ptr<Strand> self;  // let go of after the lock
    for (int i = 0; i < kTurn; ++i) {
      Runnable* runnable;
      {
        std::lock_guard<std::mutex> lock(mutex_);
        runnable = queue_.Pop();
        if (runnable == nullptr) {
          self = std::move(self_);
          self_ = nullptr;
          return true;
        }
      }
      if (turn.worker() != nullptr) turn.worker()->NextUserCode();
      if (i == 1 && turn.worker() != nullptr) pool_->Monitor();  // busy: from here on flushes are worth putting off
      runnable->Run();
    }
    return false;
  }

  const std::shared_ptr<Pool> pool_;
  const std::shared_ptr<Executor> executor_;
  std::mutex mutex_;
  RunnableQueue queue_;
  std::shared_ptr<Strand> self_;  // set while it stands in a queue or runs
};

}  // namespace nearcall::internal

#endif  // NEARCALL_RPC_RUNTIME_STRAND_H_
