// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// The rendezvous's listener: waits for greetings, checks identities, and makes endpoints of those that pass.
//
//   auto listener = ListenRendezvous(address, Names::kAllowed, {&shm, &socket});
//   // poll (*listener)->fd(), then (*listener)->Accept()
//
// What is not yet an endpoint is the reception's (reception.h), at most 64 connections of a uid.
//
// Thread safety: Accept() from any thread, one at a time inside. Lifetime: Listener's. Errors: as Listener says; what
// happened to connections that failed is in last_failure().
#ifndef NEARCALL_TRANSPORTS_RENDEZVOUS_LISTENER_H_
#define NEARCALL_TRANSPORTS_RENDEZVOUS_LISTENER_H_

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "nearcall/transports/api/endpoint.h"
#include "nearcall/transports/rendezvous/listening_socket.h"
#include "nearcall/transports/rendezvous/medium.h"
#include "nearcall/transports/rendezvous/place.h"
#include "nearcall/transports/rendezvous/reception.h"

namespace nearcall::internal {

class RendezvousListener final : public Listener {
 public:
  RendezvousListener(Address address, Media media, std::unique_ptr<ListeningSocket> socket,
                     std::unique_ptr<Reception> reception);
  absl::Status Open();

  const Address& address() const override { return address_; }
  int fd() const override { return reception_->fd(); }
  absl::StatusOr<std::unique_ptr<Endpoint>> Accept() override { return reception_->Accept(); }

  std::string last_failure() const { return reception_->last_failure(); }
  int64_t failures() const { return reception_->failures(); }
  int half_open() const { return reception_->half_open(); }

 private:
  class Client;

  const Address address_;
  const Media media_;
  const std::string name_;  // for errors
  const std::unique_ptr<ListeningSocket> socket_;
  const std::unique_ptr<Reception> reception_;
};

// Binds safely and listens. `media`: what it allows.
absl::StatusOr<std::unique_ptr<Listener>> ListenRendezvous(const Address& address, Names names, const Media& media);
// At a socket that listens already.
absl::StatusOr<std::unique_ptr<Listener>> ListenRendezvousOn(const Address& address,
                                                             std::unique_ptr<ListeningSocket> socket,
                                                             const Media& media);

}  // namespace nearcall::internal

#endif  // NEARCALL_TRANSPORTS_RENDEZVOUS_LISTENER_H_
