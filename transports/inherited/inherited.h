// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// The transports `fd:` and `systemd:`: a server at a listening Unix socket that somebody else has made.
//
//   FdTransport().Listen(*ParseAddress("fd:3"));                // the parent passed it as descriptor 3
//   SystemdTransport().Listen(*ParseAddress("systemd:rpc"));    // FileDescriptorName=rpc in the .socket unit
//   SystemdTransport().Listen(*ParseAddress("systemd:"));       // the only one
//
// Clients use unix:, shm: or local: with the socket's path, as with local:'s own server; so Connect() here is an error.
// The descriptor stays open, and close-on-exec from then on; the listener has one of its own. The path is never
// removed, and whoever connects after the listener's end waits for the next server. The socket becomes non-blocking for
// all who share it.
//
// Thread-safe, stateless; systemd: reads LISTEN_PID, LISTEN_FDS and LISTEN_FDNAMES and changes none of them.
// Errors: INVALID_ARGUMENT quoting the address; FAILED_PRECONDITION saying what the descriptor is, or which names there
// are.
#ifndef NEARCALL_TRANSPORTS_INHERITED_INHERITED_H_
#define NEARCALL_TRANSPORTS_INHERITED_INHERITED_H_

#include <memory>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "nearcall/transports/api/endpoint.h"

namespace nearcall {

class FdTransport final : public Transport {
 public:
  absl::string_view scheme() const override { return "fd"; }
  absl::StatusOr<std::unique_ptr<Listener>> Listen(const Address& address) override;
  absl::StatusOr<std::unique_ptr<Endpoint>> Connect(const Address& address) override;
};

class SystemdTransport final : public Transport {
 public:
  absl::string_view scheme() const override { return "systemd"; }
  absl::StatusOr<std::unique_ptr<Listener>> Listen(const Address& address) override;
  absl::StatusOr<std::unique_ptr<Endpoint>> Connect(const Address& address) override;
};

}  // namespace nearcall

#endif  // NEARCALL_TRANSPORTS_INHERITED_INHERITED_H_
