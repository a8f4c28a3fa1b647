// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// Task: a coroutine's result; lazy: it starts when it is awaited, given to Await() or to Spawn().
//
//   nearcall::Task<absl::StatusOr<int>> Twice(const Greeter::Stub& greeter) {
//     absl::StatusOr<HelloReply> reply = co_await greeter.SayHello(request);
//     if (!reply.ok()) co_return reply.status();
//     co_return 2;
//   }
//   absl::StatusOr<int> two = nearcall::Await(Twice(greeter));
//
// Hand-over between tasks is by a flag and not by symmetric transfer, which is no tail call in GCC without optimisation
// and overflows the stack there. Thread safety: one owner; the coroutine runs on one thread at a time. Lifetime: a Task
// that was not started and is dropped never runs; REQUIRES: one that was started is not dropped before its end.
// GCC 12 miscompiles `if (co_await f())`, `while (co_await f())` and `c ? co_await f() : x` in bodies without a local
// variable, and by-value-capturing lambdas inside a co_await expression: see CONTRIBUTING.md, "Coroutines".
#ifndef NEARCALL_RPC_TASK_H_
#define NEARCALL_RPC_TASK_H_

#include <atomic>
#include <condition_variable>
#include <coroutine>
#include <exception>
#include <mutex>
#include <optional>
#include <type_traits>
#include <utility>

#include "nearcall/rpc/runtime/blocking.h"

namespace nearcall {

template <class T = void>
class Task;

namespace internal {

class TaskPromiseBase {
 public:
  std::suspend_always initial_suspend() const noexcept { return {}; }

  struct FinalAwaiter {
    bool await_ready() const noexcept { return false; }
    template <class Promise>
    __attribute__((noinline)) void await_suspend(std::coroutine_handle<Promise> ended) const noexcept {
      TaskPromiseBase& promise = ended.promise();
      const std::coroutine_handle<> continuation = promise.continuation_;
      if (promise.step_.exchange(kEnded, std::memory_order_acq_rel) == kAwaited) continuation.resume();
    }
    void await_resume() const noexcept {}
  };
  FinalAwaiter final_suspend() const noexcept { return {}; }
  void unhandled_exception() { exception_ = std::current_exception(); }

  // Runs the coroutine until it first suspends. True: it has not ended, and resumes the continuation when it does.
  bool Start(std::coroutine_handle<> self, std::coroutine_handle<> continuation) {
    continuation_ = continuation;
    self.resume();
    return step_.exchange(kAwaited, std::memory_order_acq_rel) != kEnded;
  }
  void Rethrow() {
    if (exception_) std::rethrow_exception(exception_);
  }

 private:
  static constexpr int kRunning = 0, kAwaited = 1, kEnded = 2;
  std::atomic<int> step_{kRunning};
  std::coroutine_handle<> continuation_;
  std::exception_ptr exception_;
};

template <class T>
class TaskPromise : public TaskPromiseBase {
 public:
  Task<T> get_return_object();
  template <class U>
  void return_value(U&& value) {
    value_.emplace(std::forward<U>(value));
  }
  T Take() {
    Rethrow();
    return *std::move(value_);
  }

 private:
  std::optional<T> value_;
};

template <>
class TaskPromise<void> : public TaskPromiseBase {
 public:
  Task<void> get_return_object();
  void return_void() const {}
  void Take() { Rethrow(); }
};

}  // namespace internal

template <class T>
class [[nodiscard]] Task {
 public:
  using promise_type = internal::TaskPromise<T>;

  Task(Task&& other) noexcept : handle_(std::exchange(other.handle_, nullptr)) {}
  Task& operator=(Task&& other) noexcept {
    if (this != &other) {
      if (handle_) handle_.destroy();
      handle_ = std::exchange(other.handle_, nullptr);
    }
    return *this;
  }
  ~Task() {
    if (handle_) handle_.destroy();
  }

  // Awaitable once, by rvalue or by name.
  bool await_ready() const noexcept { return false; }
  __attribute__((noinline)) bool await_suspend(std::coroutine_handle<> waiting) {
    return handle_.promise().Start(handle_, waiting);
  }
  T await_resume() { return handle_.promise().Take(); }

 private:
  friend promise_type;
  explicit Task(std::coroutine_handle<promise_type> handle) : handle_(handle) {}
  std::coroutine_handle<promise_type> handle_;
};

namespace internal {

template <class T>
Task<T> TaskPromise<T>::get_return_object() {
  return Task<T>(std::coroutine_handle<TaskPromise<T>>::from_promise(*this));
}
inline Task<void> TaskPromise<void>::get_return_object() {
  return Task<void>(std::coroutine_handle<TaskPromise<void>>::from_promise(*this));
}

// A coroutine that nobody awaits: it runs at once and frees itself at its end.
struct Detached {
  struct promise_type {
    Detached get_return_object() const noexcept { return {}; }
    std::suspend_never initial_suspend() const noexcept { return {}; }
    std::suspend_never final_suspend() const noexcept { return {}; }
    void return_void() const noexcept {}
    void unhandled_exception() const noexcept { std::terminate(); }  // as of a thread's function
  };
};

// What Await() waits on, shared with the coroutine that ends it.
class AwaitState {
 public:
  void Set() {
    std::lock_guard<std::mutex> lock(mutex_);
    set_ = true;
    changed_.notify_one();
  }
  void Wait() {
    std::unique_lock<std::mutex> lock(mutex_);
    if (set_) return;
    BlockingScope blocking;
    while (!set_) changed_.wait(lock);
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool set_ = false;
};

template <class T>
Detached DriveAwaited(Task<T>& task, std::optional<T>& result, std::exception_ptr& exception, AwaitState& state) {
  try {
    result.emplace(co_await task);
  } catch (...) {  // goes on in Await()'s caller
    exception = std::current_exception();
  }
  state.Set();
}
inline Detached DriveAwaited(Task<void>& task, std::exception_ptr& exception, AwaitState& state) {
  try {
    co_await task;
  } catch (...) {  // goes on in Await()'s caller
    exception = std::current_exception();
  }
  state.Set();
}
inline Detached DriveSpawned(Task<void> task) { co_await task; }

}  // namespace internal

// Runs the task and blocks until its end. What the coroutine throws, Await() throws.
template <class T>
T Await(Task<T> task) {
  internal::AwaitState state;
  std::exception_ptr exception;
  if constexpr (std::is_void_v<T>) {
    internal::DriveAwaited(task, exception, state);
    state.Wait();
    if (exception) std::rethrow_exception(exception);
  } else {
    std::optional<T> result;
    internal::DriveAwaited(task, result, exception, state);
    state.Wait();
    if (exception) std::rethrow_exception(exception);
    return *std::move(result);
  }
}

// Runs it detached: on this thread until it first suspends, then where what it awaits resumes it. An exception that
// leaves it ends the program, as it would leaving a thread.
inline void Spawn(Task<void> task) { internal::DriveSpawned(std::move(task)); }

}  // namespace nearcall

#endif  // NEARCALL_RPC_TASK_H_
