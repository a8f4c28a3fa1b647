// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// The server's half of fifo:.
//
//   auto listener = ListenFifo(*ParseAddress("fifo:greeter"));
//   // poll (*listener)->fd(), then (*listener)->Accept()
//
// A request that cannot be served is dropped: its client hears nothing and gives up. Bytes that are no request are
// skipped up to the next that looks like one. Without descriptors the FIFO rests for 100 ms, or until Accept() is
// called.
//
// Thread safety: Accept() from any thread, one at a time inside. Lifetime: Listener's. Errors: as Listener::Accept().
#ifndef NEARCALL_TRANSPORTS_FIFO_FIFO_LISTENER_H_
#define NEARCALL_TRANSPORTS_FIFO_FIFO_LISTENER_H_

#include <memory>

#include "absl/status/statusor.h"
#include "nearcall/transports/api/endpoint.h"

namespace nearcall::internal {

absl::StatusOr<std::unique_ptr<Listener>> ListenFifo(const Address& address);

}  // namespace nearcall::internal

#endif  // NEARCALL_TRANSPORTS_FIFO_FIFO_LISTENER_H_
