// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// The transport `unix:`.
//
//   UnixTransport().Listen(*ParseAddress("unix:/run/greeter.sock?mode=0660&group=staff"));
//   UnixTransport().Connect(*ParseAddress("unix:/run/greeter.sock"));
//
// unix:/path and unix:relative are paths (unix:///path too, as gRPC spells it). They meet by the rendezvous, as local:
// does, so a client of one reaches a server of the other; the medium is the socket itself.
//
// Thread-safe, stateless. Errors: see rendezvous/listener.h and rendezvous/connector.h.
#ifndef NEARCALL_TRANSPORTS_UNIX_SOCKET_UNIX_SOCKET_H_
#define NEARCALL_TRANSPORTS_UNIX_SOCKET_UNIX_SOCKET_H_

#include <memory>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "nearcall/transports/api/endpoint.h"

namespace nearcall {

class UnixTransport final : public Transport {
 public:
  absl::string_view scheme() const override { return "unix"; }
  absl::StatusOr<std::unique_ptr<Listener>> Listen(const Address& address) override;
  absl::StatusOr<std::unique_ptr<Endpoint>> Connect(const Address& address) override;
  std::unique_ptr<ServerWatch> Watch(const Address& address) override;
};

}  // namespace nearcall

#endif  // NEARCALL_TRANSPORTS_UNIX_SOCKET_UNIX_SOCKET_H_
