// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// `handed:/path`: the transports pipe: and exec: for tests that want a listener. Each Connect() makes a connection of
// the real transport and hands the server's two descriptors to the listener, over a socket at the path.
//
//   std::unique_ptr<Transport> transport = NewHandedPipes();          // pipe: at both ends
//   std::unique_ptr<Transport> transport = NewHandedExec(program);    // exec:PROGRAM PATH, which hands over what it
//   got
//
// Thread-safe. Not for production: nobody is refused.
#ifndef NEARCALL_TESTS_TRANSPORTS_HANDED_PIPES_H_
#define NEARCALL_TESTS_TRANSPORTS_HANDED_PIPES_H_

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "nearcall/transports/api/closed_endpoint.h"
#include "nearcall/transports/api/errno_status.h"
#include "nearcall/transports/pipe/pipe.h"

namespace nearcall {

inline sockaddr_un HandedName(const std::string& path) {
  sockaddr_un name = {};
  name.sun_family = AF_UNIX;
  std::memcpy(name.sun_path, path.c_str(), std::min(path.size(), sizeof(name.sun_path) - 1));
  return name;
}

// The two descriptors, to whoever listens at `path`; false and errno.
inline bool HandOver(const std::string& path, int read, int write) {
  UniqueFd socket(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
  const sockaddr_un name = HandedName(path);
  if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&name), sizeof(name)) != 0) return false;
  const int fds[2] = {read, write};
  char byte = 'p';
  iovec part = {&byte, 1};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(fds))] = {};
  msghdr message = {};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof(control);
  cmsghdr* const header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(sizeof(fds));
  std::memcpy(CMSG_DATA(header), fds, sizeof(fds));
  return ::sendmsg(socket.get(), &message, MSG_NOSIGNAL) == 1;
}

class HandedListener final : public Listener {
 public:
  HandedListener(Address address, UniqueFd socket) : address_(std::move(address)), socket_(std::move(socket)) {}
  ~HandedListener() override { ::unlink(address_.rest.c_str()); }
  const Address& address() const override { return address_; }
  int fd() const override { return socket_.get(); }
  absl::StatusOr<std::unique_ptr<Endpoint>> Accept() override {
    int fds[2] = {-1, -1};
    char byte;
    iovec part = {&byte, 1};
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof(fds))] = {};
    msghdr message = {};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control;
    message.msg_controllen = sizeof(control);
    UniqueFd client(::accept4(socket_.get(), nullptr, nullptr, SOCK_CLOEXEC));  // which sends at once
    if (!client.valid() || ::recvmsg(client.get(), &message, MSG_CMSG_CLOEXEC) != 1) return nullptr;
    const cmsghdr* const header = CMSG_FIRSTHDR(&message);
    if (header == nullptr) return absl::ResourceExhaustedError("no descriptors came");
    std::memcpy(fds, CMSG_DATA(header), sizeof(fds));
    auto pipe = PipeTransport().Listen(*ParseAddress(absl::StrCat("pipe:", fds[0], ",", fds[1])));
    if (!pipe.ok()) return pipe.status();
    return (*pipe)->Accept();
  }

 private:
  const Address address_;
  const UniqueFd socket_;
};

class HandedTransport : public Transport {
 public:
  absl::string_view scheme() const override { return "handed"; }
  absl::StatusOr<std::unique_ptr<Listener>> Listen(const Address& address) override {
    const sockaddr_un name = HandedName(address.rest);
    const auto* const at = reinterpret_cast<const sockaddr*>(&name);
    // A dead listener's socket answers as long as a forked child holds it: ask who listens.
    UniqueFd other(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
    ucred owner = {};
    socklen_t size = sizeof(owner);
    if (::connect(other.get(), at, sizeof(name)) != 0 ||
        ::getsockopt(other.get(), SOL_SOCKET, SO_PEERCRED, &owner, &size) != 0 || ::kill(owner.pid, 0) != 0) {
      ::unlink(address.rest.c_str());
    }
    UniqueFd socket(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (::bind(socket.get(), at, sizeof(name)) != 0 || ::listen(socket.get(), 512) != 0) {
      return internal::ErrnoStatus(errno, absl::StrCat(address.ToString(), ": cannot bind"));
    }
    return std::make_unique<HandedListener>(address, std::move(socket));
  }

 protected:
  static std::unique_ptr<Endpoint> Nobody(const Address& address) {
    return NewClosedEndpoint("pipe", absl::UnavailableError(absl::StrCat(
                                         address.ToString(), ": cannot hand over: ", internal::ErrnoText(errno))));
  }
};

class HandedPipes final : public HandedTransport {
 public:
  absl::StatusOr<std::unique_ptr<Endpoint>> Connect(const Address& address) override {
    int up[2], down[2];
    if (::pipe2(up, O_CLOEXEC) != 0) return internal::ErrnoStatus(errno, "pipe2");
    UniqueFd up_read(up[0]), up_write(up[1]);
    if (::pipe2(down, O_CLOEXEC) != 0) return internal::ErrnoStatus(errno, "pipe2");
    UniqueFd down_read(down[0]), down_write(down[1]);
    if (!HandOver(address.rest, up_read.get(), down_write.get())) return Nobody(address);
    return PipeTransport().Connect(*ParseAddress(absl::StrCat("pipe:", down_read.Release(), ",", up_write.Release())));
  }
};

class HandedExec final : public HandedTransport {
 public:
  explicit HandedExec(std::string program) : program_(std::move(program)) {}
  absl::StatusOr<std::unique_ptr<Endpoint>> Connect(const Address& address) override {
    if (::access(address.rest.c_str(), F_OK) != 0) return Nobody(address);
    return ExecTransport().Connect(*ParseAddress(absl::StrCat("exec:", program_, " ", address.rest)));
  }

 private:
  const std::string program_;
};

inline std::unique_ptr<Transport> NewHandedPipes() { return std::make_unique<HandedPipes>(); }
inline std::unique_ptr<Transport> NewHandedExec(std::string program) {
  return std::make_unique<HandedExec>(std::move(program));
}

}  // namespace nearcall

#endif  // NEARCALL_TESTS_TRANSPORTS_HANDED_PIPES_H_
