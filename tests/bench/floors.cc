// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
#include "nearcall/tests/bench/floors.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "nearcall/tests/bench/echo_work.h"
#include "nearcall/transports/api/clock.h"
#include "nearcall/transports/api/unique_fd.h"

namespace nearcall::bench {
namespace {

// What a client says first. `length` 0: echo whatever comes, as it comes.
struct Opening {
  uint64_t length;
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

ssize_t ReadSome(int fd, char* data, size_t size) {
  for (;;) {
    const ssize_t got = ::read(fd, data, size);
    if (got < 0 && errno == EINTR) continue;
    return got;
  }
}

bool ReadAll(int fd, char* data, size_t size) {
  while (size > 0) {
    const ssize_t got = ReadSome(fd, data, size);
    if (got <= 0) return false;
    data += got;
    size -= static_cast<size_t>(got);
  }
  return true;
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

void EchoUntilTheEnd(int fd) {
  Opening opening;
  if (!ReadAll(fd, reinterpret_cast<char*>(&opening), sizeof(opening))) return;
  std::vector<char> buffer(opening.length != 0 ? opening.length : 65536);
  if (opening.length != 0) {
    while (ReadAll(fd, buffer.data(), buffer.size()) && WriteAll(fd, buffer.data(), buffer.size())) {
    }
    return;
  }
  for (;;) {
    const ssize_t got = ReadSome(fd, buffer.data(), buffer.size());
    if (got <= 0 || !WriteAll(fd, buffer.data(), static_cast<size_t>(got))) return;
  }
}

// A thread per connection: the plainest blocking server.
class FloorServer final : public EchoServer {
 public:
  FloorServer(std::string path, UniqueFd listener)
      : path_(std::move(path)), listener_(std::move(listener)), acceptor_([this] { AcceptAll(); }) {}
  ~FloorServer() override {
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
      threads_.emplace_back(EchoUntilTheEnd, connection.get());
      connections_.push_back(std::move(connection));
    }
  }

  const std::string path_;
  const UniqueFd listener_;
  std::vector<UniqueFd> connections_;
  std::vector<std::thread> threads_;
  std::thread acceptor_;  // last: it uses the others
};

class FloorLink final : public EchoLink {
 public:
  FloorLink(std::string path, UniqueFd socket, size_t payload, size_t outstanding)
      : path_(std::move(path)), socket_(std::move(socket)), length_(EchoSize(payload)), outstanding_(outstanding) {
    out_.assign(length_ * outstanding_, 'x');
    in_.resize(out_.size());
  }

  absl::Status Echo() override {
    if (!WriteAll(socket_.get(), out_.data(), length_) || !ReadAll(socket_.get(), in_.data(), length_)) return Broken();
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
      const ssize_t got = ReadSome(socket_.get(), in_.data(), in_.size());
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
  std::vector<char> out_;
  std::vector<char> in_;
};

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

absl::StatusOr<std::unique_ptr<EchoLink>> OpenFloor(const std::string& path, size_t payload, int outstanding) {
  absl::StatusOr<sockaddr_un> address = SocketAddress(path);
  if (!address.ok()) return address.status();
  UniqueFd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!socket.valid()) return ErrnoError("socket", path);
  if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&*address), sizeof(*address)) != 0) {
    return ErrnoError("connect", path);
  }
  const Opening opening = {outstanding == 1 ? EchoSize(payload) : 0};
  if (!WriteAll(socket.get(), reinterpret_cast<const char*>(&opening), sizeof(opening)))
    return ErrnoError("write", path);
  return std::make_unique<FloorLink>(path, std::move(socket), payload, static_cast<size_t>(outstanding));
}

}  // namespace nearcall::bench
