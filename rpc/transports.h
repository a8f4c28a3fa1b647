// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// Which transports there are. rpc knows none by itself: //:nearcall defines BuiltinTransports() with all that are built
// in; a program that wants fewer links its own definition in its place.
#ifndef NEARCALL_RPC_TRANSPORTS_H_
#define NEARCALL_RPC_TRANSPORTS_H_

#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "nearcall/transports/api/endpoint.h"

namespace nearcall {

std::vector<std::shared_ptr<Transport>> BuiltinTransports();

namespace internal {
// ParseAddress(), with an error that lists the schemes there are.
absl::StatusOr<Address> ParseKnownAddress(absl::string_view text, const std::vector<std::shared_ptr<Transport>>& own);
// By the address's scheme: the user's own first. INVALID_ARGUMENT that lists the schemes there are.
absl::StatusOr<std::shared_ptr<Transport>> FindTransport(const Address& address,
                                                         const std::vector<std::shared_ptr<Transport>>& own);
}  // namespace internal

}  // namespace nearcall

#endif  // NEARCALL_RPC_TRANSPORTS_H_
