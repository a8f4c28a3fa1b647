// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// The two ends of an in-process connection (see in_process.h).
//
//   absl::StatusOr<InProcessPair> pair = NewInProcessPair("inproc:greeter");
//
// Thread safety, lifetime and errors: as Endpoint says; RESOURCE_EXHAUSTED without descriptors.
#ifndef NEARCALL_TRANSPORTS_IN_PROCESS_IN_PROCESS_ENDPOINT_H_
#define NEARCALL_TRANSPORTS_IN_PROCESS_IN_PROCESS_ENDPOINT_H_

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "nearcall/transports/api/endpoint.h"

namespace nearcall::internal {

struct InProcessPair {
  std::unique_ptr<Endpoint> client;
  std::unique_ptr<Endpoint> server;
};

// `name` is what errors name.
absl::StatusOr<InProcessPair> NewInProcessPair(const std::string& name);

}  // namespace nearcall::internal

#endif  // NEARCALL_TRANSPORTS_IN_PROCESS_IN_PROCESS_ENDPOINT_H_
