// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// RunLoop: an executor whose work is run by the thread that asks it to: callbacks on main()'s own thread, or between
// the frames of a game.
//
//   auto loop = std::make_shared<nearcall::RunLoop>();
//   auto channel = nearcall::Connect("local:greeter", nearcall::ChannelOptions().set_executor(loop));
//   stub.SayHello(request).Then([&](absl::StatusOr<HelloReply> reply) { ...; loop->Stop(); });
//   loop->Run();
//
// Thread safety: all of it; several threads may run one loop. Lifetime: shared with its channels. What is left when it
// is stopped, or comes later, is dropped: callbacks are not called, coroutines not resumed. Blocking in its work is
// legal; then that channel's other callbacks wait.
#ifndef NEARCALL_RPC_RUN_LOOP_H_
#define NEARCALL_RPC_RUN_LOOP_H_

#include <condition_variable>
#include <deque>
#include <mutex>

#include "absl/time/time.h"
#include "nearcall/rpc/executor.h"

namespace nearcall {

class RunLoop final : public Executor {
 public:
  void Post(absl::AnyInvocable<void() &&> work) override;
  void Run();                        // until Stop()
  bool RunOne(absl::Duration wait);  // one piece of work; false: none came in that time, or Stop() was called
  int RunPending();                  // what is there now; how many pieces it ran
  void Stop();                       // ends Run() and RunOne(), also those to come; from any thread

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<absl::AnyInvocable<void() &&>> work_;
  bool stopped_ = false;
};

}  // namespace nearcall

#endif  // NEARCALL_RPC_RUN_LOOP_H_
