// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
#include "nearcall/tests/bench/floors.h"

#include <errno.h>
#include <fcntl.h>
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
#include "nearcall/tests/bench/floor_wire.h"
#include "nearcall/tests/bench/memory_floor.h"
#include "nearcall/transports/api/clock.h"
#include "nearcall/transports/api/unique_fd.h"

namespace nearcall::bench {
namespace {

// How a client wants its bytes carried.
enum class Carrier : uint32_t { kSocket, kMemory, kWire };  // kSocket: the one on which it says so

// What a client says first, with the descriptors of a memory or a wire.
struct Opening {
  Carrier carrier = Carrier::kSocket;
  WireKind wire = WireKind::kSocket;
  FloorMemory::Shape shape;  // of a wire: no slots; length 0: echo whatever comes, as it comes
};
constexpr size_t kMostDescriptors = 3;

absl::Status ErrnoError(absl::string_view what, const std::string& path) {
  return absl::UnavailableError(absl::StrCat("floor ", path, ": ", what, ": ", ::strerror(errno)));
}

bool SendOpening(int fd, const Opening& opening, const std::vector<int>& descriptors) {
  iovec data = {const_cast<Opening*>(&opening), sizeof(opening)};
  alignas(cmsghdr) char control[CMSG_SPACE(kMostDescriptors * sizeof(int))] = {};
  const size_t size = descriptors.size() * sizeof(int);
  msghdr message = {};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  if (!descriptors.empty()) {
    message.msg_control = control;
    message.msg_controllen = CMSG_SPACE(size);
    cmsghdr* const header = CMSG_FIRSTHDR(&message);
    header->cmsg_len = CMSG_LEN(size);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    ::memcpy(CMSG_DATA(header), descriptors.data(), size);
  }
  return ::sendmsg(fd, &message, MSG_NOSIGNAL) == static_cast<ssize_t>(sizeof(opening));
}

bool ReceiveOpening(int fd, Opening& opening, std::vector<UniqueFd>& descriptors) {
  iovec data = {&opening, sizeof(opening)};
  alignas(cmsghdr) char control[CMSG_SPACE(kMostDescriptors * sizeof(int))] = {};
  msghdr message = {};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof(control);
  if (::recvmsg(fd, &message, MSG_CMSG_CLOEXEC) != static_cast<ssize_t>(sizeof(opening))) return false;
  const cmsghdr* const header = CMSG_FIRSTHDR(&message);
  if (header != nullptr && header->cmsg_type == SCM_RIGHTS) {
    for (size_t at = 0; at + CMSG_LEN(sizeof(int)) <= header->cmsg_len; at += sizeof(int)) {
      int received;
      ::memcpy(&received, CMSG_DATA(header) + at, sizeof(received));
      descriptors.emplace_back(received);
    }
  }
  switch (opening.carrier) {
    case Carrier::kSocket:
      return descriptors.empty();
    case Carrier::kMemory:
      return descriptors.size() == 1;
    case Carrier::kWire:
      return FloorWire::Has(opening.wire, descriptors.size());
  }
  return false;
}

std::vector<UniqueFd> List(UniqueFd fd) {
  std::vector<UniqueFd> list;
  list.push_back(std::move(fd));
  return list;
}

// The stream socket itself as a wire, with a descriptor of its own.
FloorWire SocketWire(int socket, bool spins) {
  return FloorWire(WireKind::kSocket, List(UniqueFd(::fcntl(socket, F_DUPFD_CLOEXEC, 0))), spins);
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

void EchoBytes(FloorWire wire, const FloorMemory::Shape& shape) {
  constexpr size_t kWhateverComes = 65536;
  std::vector<char> buffer(FloorWire::RoomFor(shape.length != 0 ? shape.length : kWhateverComes));
  if (shape.length != 0) {
    while (wire.ReadAll(buffer.data(), shape.length) && wire.WriteAll(buffer.data(), shape.length)) {
    }
    return;
  }
  for (;;) {
    const ssize_t got = wire.ReadSome(buffer.data(), buffer.size());
    if (got <= 0 || !wire.WriteAll(buffer.data(), static_cast<size_t>(got))) return;
  }
}

void EchoUntilTheEnd(int fd, const std::atomic<bool>& stop) {
  Opening opening;
  std::vector<UniqueFd> received;
  if (!ReceiveOpening(fd, opening, received)) {
    ::shutdown(fd, SHUT_RDWR);
    return;
  }
  if (opening.carrier == Carrier::kSocket) return EchoBytes(SocketWire(fd, opening.shape.spins), opening.shape);
  if (opening.carrier == Carrier::kWire) {
    return EchoBytes(FloorWire(opening.wire, std::move(received), opening.shape.spins), opening.shape);
  }
  absl::StatusOr<FloorMemory> memory = FloorMemory::Map(std::move(received.front()), opening.shape);
  // A client that hears nothing would wait: it is told that the memory can be used, or sees the end.
  if (!memory.ok() || ::send(fd, "y", 1, MSG_NOSIGNAL) != 1) {
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
  std::string address() const override { return path_; }

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

class WireFloorLink final : public EchoLink {
 public:
  WireFloorLink(std::string path, UniqueFd socket, FloorWire wire, size_t length, size_t outstanding)
      : path_(std::move(path)),
        socket_(std::move(socket)),
        wire_(std::move(wire)),
        length_(length),
        outstanding_(outstanding) {
    out_.assign(length_ * outstanding_, 'x');
    in_.resize(FloorWire::RoomFor(out_.size()));
  }
  ~WireFloorLink() override { wire_.End(); }

  absl::Status Echo() override {
    if (!wire_.WriteAll(out_.data(), length_) || !wire_.ReadAll(in_.data(), length_)) return Broken();
    return absl::OkStatus();
  }

  absl::Status Flood(int64_t end, Latencies& latencies) override {
    std::vector<int64_t> begun(outstanding_);  // a ring, as replies come in order
    size_t sent = 0, answered = 0, bytes_back = 0;
    for (int64_t now = MonotonicNanos(); now < end || answered < sent; now = MonotonicNanos()) {
      if (const size_t room = now < end ? outstanding_ - (sent - answered) : 0; room > 0) {
        for (size_t i = 0; i < room; ++i) begun[(sent + i) % outstanding_] = now;
        if (!wire_.WriteAll(out_.data(), room * length_)) return Broken();
        sent += room;
      }
      const ssize_t got = wire_.ReadSome(in_.data(), in_.size());
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
  const UniqueFd socket_;  // on which it was opened
  FloorWire wire_;
  const size_t length_;
  const size_t outstanding_;
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
  if (!SendOpening(socket.get(), {Carrier::kMemory, WireKind::kSocket, shape}, {memory->fd()})) {
    return ErrnoError("sendmsg", path);
  }
  char answer;
  if (::recv(socket.get(), &answer, 1, 0) != 1) return ErrnoError("the server cannot map the memory", path);
  return std::make_unique<MemoryFloorLink>(path, std::move(socket), *std::move(memory), shape.length, shape.slots);
}

absl::StatusOr<std::unique_ptr<EchoLink>> OpenWire(const std::string& transport, const std::string& path,
                                                   UniqueFd socket, size_t length, size_t outstanding) {
  // The links of a client are opened one after the other.
  absl::StatusOr<WirePair> pair = MakeWire(transport, absl::StrCat(path, ".", ::getpid()));
  if (!pair.ok())
    return absl::Status(pair.status().code(), absl::StrCat("floor ", path, ": ", pair.status().message()));
  std::vector<int> descriptors;
  for (const UniqueFd& fd : pair->server) descriptors.push_back(fd.get());
  const size_t whole = outstanding == 1 ? length : 0;
  if (!SendOpening(socket.get(), {Carrier::kWire, pair->kind, {whole, 0, false}}, descriptors)) {
    return ErrnoError("sendmsg", path);
  }
  return std::make_unique<WireFloorLink>(path, std::move(socket), std::move(pair->client), length, outstanding);
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
  const auto calls = static_cast<size_t>(outstanding);
  if (!absl::StartsWith(kind.transport, "unix")) {
    return OpenWire(kind.transport, path, *std::move(socket), length, calls);
  }
  const Opening opening = {Carrier::kSocket, WireKind::kSocket, {outstanding == 1 ? length : 0, 0, spins}};
  if (!SendOpening(socket->get(), opening, {})) return ErrnoError("sendmsg", path);
  FloorWire wire = SocketWire(socket->get(), spins);
  return std::make_unique<WireFloorLink>(path, *std::move(socket), std::move(wire), length, calls);
}

}  // namespace nearcall::bench
