// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// ServiceManager: what a service of Type=notify tells its manager (sd_notify(3)), without its library: READY=1 once a
// server runs and listens, STOPPING=1 when its drain begins, and WATCHDOG=1 at half of the time that it was given.
//
//   ServiceManager manager(&pool);
//   manager.Begin(listens); ... manager.Stopping(); ... manager.End();
//
// Nothing is said without NOTIFY_SOCKET. The watchdog is fed by the pool's timer on one of the pool's threads, which
// also serve the calls: a pool that hangs does not feed it. What cannot be said is one line on stderr, no error.
//
// Thread safety: all of it. Lifetime: at least until the pool has stopped.
#ifndef NEARCALL_RPC_RUNTIME_SERVICE_MANAGER_H_
#define NEARCALL_RPC_RUNTIME_SERVICE_MANAGER_H_

#include <cstdint>
#include <mutex>
#include <string>

#include "absl/strings/string_view.h"
#include "nearcall/rpc/runtime/pool.h"
#include "nearcall/transports/api/unique_fd.h"

namespace nearcall::internal {

class ServiceManager final : private Pool::Timer {
 public:
  explicit ServiceManager(Pool* pool) : pool_(pool) {}

  void Begin(bool listens);  // the server runs; reads the environment
  void Listening();          // it listens, now at least
  void Stopping();
  void End();  // it runs no more

 private:
  enum class State { kSilent, kRunning, kReady, kStopping };

  void OnTimer() override;
  void SayReadyLocked();
  void ScheduleLocked();
  void SayLocked(absl::string_view what, int flags);

  Pool* const pool_;
  std::mutex mutex_;
  State state_ = State::kSilent;
  std::string path_;  // NOTIFY_SOCKET
  UniqueFd socket_;
  int64_t watchdog_ns_ = 0;  // between two; 0: none
  bool complained_ = false;
};

}  // namespace nearcall::internal

#endif  // NEARCALL_RPC_RUNTIME_SERVICE_MANAGER_H_
