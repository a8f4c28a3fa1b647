// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// Process: what is once per process, made at first use and never destroyed: the I/O pool of all channels, and the
// signals that running servers have taken over. What is pending at exit() is abandoned with it.
//
// Thread safety: all of it.
#ifndef NEARCALL_RPC_RUNTIME_PROCESS_H_
#define NEARCALL_RPC_RUNTIME_PROCESS_H_

#include <signal.h>

#include <array>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "nearcall/rpc/runtime/pool.h"
#include "nearcall/rpc/runtime/spin.h"
#include "nearcall/transports/api/unique_fd.h"

namespace nearcall::internal {

class ServerCore;

class Process {
 public:
  static Process& Get();
  // In a forked child, in its fork handler: the parent's is left alone, signals have their default action again.
  static void ForgetInForkedChild();

  const std::shared_ptr<Pool>& io_pool() const { return io_pool_; }  // one thread, started at first need

  SpinRoom& spin_room();  // made at first need

  // SIGINT and SIGTERM call the server's OnSignal() from the first Add on, if their action was the default one; the
  // default action is back after the last Remove.
  void AddSignalled(const std::shared_ptr<ServerCore>& server);
  void RemoveSignalled(const ServerCore* server);

 private:
  class SignalSource;
  Process();
  void TakeSignals();
  void OnSignal();

  const std::shared_ptr<Pool> io_pool_;
  std::once_flag spin_room_made_;
  std::optional<SpinRoom> spin_room_;
  std::mutex mutex_;
  std::vector<std::shared_ptr<ServerCore>> signalled_;
  UniqueFd signal_fd_;
  int64_t signal_key_ = -1;
  std::array<bool, 2> taken_{};
};

}  // namespace nearcall::internal

#endif  // NEARCALL_RPC_RUNTIME_PROCESS_H_
