// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
#include "nearcall/transports/fifo/fifo.h"

#include "nearcall/transports/fifo/fifo_connector.h"
#include "nearcall/transports/fifo/fifo_listener.h"
#include "nearcall/transports/rendezvous/place.h"
#include "nearcall/transports/rendezvous/place_watch.h"

namespace nearcall {

absl::StatusOr<std::unique_ptr<Listener>> FifoTransport::Listen(const Address& address) {
  return internal::ListenFifo(address);
}

absl::StatusOr<std::unique_ptr<Endpoint>> FifoTransport::Connect(const Address& address) {
  return internal::ConnectFifo(address);
}

std::unique_ptr<ServerWatch> FifoTransport::Watch(const Address& address) {
  const absl::StatusOr<internal::Place> place = internal::PlaceOf(address, internal::Names::kAllowed);
  return place.ok() ? internal::WatchPlace(place->path) : nullptr;
}

}  // namespace nearcall
