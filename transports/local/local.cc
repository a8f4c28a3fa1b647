// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
#include "nearcall/transports/local/local.h"

#include "nearcall/transports/rendezvous/connector.h"
#include "nearcall/transports/rendezvous/listener.h"
#include "nearcall/transports/rendezvous/place_watch.h"
#include "nearcall/transports/shm_ring/shm_medium.h"
#include "nearcall/transports/unix_socket/socket_medium.h"

namespace nearcall {
namespace {

internal::Media BestFirst() { return {&internal::TheShmMedium(), &internal::TheSocketMedium()}; }

}  // namespace

absl::StatusOr<std::unique_ptr<Listener>> LocalTransport::Listen(const Address& address) {
  return internal::ListenRendezvous(address, internal::Names::kAllowed, BestFirst());
}

absl::StatusOr<std::unique_ptr<Endpoint>> LocalTransport::Connect(const Address& address) {
  return internal::ConnectRendezvous(address, internal::Names::kAllowed, BestFirst());
}

std::unique_ptr<ServerWatch> LocalTransport::Watch(const Address& address) {
  return internal::WatchRendezvous(address, internal::Names::kAllowed, BestFirst());
}

}  // namespace nearcall
