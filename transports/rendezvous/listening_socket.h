// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// ListeningSocket: what a rendezvous accepts from: a socket at a path (safe_bind.h), at an abstract name, one that was
// inherited.
//
//   class Mine final : public ListeningSocket { ... };
//   ListenRendezvousOn(address, std::make_unique<Mine>(...), media);
//
// Thread safety: one owner; Admits() under the listener's lock. Lifetime: the destructor stops listening and removes
// names that are still its own. Errors: Admits() says who is refused and what would let it in.
#ifndef NEARCALL_TRANSPORTS_RENDEZVOUS_LISTENING_SOCKET_H_
#define NEARCALL_TRANSPORTS_RENDEZVOUS_LISTENING_SOCKET_H_

#include "absl/status/status.h"
#include "nearcall/transports/api/credentials.h"

namespace nearcall::internal {

class ListeningSocket {
 public:
  virtual ~ListeningSocket() = default;
  // Listening, SOCK_STREAM, non-blocking, CLOEXEC, SO_PASSCRED.
  virtual int fd() const = 0;
  // Whether it had SO_PASSCRED before anybody could connect: if so, the sockets accepted from it have it.
  virtual bool always_passed_credentials() const { return true; }
  // Who may connect, where no file's mode has decided that before.
  virtual absl::Status Admits(const Credentials& client) const {
    static_cast<void>(client);
    return absl::OkStatus();
  }
};

}  // namespace nearcall::internal

#endif  // NEARCALL_TRANSPORTS_RENDEZVOUS_LISTENING_SOCKET_H_
