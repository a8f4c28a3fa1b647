// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// An address says which transport to use and where: `scheme:rest?key=value&key=value`.
//
//   absl::StatusOr<Address> address = ParseAddress("unix:/run/greeter.sock?mode=0660");
//   address->scheme == "unix"; address->rest == "/run/greeter.sock"; address->Parameter("mode") == "0660";
//
// `%XX` escapes one byte in rest and values ("%3F" a question mark, "%25" a per cent sign). Thread-safe: a value.
// Errors: INVALID_ARGUMENT that quotes the address and says what to write instead; the known schemes are the caller's
// to check.
#ifndef NEARCALL_TRANSPORTS_API_ADDRESS_H_
#define NEARCALL_TRANSPORTS_API_ADDRESS_H_

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace nearcall {

struct Address {
  std::string scheme;                                           // [a-z][a-z0-9-]*
  std::string rest;                                             // unescaped; may be empty
  std::vector<std::pair<std::string, std::string>> parameters;  // unescaped, in order

  std::optional<std::string> Parameter(absl::string_view key) const;  // the first of that key
  std::string written = {};  // the rest with its escapes, from ParseAddress(), for who splits it (exec:); may be empty
  std::string ToString() const;  // parses back to the same
};

absl::StatusOr<Address> ParseAddress(absl::string_view text);

// INVALID_ARGUMENT naming the first parameter that is not among `known`: a transport refuses what it would ignore.
absl::Status CheckParameters(const Address& address, absl::Span<const absl::string_view> known);

}  // namespace nearcall

#endif  // NEARCALL_TRANSPORTS_API_ADDRESS_H_
