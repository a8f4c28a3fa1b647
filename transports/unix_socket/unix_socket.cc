// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
#include "nearcall/transports/unix_socket/unix_socket.h"

#include <utility>

#include "nearcall/transports/byte_stream/byte_stream.h"
#include "nearcall/transports/rendezvous/connector.h"
#include "nearcall/transports/rendezvous/listener.h"
#include "nearcall/transports/rendezvous/place_watch.h"
#include "nearcall/transports/unix_socket/socket_medium.h"

namespace nearcall {
namespace internal {
namespace {

std::unique_ptr<Endpoint> MakeEndpoint(Meeting& meeting) {
  ByteStreamOptions options;
  options.info.transport = meeting.transport;
  options.info.peer = meeting.peer;
  options.info.max_frame = kSocketMaxFrame;
  // The client's pidfd is for now that of whoever listens: it counts once the greeting has shown who answers.
  options.info.sees_death = meeting.handshake == nullptr && meeting.death.valid();
  options.name = meeting.address;
  options.death = std::move(meeting.death);
  options.handshake = std::move(meeting.handshake);
  return std::make_unique<ByteStreamEndpoint>(std::move(meeting.socket), std::move(options));
}

}  // namespace

std::unique_ptr<Endpoint> SocketMedium::Dial(Meeting meeting) const { return MakeEndpoint(meeting); }

absl::StatusOr<std::unique_ptr<Endpoint>> SocketMedium::Serve(Meeting& meeting) const { return MakeEndpoint(meeting); }

const SocketMedium& TheSocketMedium() {
  static const SocketMedium* const medium = new SocketMedium;  // listeners may outlive static destructors
  return *medium;
}

}  // namespace internal

absl::StatusOr<std::unique_ptr<Listener>> UnixTransport::Listen(const Address& address) {
  return internal::ListenRendezvous(address, internal::Names::kNotAllowed, {&internal::TheSocketMedium()});
}

absl::StatusOr<std::unique_ptr<Endpoint>> UnixTransport::Connect(const Address& address) {
  return internal::ConnectRendezvous(address, internal::Names::kNotAllowed, {&internal::TheSocketMedium()});
}

std::unique_ptr<ServerWatch> UnixTransport::Watch(const Address& address) {
  return internal::WatchRendezvous(address, internal::Names::kNotAllowed, {&internal::TheSocketMedium()});
}

}  // namespace nearcall
