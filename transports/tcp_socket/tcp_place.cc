// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
#include "nearcall/transports/tcp_socket/tcp_place.h"

#include <arpa/inet.h>
#include <string.h>

#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "nearcall/transports/rendezvous/place.h"

namespace nearcall::internal {
namespace {

absl::Status Bad(const Address& address, absl::string_view why) {
  return absl::InvalidArgumentError(absl::StrCat(address.ToString(), ": ", why));
}

// "4000" -> ("", "4000"), "[::1]:4000" -> ("::1", "4000").
absl::StatusOr<std::pair<std::string, std::string>> Split(const Address& address) {
  const std::string& rest = address.rest;
  const size_t colon = rest.rfind(':');
  if (colon == std::string::npos) return std::make_pair(std::string("127.0.0.1"), rest);
  std::string host = rest.substr(0, colon);
  std::string port = rest.substr(colon + 1);
  const bool brackets = host.size() > 2 && host.front() == '[' && host.back() == ']';
  if (brackets) host = host.substr(1, host.size() - 2);
  if (host.empty() || brackets != (host.find(':') != std::string::npos)) {
    return Bad(address, "write tcp:PORT, tcp:127.0.0.1:PORT, tcp:localhost:PORT or tcp:[::1]:PORT");
  }
  if (host == "localhost") host = "127.0.0.1";
  return std::make_pair(std::move(host), std::move(port));
}

bool ParseHost(const std::string& host, TcpPlace* place) {
  auto* four = reinterpret_cast<sockaddr_in*>(&place->address);
  auto* six = reinterpret_cast<sockaddr_in6*>(&place->address);
  if (::inet_pton(AF_INET, host.c_str(), &four->sin_addr) == 1) {
    place->address.ss_family = AF_INET;
    place->loopback = (ntohl(four->sin_addr.s_addr) >> 24) == IN_LOOPBACKNET;
    return true;
  }
  place->address = {};
  if (::inet_pton(AF_INET6, host.c_str(), &six->sin6_addr) != 1) return false;
  place->address.ss_family = AF_INET6;
  place->loopback = IN6_IS_ADDR_LOOPBACK(&six->sin6_addr);
  return true;
}

absl::Status ReadParameters(const Address& address, bool* remote, TcpPlace* place) {
  absl::Status known = CheckParameters(address, {"allow", "token", "token_file"});
  if (!known.ok()) return known;
  if (const auto allow = address.Parameter("allow"); allow.has_value()) {
    if (*allow != "remote") return Bad(address, absl::StrCat("allow=", *allow, " is not allow=remote"));
    *remote = true;
  }
  if (const auto token = address.Parameter("token"); token.has_value()) {
    if (*token != "none") return Bad(address, absl::StrCat("token=", *token, " is not token=none"));
    place->token = false;
  }
  if (const auto file = address.Parameter("token_file"); file.has_value()) {
    if (!place->token || file->empty()) return Bad(address, "token_file= goes with a path, and not with token=none");
    place->token_file = *file;
  }
  return absl::OkStatus();
}

}  // namespace

uint16_t TcpPlace::port() const {
  return ntohs(address.ss_family == AF_INET ? reinterpret_cast<const sockaddr_in*>(&address)->sin_port
                                            : reinterpret_cast<const sockaddr_in6*>(&address)->sin6_port);
}

void TcpPlace::set_port(uint16_t port) {
  if (address.ss_family == AF_INET) {
    reinterpret_cast<sockaddr_in*>(&address)->sin_port = htons(port);
  } else {
    reinterpret_cast<sockaddr_in6*>(&address)->sin6_port = htons(port);
  }
}

std::string TcpPlace::Host() const {
  char text[INET6_ADDRSTRLEN] = "";
  const void* bytes = address.ss_family == AF_INET
                          ? static_cast<const void*>(&reinterpret_cast<const sockaddr_in*>(&address)->sin_addr)
                          : &reinterpret_cast<const sockaddr_in6*>(&address)->sin6_addr;
  ::inet_ntop(address.ss_family, bytes, text, sizeof(text));
  return text;
}

std::string TcpPlace::Text() const {
  return address.ss_family == AF_INET ? absl::StrCat(Host(), ":", port()) : absl::StrCat("[", Host(), "]:", port());
}

std::string TcpPlace::TokenPath() const {
  if (!token_file.empty()) return token_file;
  return absl::StrCat(NamesDirectory(), "/tcp-", Host(), "-", port(), ".token");
}

absl::StatusOr<TcpPlace> TcpPlaceOf(const Address& address) {
  TcpPlace place;
  bool remote = false;
  absl::Status status = ReadParameters(address, &remote, &place);
  if (!status.ok()) return status;
  absl::StatusOr<std::pair<std::string, std::string>> parts = Split(address);
  if (!parts.ok()) return parts.status();
  const auto& [host, port] = *parts;
  if (!ParseHost(host, &place)) {
    return Bad(address, absl::StrCat("\"", host, "\" is no IP address; names other than localhost are not looked up"));
  }
  if (!place.loopback && !remote) {
    return Bad(address, absl::StrCat(host,
                                     " is not a loopback address. What crosses a network is neither encrypted "
                                     "nor hidden; add ?allow=remote if that is what you want"));
  }
  uint32_t number = 0;
  const bool digits = port.find_first_not_of("0123456789") == std::string::npos;
  if (!digits || !absl::SimpleAtoi(port, &number) || number > 65535) {
    return Bad(address, absl::StrCat("\"", port, "\" is no port, 0 to 65535"));
  }
  place.set_port(static_cast<uint16_t>(number));
  return place;
}

void BoundTcpBuffers(int socket) {
  ::setsockopt(socket, SOL_SOCKET, SO_SNDBUF, &kTcpBuffer, sizeof(kTcpBuffer));
  ::setsockopt(socket, SOL_SOCKET, SO_RCVBUF, &kTcpBuffer, sizeof(kTcpBuffer));
}

}  // namespace nearcall::internal
