// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
#include "nearcall/tests/bench/floors.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <functional>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "nearcall/tests/bench/echo_work.h"
#include "nearcall/tests/bench/memory_floor.h"
#include "nearcall/transports/api/clock.h"
#include "nearcall/transports/api/unique_fd.h"

namespace nearcall::bench {
namespace {

// What a client says first.
struct Opening {
  bool in_memory = false;    // with the memory's descriptor
  FloorMemory::Shape shape;  // of a socket: no slots; length 0: echo whatever comes, as it comes
};

absl::Status ErrnoError(absl::string_view what, const std::string& path) {
  return absl::UnavailableError(absl::StrCat("floor ", path, ": ", what, ": ", ::strerror(errno)));
}

bool WriteAll(int fd, const char* data, size_t size) {
  while (size > 0) {
    const ssize_t put = ::send(fd, data, size, MSG_NOSIGNAL);
    if (put < 0 && errno == EINTR) continue;
    if (put <= 0) return false;
    data += put;
    size -= static_cast<size_t>(put);
  }
  return true;
}

ssize_t ReadSome(int fd, char* data, size_t size, bool spins) {
  if (spins) {
    const int64_t end = MonotonicNanos() + kFloorSpinNs;
    do {
      const ssize_t got = ::recv(fd, data, size, MSG_DONTWAIT);
      if (got >= 0 || (errno != EAGAIN && errno != EINTR)) return got;
    } while (MonotonicNanos() < end);
  }
  for (;;) {
    const ssize_t got = ::read(fd, data, size);
    if (got < 0 && errno == EINTR) continue;
    return got;
  }
}

bool ReadAll(int fd, char* data, size_t size, bool spins) {
  while (size > 0) {
    const ssize_t got = ReadSome(fd, data, size, spins);
    if (got <= 0) return false;
    data += got;
    size -= static_cast<size_t>(got);
  }
  return true;
}

bool SendOpening(int fd, const Opening& opening, int memory) {
  iovec data = {const_cast<Opening*>(&opening), sizeof(opening)};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
  msghdr message = {};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  if (opening.in_memory) {
    message.msg_control = control;
    message.msg_controllen = sizeof(control);
    cmsghdr* const header = CMSG_FIRSTHDR(&message);
    header->cmsg_len = CMSG_LEN(sizeof(int));
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    ::memcpy(CMSG_DATA(header), &memory, sizeof(memory));
  }
  return ::sendmsg(fd, &message, MSG_NOSIGNAL) == static_cast<ssize_t>(sizeof(opening));
}

bool ReceiveOpening(int fd, Opening& opening, UniqueFd& memory) {
  iovec data = {&opening, sizeof(opening)};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
  msghdr message = {};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof(control);
  if (::recvmsg(fd, &message, MSG_CMSG_CLOEXEC) != static_cast<ssize_t>(sizeof(opening))) return false;
  const cmsghdr* const header = CMSG_FIRSTHDR(&message);
  if (header != nullptr && header->cmsg_type == SCM_RIGHTS) {
    int received;
    ::memcpy(&received, CMSG_DATA(header), sizeof(received));
    memory = UniqueFd(received);
  }
  return memory.valid() == opening.in_memory;
}

absl::StatusOr<sockaddr_un> SocketAddress(const std::string& path) {
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof(address.sun_path)) {
    return absl::InvalidArgumentError(absl::StrCat("floor: the path is too long for a socket: ", path));
  }
  ::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  return address;
}

void EchoBytes(int fd, const FloorMemory::Shape& shape) {
  std::vector<char> buffer(shape.length != 0 ? shape.length : 65536);
  if (shape.length != 0) {
    while (ReadAll(fd, buffer.data(), buffer.size(), shape.spins) && WriteAll(fd, buffer.data(), buffer.size())) {
    }
    return;
  }
  for (;;) {
    const ssize_t got = ReadSome(fd, buffer.data(), buffer.size(), shape.spins);
    if (got <= 0 || !WriteAll(fd, buffer.data(), static_cast<size_t>(got))) return;
  }
}

void EchoUntilTheEnd(int fd, const std::atomic<bool>& stop) {
  Opening opening;
  UniqueFd file;
  if (!ReceiveOpening(fd, opening, file)) return;
  if (!opening.in_memory) return EchoBytes(fd, opening.shape);
  absl::StatusOr<FloorMemory> memory = FloorMemory::Map(std::move(file), opening.shape);
  // A client that hears nothing would wait: it is told that the memory can be used, or sees the end.
  if (!memory.ok() || !WriteAll(fd, "y", 1)) {
    ::shutdown(fd, SHUT_RDWR);
    return;
  }
  memory->EchoUntilTheEnd(stop);
}

// A thread per connection: the plainest blocking server.
class FloorServer final : public EchoServer {
 public:
  FloorServer(std::string path, UniqueFd listener)
      : path_(std::move(path)), listener_(std::move(listener)), acceptor_([this] { AcceptAll(); }) {}
  ~FloorServer() override {
    stop_.store(true);
    ::unlink(path_.c_str());
    ::shutdown(listener_.get(), SHUT_RDWR);
    acceptor_.join();
    for (const UniqueFd& connection : connections_) ::shutdown(connection.get(), SHUT_RDWR);
    for (std::thread& thread : threads_) thread.join();
  }

