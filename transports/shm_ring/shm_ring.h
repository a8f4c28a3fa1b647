// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// The transport `shm:`: frames in shared memory, between two processes that have met over a Unix socket.
//
//   ShmTransport().Listen(*ParseAddress("shm:greeter"));
//   ShmTransport().Connect(*ParseAddress("shm:greeter?size=1M"));
//
// shm:NAME lives in the user's runtime directory, shm:/path at a path, as local: (which takes shm: where it can). size=
// is the client's wish for each ring: 16K to 16M, 64K if not said.
//
// Thread-safe, stateless. Errors: see rendezvous/listener.h and rendezvous/connector.h; RESOURCE_EXHAUSTED from
// Connect() names the limit that leaves no room for the memory.
#ifndef NEARCALL_TRANSPORTS_SHM_RING_SHM_RING_H_
#define NEARCALL_TRANSPORTS_SHM_RING_SHM_RING_H_

#include <memory>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "nearcall/transports/api/endpoint.h"

namespace nearcall {

class ShmTransport final : public Transport {
 public:
  absl::string_view scheme() const override { return "shm"; }
  absl::StatusOr<std::unique_ptr<Listener>> Listen(const Address& address) override;
  absl::StatusOr<std::unique_ptr<Endpoint>> Connect(const Address& address) override;
  std::unique_ptr<ServerWatch> Watch(const Address& address) override;
};

}  // namespace nearcall

#endif  // NEARCALL_TRANSPORTS_SHM_RING_SHM_RING_H_
