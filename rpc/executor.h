// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// Executor: where a channel's callbacks and coroutines run, in place of the library's I/O thread: an application's own
// event loop or pool.
//
//   class MainLoop : public nearcall::Executor {
//     void Post(absl::AnyInvocable<void() &&> work) override { loop_.Post(std::move(work)); }
//   };
//   nearcall::Connect(address, nearcall::ChannelOptions().set_executor(std::make_shared<MainLoop>()));
//
// A channel posts one piece of work at a time, so its callbacks run one after the other, in order, on whatever threads
// the executor has. A piece runs up to 64 callbacks. RunLoop (run_loop.h) is an executor for a thread of one's own.
//
// Thread safety: Post() is called from any thread, also from one that is inside a piece of work, never under a lock of
// the library's. Lifetime: the channel and its calls share it. Errors: none; work that is destroyed unrun
// takes its callbacks with it, uncalled; exceptions that it throws are the user's.
#ifndef NEARCALL_RPC_EXECUTOR_H_
#define NEARCALL_RPC_EXECUTOR_H_

#include "absl/functional/any_invocable.h"

namespace nearcall {

class Executor {
 public:
  virtual ~Executor() = default;
  virtual void Post(absl::AnyInvocable<void() &&> work) = 0;  // runs it later, never inside Post() itself
};

}  // namespace nearcall

#endif  // NEARCALL_RPC_EXECUTOR_H_
