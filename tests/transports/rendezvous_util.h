// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// Raw peers for tests of the rendezvous: sockets that say whatever a test wants, and short ways to send one frame.
//
//   UniqueFd peer = RawConnect(path);
//   RawSend(peer.get(), "GET / HTTP/1.1\r\n\r\n");
//
// Thread safety: none needed. Lifetime: descriptors are the caller's. Errors: expectations of the caller.
#ifndef NEARCALL_TESTS_TRANSPORTS_RENDEZVOUS_UTIL_H_
#define NEARCALL_TESTS_TRANSPORTS_RENDEZVOUS_UTIL_H_

#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <memory>
#include <string>
#include <vector>

#include "nearcall/tests/transports/process_util.h"
#include "nearcall/transports/api/clock.h"
#include "nearcall/transports/api/endpoint.h"
#include "nearcall/transports/rendezvous/greeting.h"
#include "nearcall/transports/rendezvous/safe_bind.h"
#include "nearcall/transports/unix_socket/unix_socket.h"

namespace nearcall::test {

inline UniqueFd RawConnect(const std::string& path) {
  UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  const sockaddr_un address = internal::SocketAddress(path);
  if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) fd.Reset();
  return fd;
}

inline UniqueFd RawListen(const std::string& path, int backlog = 16) {
  UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const sockaddr_un address = internal::SocketAddress(path);
  if (::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0 ||
      ::listen(fd.get(), backlog) != 0) {
    fd.Reset();
  }
  return fd;
}

// `credentials`: nullptr leaves them to the kernel.
inline bool RawSend(int fd, const std::string& bytes, const std::vector<int>& fds = {},
                    const ucred* credentials = nullptr) {
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(ucred)) + CMSG_SPACE(sizeof(int) * 64)] = {};
  iovec part = {const_cast<char*>(bytes.data()), bytes.size()};
  msghdr message = {};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof(control);
  cmsghdr* header = CMSG_FIRSTHDR(&message);
  size_t length = 0;
  if (credentials != nullptr) {
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_CREDENTIALS;
    header->cmsg_len = CMSG_LEN(sizeof(ucred));
    ::memcpy(CMSG_DATA(header), credentials, sizeof(ucred));
    length += CMSG_SPACE(sizeof(ucred));
    header = CMSG_NXTHDR(&message, header);
  }
  if (!fds.empty()) {
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int) * fds.size());
    ::memcpy(CMSG_DATA(header), fds.data(), sizeof(int) * fds.size());
    length += CMSG_SPACE(sizeof(int) * fds.size());
  }
  message.msg_controllen = length;
  if (length == 0) message.msg_control = nullptr;
  return ::sendmsg(fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT) == static_cast<ssize_t>(bytes.size());
}

// What comes until the end of the stream, a reset or `limit_ms` without anything. *ended: the stream ended.
inline std::string RawReceive(int fd, bool* ended, int limit_ms = 10'000) {
  std::string all;
  *ended = false;
  for (;;) {
    pollfd entry = {fd, POLLIN, 0};
    if (::poll(&entry, 1, limit_ms) <= 0) return all;
    char buffer[4096];
    const ssize_t n = ::recv(fd, buffer, sizeof(buffer), MSG_DONTWAIT);
    if (n <= 0) {
      *ended = true;
      return all;
    }
    all.append(buffer, static_cast<size_t>(n));
  }
}

inline internal::Greeting ClientGreeting() {
  internal::Greeting greeting;
  greeting.kind = internal::GreetingKind::kClient;
  greeting.media = internal::kMediumSocket;
  greeting.medium = internal::kMediumSocket;
  greeting.max_frame = 65536;
  return greeting;
}

inline std::string Encoded(const internal::Greeting& greeting) {
  const auto bytes = internal::EncodeGreeting(greeting);
  return std::string(bytes.data(), bytes.size());
}

// The next endpoint; null after `limit_ms`.
inline std::unique_ptr<Endpoint> AcceptWithin(Listener& listener, int limit_ms = 10'000) {
  const int64_t end = MonotonicNanos() + int64_t{limit_ms} * 1'000'000;
  for (;;) {
    absl::StatusOr<std::unique_ptr<Endpoint>> endpoint = listener.Accept();
    if (endpoint.ok() && *endpoint != nullptr) return *std::move(endpoint);
    const int64_t left = (end - MonotonicNanos()) / 1'000'000;
    if (left <= 0) return nullptr;
    pollfd entry = {listener.fd(), POLLIN, 0};
    ::poll(&entry, 1, static_cast<int>(left));
  }
}

inline Io SendFrame(Endpoint& endpoint, const std::string& bytes, int limit_ms = 10'000) {
  const int64_t deadline = MonotonicNanos() + int64_t{limit_ms} * 1'000'000;
  absl::Span<char> space;
  Io io;
  while ((io = endpoint.Reserve(bytes.size(), &space)) == Io::kWouldBlock) {
    if (endpoint.Wait(Side::kSend, deadline) != Io::kOk && MonotonicNanos() >= deadline) return Io::kWouldBlock;
  }
  if (io != Io::kOk) return io;
  ::memcpy(space.data(), bytes.data(), bytes.size());
  if ((io = endpoint.Commit(bytes.size(), {})) != Io::kOk) return io;
  while ((io = endpoint.Flush()) == Io::kWouldBlock) {
    if (endpoint.Wait(Side::kSend, deadline) != Io::kOk && MonotonicNanos() >= deadline) return Io::kWouldBlock;
  }
  return io;
}

// The next frame's bytes; "(closed)" with the reason, or "(timeout)".
inline std::string ReceiveFrame(Endpoint& endpoint, int limit_ms = 10'000) {
  const int64_t deadline = MonotonicNanos() + int64_t{limit_ms} * 1'000'000;
  for (;;) {
    Frame frame;
    const Io io = endpoint.Borrow(&frame);
    if (io == Io::kOk) {
      std::string bytes(frame.bytes.data(), frame.bytes.size());
      endpoint.Release();
      return bytes;
    }
    if (io == Io::kClosed) return "(closed) " + endpoint.status().ToString();
    endpoint.Wait(Side::kReceive, deadline);
    if (MonotonicNanos() >= deadline) return "(timeout)";
  }
}

// A server process's life: accepts and echoes whatever comes until it is killed. One connection at a time in turn.
inline void EchoForever(Listener& listener) {
  std::vector<std::unique_ptr<Endpoint>> endpoints;
  for (;;) {
    std::vector<pollfd> fds = {{listener.fd(), POLLIN, 0}};
    for (const auto& endpoint : endpoints) {
      for (const pollfd& fd : endpoint->PollFds(Side::kReceive)) {
        if (fd.fd >= 0) fds.push_back(fd);
      }
    }
    ::poll(fds.data(), fds.size(), 1000);
    if (absl::StatusOr<std::unique_ptr<Endpoint>> made = listener.Accept(); made.ok() && *made != nullptr) {
      endpoints.push_back(*std::move(made));
    }
    for (auto& endpoint : endpoints) {
      Frame frame;
      while (endpoint->Borrow(&frame) == Io::kOk) {
        const std::string bytes(frame.bytes.data(), frame.bytes.size());
        endpoint->Release();
        SendFrame(*endpoint, bytes);
      }
    }
    std::erase_if(endpoints, [](const auto& endpoint) { return !endpoint->status().ok(); });
  }
}

}  // namespace nearcall::test

#endif  // NEARCALL_TESTS_TRANSPORTS_RENDEZVOUS_UTIL_H_
