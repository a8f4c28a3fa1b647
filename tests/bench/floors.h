// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// The floors: raw code that carries the bytes of a serialized EchoMessage there and back, with no framework, where both
// sides know the length. By transport:
//   unix       a blocking Unix stream socket
//   unix-spin  the same, each side polling it for up to 60 us before it blocks
//   shm        one mapping of both processes, and a futex: memory_floor.h
//   shm-spin   the same, each side looking at the word for up to 60 us before it sleeps
//   tcp        a blocking TCP connection over 127.0.0.1, with TCP_NODELAY
//   pipe, fifo two pipes, two FIFOs, read and written blocking
//   mq         two POSIX queues of mq:'s attributes, mq_send and mq_receive: floor_wire.h
// A client meets its server on a Unix socket and hands it all else over. Flood() is batched: what fits is written at
// once, what has come is read at once; it is for unix and shm.
//
// Thread safety: none. Lifetime: links end before their server. Errors name the path, and the errno.
#ifndef NEARCALL_TESTS_BENCH_FLOORS_H_
#define NEARCALL_TESTS_BENCH_FLOORS_H_

#include <cstddef>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "nearcall/tests/bench/peer.h"

namespace nearcall::bench {

inline constexpr char kSpinSuffix[] = "-spin";

// Whatever its clients say they are: one server for all kinds of floors.
absl::StatusOr<std::unique_ptr<EchoServer>> ServeFloor(const std::string& path);
absl::StatusOr<std::unique_ptr<EchoLink>> OpenFloor(const PeerKind& kind, const std::string& path, size_t payload,
                                                    int outstanding);

}  // namespace nearcall::bench

#endif  // NEARCALL_TESTS_BENCH_FLOORS_H_
