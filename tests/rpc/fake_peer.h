// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// FakePeer: one end of a connection, driven frame by frame, to say what no nearcall session says. And raw Unix sockets,
// for what is not even a frame.
//
//   FakePeer client = FakePeer::ConnectTo("unix:/tmp/x");     // greets as the transport does, then is ours
//   client.Send(Frame(FrameKind::kHello, 0, 0, Hello()));
//   EXPECT_TRUE(client.WaitClosed());
//
// Thread safety: one owner. Errors: aborts on misuse; every wait has a limit.
#ifndef NEARCALL_TESTS_RPC_FAKE_PEER_H_
#define NEARCALL_TESTS_RPC_FAKE_PEER_H_

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/string_view.h"
#include "nearcall/rpc/wire/blocks.h"
#include "nearcall/rpc/wire/frame.h"
#include "nearcall/transports/api/clock.h"
#include "nearcall/transports/api/endpoint.h"
#include "nearcall/transports/in_process/in_process.h"
#include "nearcall/transports/local/local.h"
#include "nearcall/transports/shm_ring/shm_ring.h"
#include "nearcall/transports/tcp_socket/tcp_socket.h"
#include "nearcall/transports/unix_socket/unix_socket.h"

namespace nearcall::test {

inline std::unique_ptr<Transport> TransportOf(absl::string_view scheme) {
  if (scheme == "unix") return std::make_unique<UnixTransport>();
  if (scheme == "shm") return std::make_unique<ShmTransport>();
  if (scheme == "local") return std::make_unique<LocalTransport>();
  if (scheme == "tcp") return std::make_unique<TcpTransport>();
  return NewInProcessTransport();
}

// A frame's bytes: header, block, message. The lengths are the true ones unless given.
struct FakeFrame {
  internal::FrameHeader header;
  std::string block;
  std::string message;

  std::string bytes() const {
    std::string result(internal::kFrameHeaderSize, '\0');
    internal::EncodeFrameHeader(header, result.data());
    return result + block + message;
  }
};
inline FakeFrame MakeFrame(internal::FrameKind kind, uint8_t flags, uint32_t call_id, std::string block = "",
                           std::string message = "") {
  FakeFrame frame;
  frame.header.kind = kind;
  frame.header.flags = flags;
  frame.header.call_id = call_id;
  frame.header.block_size = static_cast<uint32_t>(block.size());
  frame.header.total_size = static_cast<uint32_t>(block.size() + message.size());
  frame.block = std::move(block);
  frame.message = std::move(message);
  return frame;
}

inline FakeFrame HelloFrame(uint16_t min_version = 1, uint16_t max_version = 1) {
  internal::HelloBlock hello;
  hello.min_version = min_version;
  hello.max_version = max_version;
  hello.max_concurrent_calls = 100;
  hello.initial_credit = 1 << 18;
  hello.max_message = 4 << 20;
  hello.clock_ns = MonotonicNanos();
  std::string block;
  internal::AppendHello(hello, &block);
  return MakeFrame(internal::FrameKind::kHello, 0, 0, std::move(block));
}
inline FakeFrame CallFrame(uint32_t call_id, absl::string_view path, std::string message = "") {
  std::string block;
  internal::AppendCall(path, kNoDeadline, {}, &block);
  return MakeFrame(internal::FrameKind::kCall, internal::kWithMessage, call_id, std::move(block), std::move(message));
}
inline FakeFrame StatusFrame(uint32_t call_id, const absl::Status& status) {
  std::string block;
  internal::AppendStatus(status, {}, &block);
  return MakeFrame(internal::FrameKind::kStatus, 0, call_id, std::move(block));
}

class FakePeer {
 public:
  explicit FakePeer(std::unique_ptr<Endpoint> end) : end_(std::move(end)) {}

  static FakePeer ConnectTo(const std::string& address) {
    const Address parsed = *ParseAddress(address);
    absl::StatusOr<std::unique_ptr<Endpoint>> end = TransportOf(parsed.scheme)->Connect(parsed);
    if (!end.ok()) ::abort();
    return FakePeer(*std::move(end));
  }

