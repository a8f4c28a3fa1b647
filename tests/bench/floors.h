// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// The floor: a raw, blocking Unix stream socket that carries the bytes of a serialized EchoMessage there and back, with
// no framework: both sides know the length. Flood() is the batched one: what fits is written at once, what has come is
// read at once.
#ifndef NEARCALL_TESTS_BENCH_FLOORS_H_
#define NEARCALL_TESTS_BENCH_FLOORS_H_

#include <cstddef>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "nearcall/tests/bench/peer.h"

namespace nearcall::bench {

absl::StatusOr<std::unique_ptr<EchoServer>> ServeFloor(const std::string& path);
absl::StatusOr<std::unique_ptr<EchoLink>> OpenFloor(const std::string& path, size_t payload, int outstanding);

}  // namespace nearcall::bench

#endif  // NEARCALL_TESTS_BENCH_FLOORS_H_
