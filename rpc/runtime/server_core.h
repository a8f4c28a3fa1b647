// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// ServerCore: what stands behind a Server: its services, listeners, connections and threads. Shared, because calls that
// are still answered by user threads may outlive the Server object.
//
// Thread safety: all of it. Lock order: after a connection's lock, and never held while taking one.
#ifndef NEARCALL_RPC_RUNTIME_SERVER_CORE_H_
#define NEARCALL_RPC_RUNTIME_SERVER_CORE_H_

#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "nearcall/rpc/runtime/connection.h"
#include "nearcall/rpc/runtime/server_call.h"
#include "nearcall/rpc/runtime/service_manager.h"
#include "nearcall/rpc/server.h"
#include "nearcall/transports/api/endpoint.h"

namespace nearcall::internal {

class ServerCore final : public Connection::Host, public std::enable_shared_from_this<ServerCore>, private Pool::Timer {
 public:
  explicit ServerCore(const ServerOptions& options);
  ~ServerCore() override;

  void AddService(ServiceBase* service);
  absl::Status Listen(absl::string_view address);
  std::vector<std::string> addresses() const;
  void Shutdown(absl::Duration drain);
  void Run();                         // WaitUntilDone(), and tells the service manager
  void WaitUntilDone();               // Shutdown() was called, and all is over
  void Stop();                        // Shutdown(0), WaitUntilDone(), the threads end
  void OnSignal();                    // the first drains, the second ends it
  std::string ServiceErrors() const;  // what AddService() could not take, or empty

  // Connection::Host
  Runnable* OnNewCall(Connection& connection, SessionEvent& event, Connection::Batch* batch) override;
  void OnWritten(Connection& connection) override { CloseIfDrainedLocked(connection); }
  void OnClosed(Connection& connection) override;

  // ServerCall
  void OnCallFinished(Connection& connection) { CloseIfDrainedLocked(connection); }
  absl::Status Unserved(absl::string_view path) const;
  const std::vector<std::shared_ptr<ServerInterceptor>>& interceptors() const { return options_.interceptors_; }
  void Recycle(ServerCall* call);

 private:
  class Acceptor;
  enum class State { kServing, kDraining, kClosed };

  void Accepted(std::unique_ptr<Endpoint> endpoint, const std::string& address);
  void ListenerEnded(const Acceptor& ended);
  void CloseIfDrainedLocked(Connection& connection);  // under the connection's lock
  void OnTimer() override;                            // the drain's deadline
  void CloseAll();
  ServerCall* NewCall();

  const ServerOptions options_;
  const std::shared_ptr<Pool> pool_;
  ServiceManager service_manager_;

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::atomic<State> state_{State::kServing};  // written under mutex_
  bool listened_ = false;
  absl::Status service_error_;
  absl::flat_hash_map<std::string, std::unique_ptr<ServedMethod>> methods_;  // constant once listened_
  std::vector<std::string> services_;
  std::vector<std::string> addresses_;
  std::vector<std::shared_ptr<Acceptor>> acceptors_;
  int closing_ = 0;  // calls of Shutdown() that close acceptors
  absl::flat_hash_map<Connection*, std::shared_ptr<Connection>> connections_;
  int calls_ = 0;                     // under way
  std::shared_ptr<ServerCore> kept_;  // while the drain's timer is scheduled
  ServerCall* free_ = nullptr;
  int free_count_ = 0;
};

}  // namespace nearcall::internal

#endif  // NEARCALL_RPC_RUNTIME_SERVER_CORE_H_
