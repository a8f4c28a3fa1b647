// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// Server: serves services at one address or several.
//
//   BlockingGreeter greeter;
//   nearcall::Server server;
//   server.AddService(&greeter);
//   if (absl::Status s = server.Listen("local:greeter"); !s.ok()) return nearcall::ExitWith(s);
//   server.Run();
//
// Thread-safe; neither copied nor moved. Lifetime: services outlive the server. Errors: Listen() names the address, the
// path, the limit and errno; a server that failed to listen at one address goes on at the others.
#ifndef NEARCALL_RPC_SERVER_H_
#define NEARCALL_RPC_SERVER_H_

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "nearcall/rpc/service.h"
#include "nearcall/rpc/spin_mode.h"

namespace nearcall {

class ServerInterceptor;
class Transport;

namespace internal {
class ServerCore;
}  // namespace internal

class ServerOptions {
 public:
  ServerOptions() = default;
  ServerOptions& set_max_receive_message_size(size_t bytes) {  // default 4 MiB
    max_receive_message_size_ = bytes;
    return *this;
  }
  // Handlers that may run at once without blocking; more threads run while handlers block, and as many again may each
  // stay with a busy connection whose handlers are very short (none with 1). Default: the cores, at least 2.
  ServerOptions& set_threads(int count) {
    threads_ = count;
    return *this;
  }
  ServerOptions& add_transport(std::shared_ptr<Transport> transport) {
    transports_.push_back(std::move(transport));
    return *this;
  }
  // How threads that stay with a busy connection use the processor (spin_mode.h).
  ServerOptions& set_spin(SpinMode mode) {
    spin_ = mode;
    return *this;
  }
  // As ChannelOptions::set_keepalive(), for clients that are stopped or hang while calls of theirs are served: those
  // are cancelled. Default: off.
  ServerOptions& set_keepalive(absl::Duration time, absl::Duration timeout) {
    keepalive_time_ = time;
    keepalive_timeout_ = timeout;
    return *this;
  }
  // Sees every call of the server, before its handler (interceptor.h). Several run in the order in which they were
  // added; a null one is left out.
  ServerOptions& add_interceptor(std::shared_ptr<ServerInterceptor> interceptor) {
    if (interceptor != nullptr) interceptors_.push_back(std::move(interceptor));
    return *this;
  }

 private:
  friend class internal::ServerCore;
  size_t max_receive_message_size_ = size_t{4} << 20;
  int threads_ = 0;
  std::vector<std::shared_ptr<Transport>> transports_;
  SpinMode spin_ = SpinMode::kAdaptive;
  absl::Duration keepalive_time_ = absl::InfiniteDuration();
  absl::Duration keepalive_timeout_ = absl::InfiniteDuration();
  std::vector<std::shared_ptr<ServerInterceptor>> interceptors_;
};

class Server {
 public:
  Server();
  explicit Server(const ServerOptions& options);
  ~Server();  // Shutdown(0), then waits until handlers have returned; not from a handler
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  // The object must outlive the server. A null, a name already taken, or a call after the first Listen is reported by
  // the next Listen, or by Run's log where there is none.
  void AddService(ServiceBase* service);
  absl::Status Listen(absl::string_view address);  // serves from its return on; may be called for several addresses
  std::vector<std::string> addresses() const;      // as bound, in the order of Listen; a port 0 is filled in
  // Waits for Shutdown(), SIGINT or SIGTERM, and for the end of the drain. Takes a signal over only while it runs and
  // only from the default action; a second signal ends the drain at once. Where NOTIFY_SOCKET is set it tells the
  // service manager READY=1, STOPPING=1 when the drain begins, and WATCHDOG=1 in time for WATCHDOG_USEC.
  void Run();
  // Refuses new calls (they come back as not started), lets those under way finish for `drain`, then cancels them.
  // Any thread, handlers too; returns at once.
  void Shutdown(absl::Duration drain = absl::Seconds(5));

 private:
  const std::shared_ptr<internal::ServerCore> core_;
};

}  // namespace nearcall

#endif  // NEARCALL_RPC_SERVER_H_