 private:
  void AcceptAll() {
    for (;;) {
      UniqueFd connection(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
      if (!connection.valid()) return;
      threads_.emplace_back(EchoUntilTheEnd, connection.get(), std::cref(stop_));
      connections_.push_back(std::move(connection));
    }
  }

  const std::string path_;
  const UniqueFd listener_;
  std::atomic<bool> stop_{false};
  std::vector<UniqueFd> connections_;
  std::vector<std::thread> threads_;
  std::thread acceptor_;  // last: it uses the others
};

class SocketFloorLink final : public EchoLink {
 public:
  SocketFloorLink(std::string path, UniqueFd socket, size_t length, size_t outstanding, bool spins)
      : path_(std::move(path)), socket_(std::move(socket)), length_(length), outstanding_(outstanding), spins_(spins) {
    out_.assign(length_ * outstanding_, 'x');
    in_.resize(out_.size());
  }

  absl::Status Echo() override {
    if (!WriteAll(socket_.get(), out_.data(), length_) || !ReadAll(socket_.get(), in_.data(), length_, spins_)) {
      return Broken();
    }
    return absl::OkStatus();
  }

  absl::Status Flood(int64_t end, Latencies& latencies) override {
    std::vector<int64_t> begun(outstanding_);  // a ring, as replies come in order
    size_t sent = 0, answered = 0, bytes_back = 0;
    for (int64_t now = MonotonicNanos(); now < end || answered < sent; now = MonotonicNanos()) {
      if (const size_t room = now < end ? outstanding_ - (sent - answered) : 0; room > 0) {
        for (size_t i = 0; i < room; ++i) begun[(sent + i) % outstanding_] = now;
        if (!WriteAll(socket_.get(), out_.data(), room * length_)) return Broken();
        sent += room;
      }
      const ssize_t got = ReadSome(socket_.get(), in_.data(), in_.size(), spins_);
      if (got <= 0) return Broken();
      bytes_back += static_cast<size_t>(got);
      const int64_t back = MonotonicNanos();
      for (; answered < bytes_back / length_; ++answered) latencies.Add(back - begun[answered % outstanding_]);
    }
    return absl::OkStatus();
  }

 private:
  absl::Status Broken() const { return ErrnoError("the connection broke", path_); }

  const std::string path_;
  const UniqueFd socket_;
  const size_t length_;
  const size_t outstanding_;
  const bool spins_;
  std::vector<char> out_;
  std::vector<char> in_;
};

class MemoryFloorLink final : public EchoLink {
 public:
  MemoryFloorLink(std::string path, UniqueFd socket, FloorMemory memory, size_t length, uint32_t outstanding)
      : path_(std::move(path)), socket_(std::move(socket)), memory_(std::move(memory)), outstanding_(outstanding) {
    out_.assign(length, 'x');
    in_.resize(length);
  }
  ~MemoryFloorLink() override { memory_.End(); }

  absl::Status Echo() override {
    memory_.PutRequest(sent_, out_.data());
    memory_.PublishRequests(++sent_);
    while (memory_.AwaitReplies(answered_) == answered_) {
      if (ServerIsGone()) return ErrnoError("the server is gone", path_);
    }
    memory_.TakeReply(answered_++, in_.data());
    return absl::OkStatus();
  }

