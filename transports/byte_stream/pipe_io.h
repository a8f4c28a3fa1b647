// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// The ByteIo of two pipes or FIFOs, one for each direction.
//
//   absl::StatusOr<std::unique_ptr<ByteIo>> io = NewPipeIo(std::move(read_end), std::move(write_end));
//
// A write to a pipe that nobody reads is a SIGPIPE, which a flag cannot turn off as for sockets. So the write end is
// opened again through /proc for reading, too: then there is always a reader, and the peer's end is seen where its
// bytes end. Without /proc the signal is blocked around each write. Both ends get file descriptions of their own, so
// that O_NONBLOCK is nobody else's.
//
// Thread safety and lifetime: as ByteIo says. Errors: RESOURCE_EXHAUSTED without descriptors.
#ifndef NEARCALL_TRANSPORTS_BYTE_STREAM_PIPE_IO_H_
#define NEARCALL_TRANSPORTS_BYTE_STREAM_PIPE_IO_H_

#include <sys/types.h>

#include <cstddef>
#include <memory>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "nearcall/transports/api/unique_fd.h"
#include "nearcall/transports/byte_stream/byte_io.h"

namespace nearcall {

// write(2) without SIGPIPE: EPIPE is all that comes. Two system calls more; PipeIo seldom needs it.
ssize_t WriteWithoutSigpipe(int fd, const char* data, size_t size);

// RESOURCE_EXHAUSTED naming the limit where a new pipe is smaller than usual, as its user has too many (pipe(7)).
absl::Status CheckPipeSize(int fd);

// `out` may be open for reading and writing already (a FIFO). Passes through the test decorator.
absl::StatusOr<std::unique_ptr<ByteIo>> NewPipeIo(UniqueFd in, UniqueFd out);

}  // namespace nearcall

#endif  // NEARCALL_TRANSPORTS_BYTE_STREAM_PIPE_IO_H_
