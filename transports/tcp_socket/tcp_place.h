// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// TcpPlace: what a tcp: address means: an IP address and a port, and where the token is.
//
//   absl::StatusOr<TcpPlace> place = TcpPlaceOf(*ParseAddress("tcp:4000"));
//   place->Text() == "127.0.0.1:4000"; place->TokenPath() == "/run/user/1000/nearcall/tcp-127.0.0.1-4000.token";
//
// tcp:PORT, tcp:127.0.0.1:PORT, tcp:[::1]:PORT, tcp:localhost:PORT. Names are not looked up. Parameters, at either end:
// allow=remote (else the address must be a loopback one), token_file=PATH, token=none.
// Thread-safe: pure, but for XDG_RUNTIME_DIR. Errors: INVALID_ARGUMENT quoting the address.
#ifndef NEARCALL_TRANSPORTS_TCP_SOCKET_TCP_PLACE_H_
#define NEARCALL_TRANSPORTS_TCP_SOCKET_TCP_PLACE_H_

#include <netinet/in.h>
#include <sys/socket.h>

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "nearcall/transports/api/address.h"

namespace nearcall::internal {

struct TcpPlace {
  sockaddr_storage address = {};  // sockaddr_in or sockaddr_in6
  bool loopback = true;
  bool token = true;
  std::string token_file;  // as the address names it; empty: at the usual place

  const sockaddr* name() const { return reinterpret_cast<const sockaddr*>(&address); }
  socklen_t size() const { return address.ss_family == AF_INET ? sizeof(sockaddr_in) : sizeof(sockaddr_in6); }
  uint16_t port() const;
  void set_port(uint16_t port);
  std::string Host() const;       // "127.0.0.1", "::1"
  std::string Text() const;       // "127.0.0.1:4000", "[::1]:4000"
  std::string TokenPath() const;  // REQUIRES: a port other than 0
};

absl::StatusOr<TcpPlace> TcpPlaceOf(const Address& address);

// What the kernel may hold for a connection, each way; left to itself it takes up to some megabytes. Of a socket that
// neither listens nor is connected yet.
inline constexpr int kTcpBuffer = 256 << 10;
void BoundTcpBuffers(int socket);

}  // namespace nearcall::internal

#endif  // NEARCALL_TRANSPORTS_TCP_SOCKET_TCP_PLACE_H_
