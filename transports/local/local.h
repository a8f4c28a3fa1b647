// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// The transport `local:`: the best medium that both sides have. Shared memory where it can be had, else the socket.
//
//   LocalTransport().Listen(*ParseAddress("local:greeter?mode=0660&group=staff"));
//   LocalTransport().Connect(*ParseAddress("local:/run/greeter.sock"));
//
// local:NAME lives in the user's runtime directory, local:/path at a path; size= as in shm:. A client proposes shared
// memory if it can make it; a server that allows only the socket, or is at a limit, goes on over the same socket. A
// client or server of unix: or shm: is met over that. EndpointInfo::transport says which it became, and the text of
// errors why it is not shm.
//
// Thread-safe, stateless. Errors: see rendezvous/listener.h and rendezvous/connector.h.
#ifndef NEARCALL_TRANSPORTS_LOCAL_LOCAL_H_
#define NEARCALL_TRANSPORTS_LOCAL_LOCAL_H_

#include <memory>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "nearcall/transports/api/endpoint.h"

namespace nearcall {

class LocalTransport final : public Transport {
 public:
  absl::string_view scheme() const override { return "local"; }
  absl::StatusOr<std::unique_ptr<Listener>> Listen(const Address& address) override;
  absl::StatusOr<std::unique_ptr<Endpoint>> Connect(const Address& address) override;
  std::unique_ptr<ServerWatch> Watch(const Address& address) override;
};

}  // namespace nearcall

#endif  // NEARCALL_TRANSPORTS_LOCAL_LOCAL_H_
