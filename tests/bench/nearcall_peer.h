// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// nearcall as a peer, with the SpinMode of its kind on both sides: a blocking service; calls by Wait(), outstanding
// ones by Then().
#ifndef NEARCALL_TESTS_BENCH_NEARCALL_PEER_H_
#define NEARCALL_TESTS_BENCH_NEARCALL_PEER_H_

#include <cstddef>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "nearcall/tests/bench/peer.h"

namespace nearcall::bench {

absl::StatusOr<std::unique_ptr<EchoServer>> ServeNearcall(const PeerKind& kind, const std::string& address);
absl::StatusOr<std::unique_ptr<EchoLink>> OpenNearcall(const PeerKind& kind, const std::string& address, size_t payload,
                                                       int outstanding);

}  // namespace nearcall::bench

#endif  // NEARCALL_TESTS_BENCH_NEARCALL_PEER_H_
