// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// An endpoint that was never open: what Transport::Connect() returns when it knows at once that there is no peer.
//
//   return NewClosedEndpoint("unix", absl::UnavailableError("unix:/run/greeter.sock: nobody listens there"));
//
// Thread-safe. Every operation says kClosed; status() is `why`.
#ifndef NEARCALL_TRANSPORTS_API_CLOSED_ENDPOINT_H_
#define NEARCALL_TRANSPORTS_API_CLOSED_ENDPOINT_H_

#include <memory>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "nearcall/transports/api/endpoint.h"

namespace nearcall {

std::unique_ptr<Endpoint> NewClosedEndpoint(absl::string_view transport, absl::Status why);

}  // namespace nearcall

#endif  // NEARCALL_TRANSPORTS_API_CLOSED_ENDPOINT_H_