  absl::Status Flood(int64_t end, Latencies& latencies) override {
    std::vector<int64_t> begun(outstanding_);  // a ring, as replies come in order
    for (int64_t now = MonotonicNanos(); now < end || answered_ != sent_; now = MonotonicNanos()) {
      if (const uint32_t room = now < end ? outstanding_ - (sent_ - answered_) : 0; room > 0) {
        for (uint32_t i = 0; i < room; ++i, ++sent_) {
          begun[sent_ % outstanding_] = now;
          memory_.PutRequest(sent_, out_.data());
        }
        memory_.PublishRequests(sent_);
      }
      const uint32_t come = memory_.AwaitReplies(answered_);
      if (come == answered_ && ServerIsGone()) return ErrnoError("the server is gone", path_);
      const int64_t back = MonotonicNanos();
      for (; answered_ != come; ++answered_) {
        memory_.TakeReply(answered_, in_.data());
        latencies.Add(back - begun[answered_ % outstanding_]);
      }
    }
    return absl::OkStatus();
  }

 private:
  bool ServerIsGone() const {
    char byte;
    return ::recv(socket_.get(), &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0;
  }

  const std::string path_;
  const UniqueFd socket_;
  FloorMemory memory_;
  const uint32_t outstanding_;
  uint32_t sent_ = 0;
  uint32_t answered_ = 0;
  std::vector<char> out_;
  std::vector<char> in_;
};

absl::StatusOr<UniqueFd> ConnectTo(const std::string& path) {
  absl::StatusOr<sockaddr_un> address = SocketAddress(path);
  if (!address.ok()) return address.status();
  UniqueFd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!socket.valid()) return ErrnoError("socket", path);
  if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&*address), sizeof(*address)) != 0) {
    return ErrnoError("connect", path);
  }
  return socket;
}

absl::StatusOr<std::unique_ptr<EchoLink>> OpenMemory(const std::string& path, UniqueFd socket,
                                                     const FloorMemory::Shape& shape) {
  absl::StatusOr<FloorMemory> memory = FloorMemory::Make(shape);
  if (!memory.ok()) return memory.status();
  if (!SendOpening(socket.get(), {true, shape}, memory->fd())) return ErrnoError("sendmsg", path);
  char answer;
  if (!ReadAll(socket.get(), &answer, 1, false)) return ErrnoError("the server cannot map the memory", path);
  return std::make_unique<MemoryFloorLink>(path, std::move(socket), *std::move(memory), shape.length, shape.slots);
}

}  // namespace

absl::StatusOr<std::unique_ptr<EchoServer>> ServeFloor(const std::string& path) {
  absl::StatusOr<sockaddr_un> address = SocketAddress(path);
  if (!address.ok()) return address.status();
  UniqueFd listener(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!listener.valid()) return ErrnoError("socket", path);
  if (::bind(listener.get(), reinterpret_cast<const sockaddr*>(&*address), sizeof(*address)) != 0) {
    return ErrnoError("bind", path);
  }
  if (::listen(listener.get(), 8) != 0) return ErrnoError("listen", path);
  return std::make_unique<FloorServer>(path, std::move(listener));
}

absl::StatusOr<std::unique_ptr<EchoLink>> OpenFloor(const PeerKind& kind, const std::string& path, size_t payload,
                                                    int outstanding) {
  absl::StatusOr<UniqueFd> socket = ConnectTo(path);
  if (!socket.ok()) return socket.status();
  const size_t length = EchoSize(payload);
  const bool spins = absl::EndsWith(kind.transport, kSpinSuffix);
  if (absl::StartsWith(kind.transport, "shm")) {
    return OpenMemory(path, *std::move(socket), {length, static_cast<uint32_t>(outstanding), spins});
  }
  if (!SendOpening(socket->get(), {false, {outstanding == 1 ? length : 0, 0, spins}}, -1)) {
    return ErrnoError("sendmsg", path);
  }
  return std::make_unique<SocketFloorLink>(path, *std::move(socket), length, static_cast<size_t>(outstanding), spins);
}

}  // namespace nearcall::bench
