// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
#include "nearcall/tests/bench/floor_wire.h"

#include <errno.h>
#include <fcntl.h>
#include <mqueue.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <array>

#include "absl/strings/str_cat.h"
#include "nearcall/tests/bench/memory_floor.h"
#include "nearcall/transports/api/clock.h"
#include "nearcall/transports/message_queue/queue.h"

namespace nearcall::bench {
namespace {

using internal::kQueueMessage;

absl::Status ErrnoError(absl::string_view what) {
  return absl::UnavailableError(absl::StrCat(what, ": ", ::strerror(errno)));
}

// One way: what is read from, what is written to.
struct OneWay {
  UniqueFd in;
  UniqueFd out;
};

absl::StatusOr<OneWay> MakePipe() {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return ErrnoError("pipe2");
  return OneWay{UniqueFd(ends[0]), UniqueFd(ends[1])};
}

absl::StatusOr<OneWay> MakeFifo(const std::string& path) {
  if (::mkfifo(path.c_str(), 0600) != 0) return ErrnoError(absl::StrCat("mkfifo ", path));
  OneWay way;
  way.in = UniqueFd(::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));  // does not wait for a writer
  way.out = UniqueFd(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
  const bool made = way.in.valid() && way.out.valid() && ::fcntl(way.in.get(), F_SETFL, 0) == 0;
  const absl::Status status = made ? absl::OkStatus() : ErrnoError(absl::StrCat("open ", path));
  ::unlink(path.c_str());
  if (!status.ok()) return status;
  return way;
}

template <class... Fds>
std::vector<UniqueFd> List(Fds... fds) {
  std::vector<UniqueFd> list;
  (list.push_back(std::move(fds)), ...);
  return list;
}

absl::StatusOr<UniqueFd> Again(const UniqueFd& fd) {
  UniqueFd again(::fcntl(fd.get(), F_DUPFD_CLOEXEC, 0));
  if (!again.valid()) return ErrnoError("fcntl F_DUPFD_CLOEXEC");
  return again;
}

absl::StatusOr<WirePair> PairOf(absl::StatusOr<OneWay> up, absl::StatusOr<OneWay> down) {
  if (!up.ok()) return up.status();
  if (!down.ok()) return down.status();
  absl::StatusOr<UniqueFd> up_in = Again(up->in), down_in = Again(down->in);
  if (!up_in.ok()) return up_in.status();
  if (!down_in.ok()) return down_in.status();
  return WirePair{WireKind::kPipes,
                  FloorWire(WireKind::kPipes, List(std::move(down->in), std::move(up->out), *std::move(up_in)), false),
                  List(std::move(up->in), std::move(down->out), *std::move(down_in))};
}

absl::StatusOr<WirePair> MakeQueues() {
  absl::StatusOr<UniqueFd> up = internal::MakeQueue(internal::kDefaultMessages);
  if (!up.ok()) return up.status();
  absl::StatusOr<UniqueFd> down = internal::MakeQueue(internal::kDefaultMessages);
  if (!down.ok()) return down.status();
  absl::StatusOr<UniqueFd> up_again = Again(*up), down_again = Again(*down);
  if (!up_again.ok()) return up_again.status();
  if (!down_again.ok()) return down_again.status();
  return WirePair{WireKind::kQueues, FloorWire(WireKind::kQueues, List(*std::move(down), *std::move(up)), false),
                  List(*std::move(up_again), *std::move(down_again))};
}

absl::StatusOr<WirePair> MakeTcp() {
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  auto* const name = reinterpret_cast<sockaddr*>(&address);
  const UniqueFd listener(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  UniqueFd client(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!listener.valid() || !client.valid()) return ErrnoError("socket");
  if (::bind(listener.get(), name, size) != 0 || ::listen(listener.get(), 1) != 0 ||
      ::getsockname(listener.get(), name, &size) != 0 || ::connect(client.get(), name, size) != 0) {
    return ErrnoError("connecting over 127.0.0.1");
  }
  UniqueFd server(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
  if (!server.valid()) return ErrnoError("accept4");
  const int on = 1;
  for (const UniqueFd* socket : {&client, &server}) {
    if (::setsockopt(socket->get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) != 0) return ErrnoError("TCP_NODELAY");
  }
  return WirePair{WireKind::kSocket, FloorWire(WireKind::kSocket, List(std::move(client)), false),
                  List(std::move(server))};
}

}  // namespace

bool FloorWire::Has(WireKind kind, size_t descriptors) {
  constexpr std::array<size_t, 3> counts = {1, 3, 2};
  const auto index = static_cast<size_t>(kind);
  return index < counts.size() && counts[index] == descriptors;
}

size_t FloorWire::RoomFor(size_t length) { return (length + kQueueMessage - 1) / kQueueMessage * kQueueMessage; }

ssize_t FloorWire::Write(const char* data, size_t size) {
  if (kind_ == WireKind::kSocket) return ::send(out(), data, size, MSG_NOSIGNAL);
  if (kind_ == WireKind::kPipes) return ::write(out(), data, size);
  const size_t piece = std::min(size, kQueueMessage);
  return ::mq_send(out(), data, piece, 0) == 0 ? static_cast<ssize_t>(piece) : -1;
}

bool FloorWire::WriteAll(const char* data, size_t size) {
  while (size > 0) {
    const ssize_t put = Write(data, size);
    if (put < 0 && errno == EINTR) continue;
    if (put <= 0) return false;
    data += put;
    size -= static_cast<size_t>(put);
  }
  return true;
}

ssize_t FloorWire::Read(char* data, size_t size) {
  if (kind_ != WireKind::kQueues) return ::read(in(), data, size);
  return ::mq_receive(in(), data, std::max(size, kQueueMessage), nullptr);
}

ssize_t FloorWire::ReadSome(char* data, size_t size) {
  if (spins_) {
    const int64_t end = MonotonicNanos() + kFloorSpinNs;
    do {
      const ssize_t got = ::recv(in(), data, size, MSG_DONTWAIT);
      if (got >= 0 || (errno != EAGAIN && errno != EINTR)) return got;
    } while (MonotonicNanos() < end);
  }
  for (;;) {
    const ssize_t got = Read(data, size);
    if (got < 0 && errno == EINTR) continue;
    return got;
  }
}

bool FloorWire::ReadAll(char* data, size_t size) {
  while (size > 0) {
    const ssize_t got = ReadSome(data, size);
    if (got <= 0 || static_cast<size_t>(got) > size) return false;
    data += got;
    size -= static_cast<size_t>(got);
  }
  return true;
}

// An empty message. A full queue has a reader that is awake, or none.
void FloorWire::End() {
  if (kind_ != WireKind::kQueues) return;
  const timespec now = {0, 0};
  ::mq_timedsend(out(), "", 0, 0, &now);
}

absl::StatusOr<WirePair> MakeWire(const std::string& transport, const std::string& path) {
  if (transport == "tcp") return MakeTcp();
  if (transport == "pipe") return PairOf(MakePipe(), MakePipe());
  if (transport == "fifo") return PairOf(MakeFifo(absl::StrCat(path, ".up")), MakeFifo(absl::StrCat(path, ".down")));
  if (transport == "mq") return MakeQueues();
  return absl::InvalidArgumentError(absl::StrCat("there is no floor '", transport, "'"));
}

}  // namespace nearcall::bench
