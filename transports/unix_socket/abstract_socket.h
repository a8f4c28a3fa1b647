// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// The transport `unix-abstract:`, for what shares a network namespace and no directory.
//
//   AbstractTransport().Listen(*ParseAddress("unix-abstract:greeter?client_uid=www-data"));
//   AbstractTransport().Connect(*ParseAddress("unix-abstract:greeter"));
//
// As unix:, but that the name is in the kernel's abstract namespace. It has no file, so no mode: the server admits by
// the client's uid, its own and root's and those of client_uid=UID|NAME (any number of times; `any`: everybody). The
// client checks the server as with unix: (server_uid=). Both may be in either end's address.
//
// Thread-safe, stateless. Errors: see rendezvous/listener.h and rendezvous/connector.h; ALREADY_EXISTS: the name is
// taken, and anybody could have taken it.
#ifndef NEARCALL_TRANSPORTS_UNIX_SOCKET_ABSTRACT_SOCKET_H_
#define NEARCALL_TRANSPORTS_UNIX_SOCKET_ABSTRACT_SOCKET_H_

#include <memory>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "nearcall/transports/api/endpoint.h"

namespace nearcall {

class AbstractTransport final : public Transport {
 public:
  absl::string_view scheme() const override { return "unix-abstract"; }
  absl::StatusOr<std::unique_ptr<Listener>> Listen(const Address& address) override;
  absl::StatusOr<std::unique_ptr<Endpoint>> Connect(const Address& address) override;
};

}  // namespace nearcall

#endif  // NEARCALL_TRANSPORTS_UNIX_SOCKET_ABSTRACT_SOCKET_H_
