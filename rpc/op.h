// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// Op: one result that is on its way: what a unary call, a stream's Next() or Send() gives. The operation has started.
//
//   absl::StatusOr<HelloReply> reply = greeter.SayHello(request).Wait();          // this thread waits, and reads
//   itself greeter.SayHello(request).Then([](absl::StatusOr<HelloReply> reply) { ... }); // on the channel's executor
//   absl::StatusOr<HelloReply> reply = co_await greeter.SayHello(request);        // the coroutine goes on there
//
// Wait(), Then() or co_await consume it, once; on a consumed Op they give FAILED_PRECONDITION (where R can carry it).
// Dropping an unconsumed Call cancels the call. Dropping another Op changes nothing: a Send still goes out, the message
// a Next would have given is left for the next read. After Then() or co_await, Cancel() is still legal and destruction
// no longer cancels. A Call that is under way keeps its connection alive; it may outlive stub and channel. What is
// pending at exit() is abandoned.
// Thread safety: one owner; Cancel() from any thread. Errors: the result's.
#ifndef NEARCALL_RPC_OP_H_
#define NEARCALL_RPC_OP_H_

#include <coroutine>
#include <new>
#include <optional>
#include <type_traits>
#include <utility>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "nearcall/rpc/runtime/op_state.h"

namespace nearcall {

template <class R>
class [[nodiscard]] Op {
 public:
  Op(Op&& other) noexcept
      : state_(std::exchange(other.state_, nullptr)),
        take_(other.take_),
        consumed_(std::exchange(other.consumed_, true)) {}
  Op& operator=(Op&& other) noexcept {
    if (this != &other) {
      Drop();
      state_ = std::exchange(other.state_, nullptr);
      take_ = other.take_;
      consumed_ = std::exchange(other.consumed_, true);
    }
    return *this;
  }
  ~Op() { Drop(); }

  // Blocks; legal everywhere, in handlers and callbacks too.
  R Wait() {
    if (std::exchange(consumed_, true)) return Consumed();
    if (state_->orphaned()) return Failed(internal::ForkGuard::Error());
    state_->Wait();
    return Take();
  }

  // The callback is called exactly once, never inside Then() itself, never under a lock of ours.
  void Then(absl::AnyInvocable<void(R) &&> callback) {
    if (std::exchange(consumed_, true)) {
      std::move(callback)(Consumed());
      return;
    }
    if (state_->orphaned()) {
      internal::RunInForkedChild(
          [callback = std::move(callback)]() mutable { std::move(callback)(Failed(internal::ForkGuard::Error())); });
      return;
    }
    using Completion = internal::ThenCompletion<R>;
    static_assert(sizeof(Completion) <= internal::OpState::kCompletionSize);
    state_->Subscribe(::new (state_->completion_space()) Completion(state_, take_, std::move(callback)), false);
  }

  void Cancel() {
    if (state_ != nullptr && !state_->orphaned()) state_->Cancel();
  }

  bool await_ready() const noexcept { return consumed_ || state_->orphaned() || state_->Ready(); }
  // Out of line: where a compiler inlines it, its temporaries may land in the coroutine's frame, which another thread
  // may already be running, or have destroyed (seen with Clang 16).
  __attribute__((noinline)) bool await_suspend(std::coroutine_handle<> waiting) {
    internal::OpState* const state = state_;
    auto* completion = ::new (state->completion_space()) internal::ResumeCompletion(state, waiting);
    if (state->Subscribe(completion, true)) return true;
    completion->Forget();
    return false;
  }
  R await_resume() {
    if (std::exchange(consumed_, true)) return Consumed();
    if (state_->orphaned()) return Failed(internal::ForkGuard::Error());
    return Take();
  }

  // For the runtime: takes over one reference.
  Op(internal::OpState* state, R (*take)(internal::OpState&)) : state_(state), take_(take), consumed_(false) {}

 private:
  R Take() {
    R result = take_(*state_);
    state_->Taken();
    return result;
  }
  static R Consumed() {
    return Failed(
        absl::FailedPreconditionError("this Op was consumed before: Wait(), Then() and co_await take its result once"));
  }
  static R Failed(absl::Status why) {
    if constexpr (std::is_same_v<R, bool>) {
      return false;
    } else if constexpr (std::is_constructible_v<R, absl::Status>) {
      return R(std::move(why));
    } else {
      return R();
    }
  }
  void Drop() {
    if (state_ == nullptr || state_->orphaned()) return;
    if (!consumed_) state_->Abandon();
    std::exchange(state_, nullptr)->Unref();
  }

  internal::OpState* state_;
  R (*take_)(internal::OpState&);
  bool consumed_;
};

template <class Reply>
using Call = Op<absl::StatusOr<Reply>>;

}  // namespace nearcall

#endif  // NEARCALL_RPC_OP_H_
