// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
#include "nearcall/transports/shm_ring/shm_ring.h"

#include "nearcall/transports/rendezvous/connector.h"
#include "nearcall/transports/rendezvous/listener.h"
#include "nearcall/transports/rendezvous/place_watch.h"
#include "nearcall/transports/shm_ring/shm_medium.h"

namespace nearcall {

absl::StatusOr<std::unique_ptr<Listener>> ShmTransport::Listen(const Address& address) {
  return internal::ListenRendezvous(address, internal::Names::kAllowed, {&internal::TheShmMedium()});
}

absl::StatusOr<std::unique_ptr<Endpoint>> ShmTransport::Connect(const Address& address) {
  return internal::ConnectRendezvous(address, internal::Names::kAllowed, {&internal::TheShmMedium()});
}

std::unique_ptr<ServerWatch> ShmTransport::Watch(const Address& address) {
  return internal::WatchRendezvous(address, internal::Names::kAllowed, {&internal::TheShmMedium()});
}

}  // namespace nearcall
