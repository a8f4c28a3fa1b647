// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
#include "nearcall/rpc/transports.h"

#include <string>

#include "absl/strings/str_cat.h"

namespace nearcall::internal {

namespace {

std::string Schemes(const std::vector<std::shared_ptr<Transport>>& own) {
  std::string schemes;
  for (const auto& transports : {own, BuiltinTransports()}) {
    for (const std::shared_ptr<Transport>& transport : transports) {
      if (transport != nullptr) absl::StrAppend(&schemes, schemes.empty() ? "" : ", ", transport->scheme(), ":");
    }
  }
  return schemes;
}

}  // namespace

absl::StatusOr<Address> ParseKnownAddress(absl::string_view text, const std::vector<std::shared_ptr<Transport>>& own) {
  absl::StatusOr<Address> address = ParseAddress(text);
  if (address.ok()) return address;
  return absl::Status(address.status().code(),
                      absl::StrCat(address.status().message(), "; known schemes: ", Schemes(own)));
}

absl::StatusOr<std::shared_ptr<Transport>> FindTransport(const Address& address,
                                                         const std::vector<std::shared_ptr<Transport>>& own) {
  for (const auto& transports : {own, BuiltinTransports()}) {
    for (const std::shared_ptr<Transport>& transport : transports) {
      if (transport != nullptr && transport->scheme() == address.scheme) return transport;
    }
  }
  return absl::InvalidArgumentError(absl::StrCat("address \"", address.ToString(), "\": unknown scheme \"",
                                                 address.scheme, "\"; known: ", Schemes(own)));
}

}  // namespace nearcall::internal
