// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// Strand: runs things one at a time, in order, on a pool: the executor of a channel's callbacks, or of one served
// call's.
//
// Thread safety: all of it. Lifetime: shared; it keeps itself alive while it has work.
#ifndef NEARCALL_RPC_RUNTIME_STRAND_H_
#define NEARCALL_RPC_RUNTIME_STRAND_H_

#include <memory>
#include <mutex>

#include "nearcall/rpc/runtime/pool.h"
#include "nearcall/rpc/runtime/runnable.h"

namespace nearcall::internal {

class Strand final : public std::enable_shared_from_this<Strand>, private Runnable {
 public:
  explicit Strand(std::shared_ptr<Pool> pool) : pool_(std::move(pool)) {}

  void Post(Runnable* runnable) {
    std::lock_guard<std::mutex> lock(mutex_);
    queue_.Push(runnable);
    if (self_ != nullptr) return;
    self_ = shared_from_this();
    pool_->Post(this);
  }

 private:
  static constexpr int kTurn = 64;  // then others of the pool get theirs

  void Run() override {
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
          return;
        }
      }
      if (turn.worker() != nullptr) turn.worker()->NextUserCode();
      if (i == 1) pool_->Monitor();  // busy: from here on flushes are worth putting off
      runnable->Run();
    }
    pool_->Post(this);
  }

  const std::shared_ptr<Pool> pool_;
  std::mutex mutex_;
  RunnableQueue queue_;
  std::shared_ptr<Strand> self_;  // set while it stands in the pool's queue or runs
};

}  // namespace nearcall::internal

#endif  // NEARCALL_RPC_RUNTIME_STRAND_H_
