// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// Who has to do with a Connection: threads that wait on it, owners of its calls, and who serves the peer's.
#ifndef NEARCALL_RPC_RUNTIME_CONNECTION_PARTIES_H_
#define NEARCALL_RPC_RUNTIME_CONNECTION_PARTIES_H_

#include <condition_variable>

#include "absl/status/status.h"
#include "nearcall/rpc/runtime/runnable.h"
#include "nearcall/rpc/session/session.h"

namespace nearcall::internal {

class Connection;

// A thread that waits for a result on a connection. On its stack; all under the connection's lock.
struct Waiter {
  bool done = false;  // what it waits for has come
  bool lead = false;  // it was given the reader role
  bool queued = false;
  Waiter* next = nullptr;
  std::condition_variable wake;
};

// What owns a SessionCall. All calls are made under the connection's lock.
class CallOwner {
 public:
  virtual void OnEvent(Connection& connection, SessionEvent& event) = 0;
  virtual void OnUnitPlanned() = 0;  // a unit with `notify` is wholly planned
  // The connection is gone, or the peer will not serve the call: it is over. Must Release() its SessionCall.
  virtual void OnLost(Connection& connection, const absl::Status& why, bool not_started) = 0;

 protected:
  ~CallOwner() = default;
};

// A frame that a pool's thread has read, as the call that runs in it sees it.
struct ReadBatchState {
  bool frame_held = false;
  bool role_held = true;
};

// The serving side of a connection; without one a peer's calls are refused.
class ConnectionHost {
 public:
  // A new call of the peer, under the lock. What it gives is run by the reader in its `batch`, or (null: the event's
  // views must be copied) by another thread. Null: nothing to run.
  virtual Runnable* OnNewCall(Connection& connection, SessionEvent& event, ReadBatchState* batch) = 0;
  virtual void OnWritten(Connection& connection) = 0;  // what had to wait for the medium is written; under the lock
  virtual void OnClosed(Connection& connection) = 0;   // once, under the lock

 protected:
  ~ConnectionHost() = default;
};

}  // namespace nearcall::internal

#endif  // NEARCALL_RPC_RUNTIME_CONNECTION_PARTIES_H_
