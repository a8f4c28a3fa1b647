// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// `trial:/path`: the least transport that ByteStreamEndpoint allows, a plain Unix socket without any handshake or safe
// bind. It tests the base alone, and shows how little a transport of one's own needs.
//
//   std::unique_ptr<Transport> transport = NewTrialTransport();
//
// Thread-safe. Not for production: nothing is locked, nobody is refused.
#ifndef NEARCALL_TESTS_TRANSPORTS_TRIAL_TRANSPORT_H_
#define NEARCALL_TESTS_TRANSPORTS_TRIAL_TRANSPORT_H_

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include <memory>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "nearcall/transports/api/closed_endpoint.h"
#include "nearcall/transports/byte_stream/byte_stream.h"

namespace nearcall {

class TrialListener final : public Listener {
 public:
  TrialListener(Address address, UniqueFd socket) : address_(std::move(address)), socket_(std::move(socket)) {}
  ~TrialListener() override { ::unlink(address_.rest.c_str()); }
  const Address& address() const override { return address_; }
  int fd() const override { return socket_.get(); }
  absl::StatusOr<std::unique_ptr<Endpoint>> Accept() override {
    UniqueFd socket(::accept4(socket_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    if (socket.valid()) return NewEndpoint(std::move(socket), address_.ToString());
    if (errno == EAGAIN || errno == EINTR || errno == ECONNABORTED) return nullptr;
    return absl::ResourceExhaustedError(absl::StrCat(address_.ToString(), ": accept: ", ::strerror(errno)));
  }

  static std::unique_ptr<Endpoint> NewEndpoint(UniqueFd socket, std::string name) {
    ByteStreamOptions options;
    options.info.transport = "trial";
    options.info.max_frame = 65536;
    ucred peer = {};
    socklen_t size = sizeof(peer);
    if (::getsockopt(socket.get(), SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0) {
      options.info.peer = Credentials{peer.uid, peer.gid, peer.pid};
      options.death.Reset(static_cast<int>(::syscall(SYS_pidfd_open, peer.pid, 0)));
      options.info.sees_death = options.death.valid();
    }
    options.name = std::move(name);
    return std::make_unique<ByteStreamEndpoint>(NewSocketIo(std::move(socket)), std::move(options));
  }

 private:
  const Address address_;
  const UniqueFd socket_;
};

class TrialTransport final : public Transport {
 public:
  absl::string_view scheme() const override { return "trial"; }

  absl::StatusOr<std::unique_ptr<Listener>> Listen(const Address& address) override {
    const sockaddr_un name = Name(address);
    const auto* const at = reinterpret_cast<const sockaddr*>(&name);
    // A dead listener's socket answers as long as a forked child holds it: ask who listens.
    UniqueFd other(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    ucred owner = {};
    socklen_t size = sizeof(owner);
    if (::connect(other.get(), at, sizeof(name)) != 0 ||
        ::getsockopt(other.get(), SOL_SOCKET, SO_PEERCRED, &owner, &size) != 0 || ::kill(owner.pid, 0) != 0) {
      ::unlink(address.rest.c_str());
    }
    UniqueFd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (::bind(socket.get(), at, sizeof(name)) != 0 || ::listen(socket.get(), 512) != 0) {
      return absl::AlreadyExistsError(absl::StrCat(address.ToString(), ": ", ::strerror(errno)));
    }
    return std::make_unique<TrialListener>(address, std::move(socket));
  }

  absl::StatusOr<std::unique_ptr<Endpoint>> Connect(const Address& address) override {
    const sockaddr_un name = Name(address);
    UniqueFd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&name), sizeof(name)) != 0) {
      return NewClosedEndpoint(
          "trial", absl::UnavailableError(absl::StrCat(address.ToString(), ": connect: ", ::strerror(errno))));
    }
    return TrialListener::NewEndpoint(std::move(socket), address.ToString());
  }

 private:
  static sockaddr_un Name(const Address& address) {
    sockaddr_un name = {};
    name.sun_family = AF_UNIX;
    ::memcpy(name.sun_path, address.rest.c_str(), std::min(address.rest.size(), sizeof(name.sun_path) - 1));
    return name;
  }
};

inline std::unique_ptr<Transport> NewTrialTransport() { return std::make_unique<TrialTransport>(); }

}  // namespace nearcall

#endif  // NEARCALL_TESTS_TRANSPORTS_TRIAL_TRANSPORT_H_
