// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// The client's half of fifo:.
//
//   auto endpoint = ConnectFifo(*ParseAddress("fifo:greeter"));
//
// The endpoint is "connecting" until the server has answered, for at most 5 s; a well-known FIFO that is full of
// requests is tried again after 1, 2, 4 ... 50 ms. What it made in the directory of names is gone with that.
//
// Thread safety: any thread. Lifetime: the endpoint is the caller's. Errors: a bad address, a limit and a directory
// that cannot be trusted are the function's error; no server is a closed endpoint's UNAVAILABLE.
#ifndef NEARCALL_TRANSPORTS_FIFO_FIFO_CONNECTOR_H_
#define NEARCALL_TRANSPORTS_FIFO_FIFO_CONNECTOR_H_

#include <memory>

#include "absl/status/statusor.h"
#include "nearcall/transports/api/endpoint.h"

namespace nearcall::internal {

absl::StatusOr<std::unique_ptr<Endpoint>> ConnectFifo(const Address& address);

}  // namespace nearcall::internal

#endif  // NEARCALL_TRANSPORTS_FIFO_FIFO_CONNECTOR_H_
