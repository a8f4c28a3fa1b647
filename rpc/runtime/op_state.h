// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// OpState: what stands behind an Op: one result that is on its way. Counted; Op<R> knows how to take an R out of it.
//
// Thread safety: one owner consumes (Wait, or Subscribe and then Taken); Cancel() and the counting from any thread.
#ifndef NEARCALL_RPC_RUNTIME_OP_STATE_H_
#define NEARCALL_RPC_RUNTIME_OP_STATE_H_

#include <atomic>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <new>
#include <utility>

#include "absl/functional/any_invocable.h"
#include "nearcall/rpc/runtime/fork_guard.h"
#include "nearcall/rpc/runtime/runnable.h"

namespace nearcall::internal {

class OpState {
 public:
  void Ref() { references_.fetch_add(1, std::memory_order_relaxed); }
  void Unref() {
    if (references_.fetch_sub(1, std::memory_order_acq_rel) == 1) Destroy();
  }

  virtual void Wait() = 0;   // returns when the result can be taken
  virtual bool Ready() = 0;  // whether it can be taken now
  // Has `completion` run once, on the executor, when the result can be taken. With `only_pending`: false, and
  // nothing subscribed, if it can be taken now.
  virtual bool Subscribe(Runnable* completion, bool only_pending) = 0;
  virtual void Taken() {}  // after the result was taken
  virtual void Cancel() = 0;
  virtual void Abandon() = 0;  // the owner drops it unconsumed

  // Room for the one completion, so that subscribing allocates nothing.
  static constexpr size_t kCompletionSize = 96;
  void* completion_space() { return completion_; }

  // It was made before this process was forked: it is the parent's, and nothing of it may be called.
  bool orphaned() const { return generation_ != ForkGuard::generation(); }

 protected:
  OpState() = default;
  explicit OpState(uint32_t generation) : generation_(generation) {}
  virtual ~OpState() = default;
  virtual void Destroy() { delete this; }
  void Revive() { references_.store(1, std::memory_order_relaxed); }

 private:
  std::atomic<int> references_{1};
  const uint32_t generation_ = ForkGuard::generation();
  alignas(std::max_align_t) char completion_[kCompletionSize];
};

OpState* NewOrphan();  // for a forked child: of no generation

// The completion of a Then(): takes the result and hands it to the callback.
template <class R>
class ThenCompletion final : public Runnable {
 public:
  ThenCompletion(OpState* state, R (*take)(OpState&), absl::AnyInvocable<void(R) &&> callback)
      : state_(state), take_(take), callback_(std::move(callback)) {
    state_->Ref();
  }
  void Run() override {
    OpState* state = state_;
    {
      R result = take_(*state);
      state->Taken();
      absl::AnyInvocable<void(R)&&> callback = std::move(callback_);
      this->~ThenCompletion();
      std::move(callback)(std::move(result));
    }
    state->Unref();
  }
  void Discard() override {
    OpState* state = state_;
    this->~ThenCompletion();
    state->Abandon();
    state->Unref();
  }

 private:
  ~ThenCompletion() = default;
  OpState* const state_;
  R (*const take_)(OpState&);
  absl::AnyInvocable<void(R) &&> callback_;
};

// The completion of a co_await: the coroutine takes the result itself.
class ResumeCompletion final : public Runnable {
 public:
  ResumeCompletion(OpState* state, std::coroutine_handle<> waiting) : state_(state), waiting_(waiting) {
    state_->Ref();
  }
  void Run() override {
    OpState* state = state_;
    waiting_.resume();  // may destroy the coroutine and the Op in it
    state->Unref();
  }
  void Forget() { state_->Unref(); }     // was not subscribed after all
  void Discard() override { Forget(); }  // the coroutine is never resumed

 private:
  OpState* const state_;
  const std::coroutine_handle<> waiting_;
};

}  // namespace nearcall::internal

#endif  // NEARCALL_RPC_RUNTIME_OP_STATE_H_
