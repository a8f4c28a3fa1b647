// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
#include "nearcall/rpc/runtime/fork_guard.h"

#include <pthread.h>
#include <unistd.h>

#include <cstdlib>
#include <memory>
#include <utility>

#include "nearcall/rpc/runtime/process.h"
#include "nearcall/rpc/runtime/runnable.h"

namespace nearcall::internal {
namespace {

class Work final : public Runnable {
 public:
  explicit Work(absl::AnyInvocable<void() &&> work) : work_(std::move(work)) {}
  void Run() override {
    const std::unique_ptr<Work> self(this);
    std::move(work_)();
  }

 private:
  absl::AnyInvocable<void() &&> work_;
};

}  // namespace

void ForkGuard::Install() {
  static std::atomic<bool> installed{false};
  if (!installed.exchange(true)) ::pthread_atfork(nullptr, nullptr, &ForkGuard::InChild);
}

void ForkGuard::InChild() {
  generation_.fetch_add(1);
  Process::ForgetInForkedChild();
  Worker::ForgetCurrent();
}

absl::Status ForkGuard::Error() {
  return absl::FailedPreconditionError(
      "nearcall was used before this process was forked: its channels, calls and servers are the parent's; use them "
      "there, or fork before the first use, or exec in the child");
}

void ForkGuard::EndChild() {
  static constexpr char kText[] =
      "nearcall: user code called fork() on a thread of the library, and the child returned to it; the child ends "
      "here (call _exit() or exec there)\n";
  [[maybe_unused]] ssize_t written = ::write(STDERR_FILENO, kText, sizeof(kText) - 1);
  ::_exit(EXIT_FAILURE);
}

void RunInForkedChild(absl::AnyInvocable<void() &&> work) { Process::Get().io_pool()->Post(new Work(std::move(work))); }

}  // namespace nearcall::internal
