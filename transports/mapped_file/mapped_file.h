// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// The transport `mmap:`: frames in a mapped file, between two processes that have met over a Unix socket.
//
//   MappedFileTransport().Listen(*ParseAddress("mmap:/srv/greeter.sock"));
//   MappedFileTransport().Connect(*ParseAddress("mmap:/srv/greeter.sock?size=1M"));
//
// The rings of shm: in a file without a name, beside the socket where that is on a disk. mmap:NAME lives in the user's
// runtime directory, as local:. size= as in shm:.
//
// Thread-safe, stateless. Errors: see rendezvous/listener.h and rendezvous/connector.h; RESOURCE_EXHAUSTED from
// Connect() names the limit that leaves no room for the file.
#ifndef NEARCALL_TRANSPORTS_MAPPED_FILE_MAPPED_FILE_H_
#define NEARCALL_TRANSPORTS_MAPPED_FILE_MAPPED_FILE_H_

#include <memory>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "nearcall/transports/api/endpoint.h"

namespace nearcall {

class MappedFileTransport final : public Transport {
 public:
  absl::string_view scheme() const override { return "mmap"; }
  absl::StatusOr<std::unique_ptr<Listener>> Listen(const Address& address) override;
  absl::StatusOr<std::unique_ptr<Endpoint>> Connect(const Address& address) override;
  std::unique_ptr<ServerWatch> Watch(const Address& address) override;
};

}  // namespace nearcall

#endif  // NEARCALL_TRANSPORTS_MAPPED_FILE_MAPPED_FILE_H_
