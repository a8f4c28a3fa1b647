// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// The server's half of tcp:: a listening socket with its token, and guests that have to prove that they can read it.
//
//   auto listener = ListenTcp(*ParseAddress("tcp:0"));   // (*listener)->address(): tcp:127.0.0.1:PORT
//
// The token is written before the socket listens, and its file touched afterwards, for those who watch it.
//
// Thread safety: Accept() from any thread, one at a time inside. Lifetime: Listener's. Errors: as Listener says, naming
// the address; ALREADY_EXISTS: the port is taken. What happened to connections that failed is in last_failure().
#ifndef NEARCALL_TRANSPORTS_TCP_SOCKET_TCP_LISTENER_H_
#define NEARCALL_TRANSPORTS_TCP_SOCKET_TCP_LISTENER_H_

#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "nearcall/transports/api/endpoint.h"
#include "nearcall/transports/rendezvous/reception.h"
#include "nearcall/transports/tcp_socket/token.h"

namespace nearcall::internal {

class TcpListener final : public Listener {
 public:
  // `token`: null: everybody may connect.
  TcpListener(Address address, UniqueFd socket, std::unique_ptr<TokenFile> token, std::unique_ptr<Reception> reception);
  ~TcpListener() override;
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
  const std::string name_;  // for errors
  const UniqueFd socket_;
  const std::unique_ptr<TokenFile> token_;
  const std::unique_ptr<Reception> reception_;
  const pid_t owner_;  // the process that made it
};

absl::StatusOr<std::unique_ptr<Listener>> ListenTcp(const Address& address);

}  // namespace nearcall::internal

#endif  // NEARCALL_TRANSPORTS_TCP_SOCKET_TCP_LISTENER_H_
