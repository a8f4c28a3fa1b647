// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// `inproc:NAME`: both ends in one process, frames through bounded queues in memory.
//
//   std::unique_ptr<Transport> transport = NewInProcessTransport();
//   absl::StatusOr<std::unique_ptr<Listener>> listener = transport->Listen(*ParseAddress("inproc:greeter"));
//   absl::StatusOr<std::unique_ptr<Endpoint>> end = transport->Connect(*ParseAddress("inproc:greeter"));
//
// Thread-safe. Lifetime: names belong to the process and last as long as their listener; connections outlive both.
// Errors: Listen: INVALID_ARGUMENT (no name, a parameter), ALREADY_EXISTS (somebody listens there). Nobody at the name:
// Connect gives an endpoint that is closed with UNAVAILABLE. Out of descriptors: RESOURCE_EXHAUSTED.
#ifndef NEARCALL_TRANSPORTS_IN_PROCESS_IN_PROCESS_H_
#define NEARCALL_TRANSPORTS_IN_PROCESS_IN_PROCESS_H_

#include <memory>

#include "nearcall/transports/api/endpoint.h"

namespace nearcall {

std::unique_ptr<Transport> NewInProcessTransport();

}  // namespace nearcall

#endif  // NEARCALL_TRANSPORTS_IN_PROCESS_IN_PROCESS_H_
