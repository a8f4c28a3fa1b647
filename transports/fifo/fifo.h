// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// The transport `fifo:`: named FIFOs alone, no socket.
//
//   FifoTransport().Listen(*ParseAddress("fifo:/run/greeter/fifo"));
//   FifoTransport().Connect(*ParseAddress("fifo:greeter"));       // in the user's runtime directory, as local:
//
// The well-known FIFO takes requests to connect (fifo_request.h); the frames of a connection go through a pair of its
// own. Client and server are of one user, or the server is root's.
//
// Thread-safe, stateless. Errors: PERMISSION_DENIED where others may write to the directory of the FIFO, or it is
// somebody else's; ALREADY_EXISTS, a live server is there; RESOURCE_EXHAUSTED naming the limit (descriptors,
// fs.pipe-user-pages-soft). No server is a closed endpoint's UNAVAILABLE.
#ifndef NEARCALL_TRANSPORTS_FIFO_FIFO_H_
#define NEARCALL_TRANSPORTS_FIFO_FIFO_H_

#include <memory>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "nearcall/transports/api/endpoint.h"

namespace nearcall {

class FifoTransport final : public Transport {
 public:
  absl::string_view scheme() const override { return "fifo"; }
  absl::StatusOr<std::unique_ptr<Listener>> Listen(const Address& address) override;
  absl::StatusOr<std::unique_ptr<Endpoint>> Connect(const Address& address) override;
  std::unique_ptr<ServerWatch> Watch(const Address& address) override;
};

}  // namespace nearcall

#endif  // NEARCALL_TRANSPORTS_FIFO_FIFO_H_
