// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// What every peer's call is made of, framework or not: the messages, the handler, and a loop of protobuf alone.
#ifndef NEARCALL_TESTS_BENCH_ECHO_WORK_H_
#define NEARCALL_TESTS_BENCH_ECHO_WORK_H_

#include <cstddef>
#include <cstdint>

#include "absl/status/statusor.h"
#include "tests/bench/echo.pb.h"

namespace nearcall::bench {

EchoMessage MakeEcho(size_t payload);
size_t EchoSize(size_t payload);  // serialized
absl::StatusOr<EchoMessage> HandleEcho(const EchoMessage& request);

// Does with protobuf alone what a call does on both sides: serialize, parse, handle, serialize, parse into a StatusOr.
// False if a message did not survive.
bool ProtobufAlone(size_t payload, int64_t calls);

}  // namespace nearcall::bench

#endif  // NEARCALL_TESTS_BENCH_ECHO_WORK_H_
