// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// ServerContext: one call as its handler sees it.
//
//   absl::StatusOr<HelloReply> SayHello(nearcall::ServerContext& context, const HelloRequest& request) override {
//     if (context.peer().credentials->uid != 0) return absl::PermissionDeniedError("root only");
//     ...
//
// Lifetime: it, the request and the stream objects live until the handler has returned, its Responder was used or
// dropped, or its Task is done. Thread safety: const functions and OnCancel from any thread; Add... by the handler.
#ifndef NEARCALL_RPC_SERVER_CONTEXT_H_
#define NEARCALL_RPC_SERVER_CONTEXT_H_

#include <memory>
#include <optional>
#include <string>

#include "absl/functional/any_invocable.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "nearcall/rpc/metadata.h"
#include "nearcall/transports/api/credentials.h"

namespace nearcall {

class ServerContext;

namespace internal {
class CallScope;
class ServerCall;
std::shared_ptr<CallScope> ScopeOf(const ServerContext& context);
}  // namespace internal

struct Peer {
  std::string transport;                   // "shm", "unix", ...
  std::string address;                     // of the listener
  std::optional<Credentials> credentials;  // absent where the transport has none; never guessed
};

class ServerContext {
 public:
  absl::Time deadline() const;       // InfiniteFuture() where there is none
  absl::Duration time_left() const;  // monotonic
  bool IsCancelled() const;          // by the client, its death, the deadline, or shutdown
  // Called once; at once if already cancelled; never after the call's end.
  void OnCancel(absl::AnyInvocable<void() &&> callback);
  const Peer& peer() const;
  const Metadata& metadata() const;
  void AddInitialMetadata(absl::string_view key, absl::string_view value);  // before the first reply
  void AddTrailingMetadata(absl::string_view key, absl::string_view value);

  explicit ServerContext(internal::ServerCall* call) : call_(call) {}  // for the runtime
  ServerContext(const ServerContext&) = delete;
  ServerContext& operator=(const ServerContext&) = delete;

 private:
  friend std::shared_ptr<internal::CallScope> internal::ScopeOf(const ServerContext& context);
  internal::ServerCall* const call_;
};

}  // namespace nearcall

#endif  // NEARCALL_RPC_SERVER_CONTEXT_H_
