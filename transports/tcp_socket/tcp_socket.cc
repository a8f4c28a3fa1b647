// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
#include "nearcall/transports/tcp_socket/tcp_socket.h"

#include "nearcall/transports/rendezvous/place_watch.h"
#include "nearcall/transports/tcp_socket/tcp_connector.h"
#include "nearcall/transports/tcp_socket/tcp_listener.h"
#include "nearcall/transports/tcp_socket/tcp_place.h"

namespace nearcall {

absl::StatusOr<std::unique_ptr<Listener>> TcpTransport::Listen(const Address& address) {
  return internal::ListenTcp(address);
}

absl::StatusOr<std::unique_ptr<Endpoint>> TcpTransport::Connect(const Address& address) {
  return internal::ConnectTcp(address);
}

// A server at a loopback address touches its token once it listens; a copy of a remote one's tells nothing.
std::unique_ptr<ServerWatch> TcpTransport::Watch(const Address& address) {
  absl::StatusOr<internal::TcpPlace> place = internal::TcpPlaceOf(address);
  if (!place.ok() || !place->token || !place->loopback || place->port() == 0) return nullptr;
  return internal::WatchPlace(place->TokenPath());
}

}  // namespace nearcall
