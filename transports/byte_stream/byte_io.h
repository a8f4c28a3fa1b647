// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// ByteIo: the system calls under a ByteStreamEndpoint, behind one small interface, so that tests can split and shorten
// every transfer. One virtual call per system call is all it costs.
//
//   std::unique_ptr<ByteIo> io = NewSocketIo(std::move(socket));   // a connected (or connecting) stream socket
//   ssize_t n = io->Send(data, size);                              // as send(2): -1 and errno
//
// Thread safety: Send* by the sender, Receive* by the receiver, at the same time; Shutdown() from any thread.
// Lifetime: owns its descriptors. Errors: errno, as from the system call; EINTR is never returned by calls that do not
// block.
#ifndef NEARCALL_TRANSPORTS_BYTE_STREAM_BYTE_IO_H_
#define NEARCALL_TRANSPORTS_BYTE_STREAM_BYTE_IO_H_

#include <sys/socket.h>
#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>

#include "nearcall/transports/api/unique_fd.h"

namespace nearcall {

class ByteIo {
 public:
  virtual ~ByteIo() = default;

  // What to poll: POLLOUT on the first, POLLIN on the second (one and the same for a socket).
  virtual int send_fd() const = 0;
  virtual int receive_fd() const = 0;
  // Readable after Shutdown(), for streams whose own descriptors do not tell (pipes); -1: not needed.
  virtual int wake_fd() const { return -1; }
  // A sender that sleeps sees the peer's end only on receive_fd(), as POLLHUP.
  virtual bool end_is_received() const { return false; }

  // Never block: -1 with EAGAIN instead. Never raise SIGPIPE.
  virtual ssize_t Send(const char* data, size_t size) = 0;
  virtual ssize_t Receive(char* data, size_t size) = 0;  // 0: end of the stream

  // The same with control data, for a greeting (SCM_CREDENTIALS, SCM_RIGHTS); sockets only, ENOTSUP elsewhere.
  // ReceiveMessage sets MSG_CMSG_CLOEXEC.
  virtual ssize_t SendMessage(const msghdr& message) = 0;
  virtual ssize_t ReceiveMessage(msghdr* message) = 0;

  // Receive() that sleeps for at most about `timeout_ns` (INT64_MAX: for ever): EAGAIN when that has passed (it may
  // come earlier, and up to two timer ticks later), EINTR possible. Only if can_block().
  virtual bool can_block() const { return false; }
  virtual ssize_t ReceiveBlocking(char* data, size_t size, int64_t timeout_ns) = 0;

  // Ends both directions and wakes every sleeper of this side; what has arrived can still be received. Idempotent.
  virtual void Shutdown() = 0;
};

// For stream sockets. The socket must be in blocking mode by the time data is received (O_NONBLOCK only costs extra
// polls: a blocking receive then returns EAGAIN at once and the endpoint polls). Passes through the test decorator.
std::unique_ptr<ByteIo> NewSocketIo(UniqueFd socket);

namespace internal {

// Test hook, process-wide: every ByteIo made by NewSocketIo() (and other factories that call DecorateByteIo()) from now
// on passes through `decorate`. Null removes it. Not for use while connections are being made on other threads' behalf
// that should be spared.
using ByteIoDecorator = std::function<std::unique_ptr<ByteIo>(std::unique_ptr<ByteIo>)>;
void SetByteIoDecoratorForTest(ByteIoDecorator decorate);
std::unique_ptr<ByteIo> DecorateByteIo(std::unique_ptr<ByteIo> io);

}  // namespace internal
}  // namespace nearcall

#endif  // NEARCALL_TRANSPORTS_BYTE_STREAM_BYTE_IO_H_
