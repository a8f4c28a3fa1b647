// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// Strand: runs things one at a time, in order, on a pool or on an executor of the user's: a channel's callbacks, or one
// served call's.
//
// Thread safety: all of it. Lifetime: shared; it keeps itself alive while it has work. What is queued when its pool
// ends, or when the executor drops it, is discarded.
#ifndef NEARCALL_RPC_RUNTIME_STRAND_H_
#define NEARCALL_RPC_RUNTIME_STRAND_H_

#include <memory>
#include <mutex>
#include <utility>

#include "nearcall/rpc/executor.h"
#include "nearcall/rpc/runtime/pool.h"
#include "nearcall/rpc/runtime/runnable.h"

namespace nearcall::internal {

class Strand final : public std::enable_shared_from_this<Strand>, private Runnable {
 public:
  explicit Strand(std::shared_ptr<Pool> pool, std::shared_ptr<Executor> executor = nullptr)
      : pool_(std::move(pool)), executor_(std::move(executor)) {}

  ~Strand() { DiscardAll(); }

  void Post(Runnable* runnable) {
    std::lock_guard<std::mutex> lock(mutex_);
    queue_.Push(runnable);
    if (std::exchange(posted_, true)) return;
    self_ = shared_from_this();
    pool_->Post(this);
  }

 private:
  static constexpr int kTurn = 64;  // then others of the pool get theirs

  // The strand's place in an executor. One that drops its work gives up what is queued: else that, the strand and the
  // executor would keep one another for ever.
  class Place {
   public:
    explicit Place(std::shared_ptr<Strand> strand) : strand_(std::move(strand)) {}
    Place(Place&&) noexcept = default;
    ~Place() {
      if (strand_ != nullptr) strand_->DiscardAll();
    }
    void operator()() && {
      const std::shared_ptr<Strand> strand = std::move(strand_);
      if (!strand->RunTurn()) strand->executor_->Post(Place(strand));
    }

   private:
    std::shared_ptr<Strand> strand_;
  };

  // An executor is asked from here: Post() may be called under a lock of ours.
  void Run() override {
    std::shared_ptr<Strand> self = TakeSelf();
    if (executor_ != nullptr) {
      executor_->Post(Place(std::move(self)));
    } else if (!RunTurn()) {
      std::lock_guard<std::mutex> lock(mutex_);
      self_ = std::move(self);
      pool_->Post(this);
    }
  }
  void Discard() override {  // the pool has ended
    const std::shared_ptr<Strand> self = TakeSelf();
    DiscardAll();
  }
  std::shared_ptr<Strand> TakeSelf() {
    std::lock_guard<std::mutex> lock(mutex_);
    return std::move(self_);
  }
  void DiscardAll() {  // each without the lock: it lets go of a call, and maybe of user data
    for (;;) {
      Runnable* runnable;
      {
        std::lock_guard<std::mutex> lock(mutex_);
        runnable = queue_.Pop();
        posted_ = runnable != nullptr;
      }
      if (runnable == nullptr) return;
      runnable->Discard();
    }
  }

  // True: nothing is left.
  bool RunTurn() {
    Turn turn(nullptr);  // what callbacks send is flushed at its end, or before one of them blocks
    Pool::UserCodeScope user_code;
    for (int i = 0; i < kTurn; ++i) {
      Runnable* runnable;
      {
        std::lock_guard<std::mutex> lock(mutex_);
        runnable = queue_.Pop();
        if (runnable == nullptr) {
          posted_ = false;
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
  bool posted_ = false;           // stands in a queue, or runs
  std::shared_ptr<Strand> self_;  // while it stands in the pool's queue
};

}  // namespace nearcall::internal

#endif  // NEARCALL_RPC_RUNTIME_STRAND_H_