  // False once the connection is closed.
  bool Send(absl::string_view bytes) {
    const int64_t deadline = MonotonicNanos() + kLimit;
    absl::Span<char> space;
    Io io;
    while ((io = end_->Reserve(bytes.size(), &space)) == Io::kWouldBlock) {
      if (end_->Wait(Side::kSend, deadline) == Io::kClosed || MonotonicNanos() > deadline) return false;
    }
    if (io == Io::kClosed) return false;
    std::memcpy(space.data(), bytes.data(), bytes.size());
    if (end_->Commit(bytes.size(), {}) != Io::kOk) return false;
    while ((io = end_->Flush()) == Io::kWouldBlock) {
      if (end_->Wait(Side::kSend, deadline) == Io::kClosed || MonotonicNanos() > deadline) return false;
    }
    return io == Io::kOk;
  }
  bool Send(const FakeFrame& frame) { return Send(frame.bytes()); }

  // The next frame; nothing once the connection is closed or the time is up.
  std::optional<std::string> Receive(int64_t limit = kLimit) {
    const int64_t deadline = MonotonicNanos() + limit;
    Frame frame;
    Io io;
    while ((io = end_->Borrow(&frame)) == Io::kWouldBlock) {
      if (MonotonicNanos() > deadline) return std::nullopt;
      end_->Wait(Side::kReceive, deadline);
    }
    if (io == Io::kClosed) return std::nullopt;
    std::string bytes(frame.bytes.data(), frame.bytes.size());
    end_->Release();
    return bytes;
  }
  // The next frame of that kind; what comes before is dropped.
  std::optional<std::string> ReceiveKind(internal::FrameKind kind) {
    while (std::optional<std::string> bytes = Receive()) {
      if (!bytes->empty() && (*bytes)[0] == static_cast<char>(kind)) return bytes;
    }
    return std::nullopt;
  }
  // The status of call `call_id` (one that fits one frame).
  absl::Status ReceiveStatus(uint32_t call_id) {
    while (std::optional<std::string> bytes = ReceiveKind(internal::FrameKind::kStatus)) {
      internal::FrameHeader header;
      if (bytes->size() < internal::kFrameHeaderSize || !internal::DecodeFrameHeader(bytes->data(), &header)) break;
      if (header.call_id != call_id) continue;
      absl::Status status = absl::OkStatus();
      absl::Span<const char> trailing;
      const absl::Span<const char> body(bytes->data() + internal::kFrameHeaderSize,
                                        bytes->size() - internal::kFrameHeaderSize);
      if (header.block_size > body.size() ||
          (header.block_size > 0 && !internal::ReadStatus(body.subspan(0, header.block_size), &status, &trailing)))
        break;
      return status;
    }
    return absl::UnknownError("no status came");
  }
  // Drops what comes until the other side closes; false if it does not.
  bool WaitClosed() {
    const int64_t deadline = MonotonicNanos() + kLimit;
    while (MonotonicNanos() < deadline) {
      Frame frame;
      const Io io = end_->Borrow(&frame);
      if (io == Io::kClosed) return true;
      if (io == Io::kOk) {
        end_->Release();
      } else {
        end_->Wait(Side::kReceive, deadline);
      }
    }
    return false;
  }
  Endpoint& end() { return *end_; }

 private:
  static constexpr int64_t kLimit = 10'000'000'000;
  std::unique_ptr<Endpoint> end_;
};

// A raw stream socket, connected to a path.
inline UniqueFd RawConnect(const std::string& path) {
  UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path.data(), path.size());
  if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) fd.Reset();
  return fd;
}
inline UniqueFd RawListen(const std::string& path) {
  UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path.data(), path.size());
  if (::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0 ||
      ::listen(fd.get(), 64) != 0) {
    ::abort();
  }
  return fd;
}
inline void RawSend(int fd, absl::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = ::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent <= 0) return;  // the other side has had enough
    bytes.remove_prefix(static_cast<size_t>(sent));
  }
}
// Drops what comes until the end of the stream; false if it does not come within 10 s.
inline bool RawWaitClosed(int fd) {
  const int64_t deadline = MonotonicNanos() + 10'000'000'000;
  char buffer[4096];
  for (;;) {
    pollfd entry = {fd, POLLIN, 0};
    const int64_t left = (deadline - MonotonicNanos()) / 1'000'000;
    if (left <= 0 || ::poll(&entry, 1, static_cast<int>(left)) <= 0) return false;
    if (::recv(fd, buffer, sizeof(buffer), MSG_DONTWAIT) <= 0) return true;
  }
}

}  // namespace nearcall::test

#endif  // NEARCALL_TESTS_RPC_FAKE_PEER_H_
