// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// The transport `tcp:`, for what cannot share a Unix socket: another network namespace or virtual machine of this host.
//
//   TcpTransport().Listen(*ParseAddress("tcp:4000"));             // 127.0.0.1, port 4000
//   TcpTransport().Connect(*ParseAddress("tcp:localhost:4000"));  // a process of the same user, without more
//
// Who may connect is who can read the server's token (token.h): peer() is absent. ?token_file=PATH puts it elsewhere,
// ?token=none lets everybody in, ?allow=remote permits other than loopback addresses (tcp_place.h).
//
// Thread-safe, stateless. Errors: see tcp_listener.h and tcp_connector.h.
#ifndef NEARCALL_TRANSPORTS_TCP_SOCKET_TCP_SOCKET_H_
#define NEARCALL_TRANSPORTS_TCP_SOCKET_TCP_SOCKET_H_

#include <memory>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "nearcall/transports/api/endpoint.h"

namespace nearcall {

class TcpTransport final : public Transport {
 public:
  absl::string_view scheme() const override { return "tcp"; }
  absl::StatusOr<std::unique_ptr<Listener>> Listen(const Address& address) override;
  absl::StatusOr<std::unique_ptr<Endpoint>> Connect(const Address& address) override;
  std::unique_ptr<ServerWatch> Watch(const Address& address) override;  // of the token: none without one, or elsewhere
};

}  // namespace nearcall

#endif  // NEARCALL_TRANSPORTS_TCP_SOCKET_TCP_SOCKET_H_
