// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
#include "nearcall/examples/custom_transport/seqpacket.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "nearcall/transports/api/closed_endpoint.h"
#include "nearcall/transports/datagram/datagram.h"

namespace seqpacket {
namespace {

using nearcall::Address;
using nearcall::Endpoint;
using nearcall::UniqueFd;

constexpr size_t kMaxPacket = 64 * 1024;  // two fit into a socket's buffer as it is by default

// ---- one connection: two system calls

class SeqpacketIo final : public nearcall::DatagramIo {
 public:
  explicit SeqpacketIo(UniqueFd socket) : socket_(std::move(socket)) {}
  int send_fd() const override { return socket_.get(); }
  int receive_fd() const override { return socket_.get(); }

  ssize_t Send(const char* data, size_t size) override {
    ssize_t n;
    do {
      n = ::send(socket_.get(), data, size, MSG_DONTWAIT | MSG_NOSIGNAL);
    } while (n < 0 && errno == EINTR);
    return n;
  }
  ssize_t Receive(char* data, size_t size) override {
    ssize_t n;
    do {
      n = ::recv(socket_.get(), data, size, MSG_DONTWAIT);
    } while (n < 0 && errno == EINTR);
    return n;
  }
  void Shutdown() override { ::shutdown(socket_.get(), SHUT_RDWR); }

 private:
  const UniqueFd socket_;
};

std::unique_ptr<Endpoint> NewEndpoint(UniqueFd socket, std::string name) {
  nearcall::DatagramOptions options;
  options.info.transport = "seqpacket";
  options.max_datagram = kMaxPacket;
  options.name = std::move(name);
  ucred peer = {};
  socklen_t size = sizeof(peer);
  if (::getsockopt(socket.get(), SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0) {
    options.info.peer = nearcall::Credentials{peer.uid, peer.gid, peer.pid};
    options.death.Reset(static_cast<int>(::syscall(SYS_pidfd_open, peer.pid, 0)));  // readable once it is dead
    options.info.sees_death = options.death.valid();
  }
  return std::make_unique<nearcall::DatagramEndpoint>(std::make_unique<SeqpacketIo>(std::move(socket)),
                                                      std::move(options));
}

// ---- listening and connecting

absl::StatusOr<sockaddr_un> NameOf(const Address& address) {
  if (absl::Status status = nearcall::CheckParameters(address, {}); !status.ok()) return status;
  sockaddr_un name = {};
  name.sun_family = AF_UNIX;
  if (address.rest.empty() || address.rest.size() >= sizeof(name.sun_path)) {
    return absl::InvalidArgumentError(absl::StrCat(address.ToString(), ": write seqpacket:/path, with at most ",
                                                   sizeof(name.sun_path) - 1, " bytes"));
  }
  ::memcpy(name.sun_path, address.rest.data(), address.rest.size());
  return name;
}

absl::Status Failed(const Address& address, const char* what, int error) {
  const std::string text = absl::StrCat(address.ToString(), ": ", what, ": ", ::strerrordesc_np(error));
  if (error == EADDRINUSE) return absl::AlreadyExistsError(text);
  if (error == EMFILE || error == ENFILE || error == ENOMEM) return absl::ResourceExhaustedError(text);
  if (error == EACCES || error == EPERM) return absl::PermissionDeniedError(text);
  return absl::UnavailableError(text);
}

class SeqpacketListener final : public nearcall::Listener {
 public:
  SeqpacketListener(Address address, UniqueFd socket, UniqueFd spare)
      : address_(std::move(address)), socket_(std::move(socket)), spare_(std::move(spare)), owner_(::getpid()) {}
  ~SeqpacketListener() override {
    if (::getpid() == owner_) ::unlink(address_.rest.c_str());
  }
  const Address& address() const override { return address_; }
  int fd() const override { return socket_.get(); }

  absl::StatusOr<std::unique_ptr<Endpoint>> Accept() override {
    UniqueFd socket(::accept4(socket_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    if (socket.valid()) return NewEndpoint(std::move(socket), address_.ToString());
    if (errno == EAGAIN || errno == EINTR || errno == ECONNABORTED) return nullptr;
    // Without a descriptor the client cannot be served, and would keep this one readable: it is sent away with a spare.
    const int error = errno;
    spare_.Reset();
    UniqueFd(::accept4(socket_.get(), nullptr, nullptr, SOCK_CLOEXEC)).Reset();
    spare_.Reset(::open("/dev/null", O_RDONLY | O_CLOEXEC));
    return Failed(address_, "accept", error);
  }

 private:
  const Address address_;
  const UniqueFd socket_;
  UniqueFd spare_;
  const pid_t owner_;
};

class SeqpacketTransport final : public nearcall::Transport {
 public:
  absl::string_view scheme() const override { return "seqpacket"; }

  absl::StatusOr<std::unique_ptr<nearcall::Listener>> Listen(const Address& address) override {
    const absl::StatusOr<sockaddr_un> name = NameOf(address);
    if (!name.ok()) return name.status();
    const auto* const at = reinterpret_cast<const sockaddr*>(&*name);
    // What a dead server left is taken over. Its socket still answers while a forked child of it lives: ask who
    // listens.
    UniqueFd other(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
    ucred owner = {};
    socklen_t size = sizeof(owner);
    if (::connect(other.get(), at, sizeof(*name)) == 0
            ? ::getsockopt(other.get(), SOL_SOCKET, SO_PEERCRED, &owner, &size) != 0 ||
                  (::kill(owner.pid, 0) != 0 && errno == ESRCH)
            : errno == ECONNREFUSED) {
      ::unlink(address.rest.c_str());
    }
    UniqueFd socket(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    UniqueFd spare(::open("/dev/null", O_RDONLY | O_CLOEXEC));
    if (!socket.valid() || !spare.valid()) return Failed(address, "no descriptor", errno);
    ::fchmod(socket.get(), 0600);  // the node gets it: nobody else may connect, from the first instant
    if (::bind(socket.get(), at, sizeof(*name)) != 0) return Failed(address, "bind", errno);
    if (::listen(socket.get(), SOMAXCONN) != 0) return Failed(address, "listen", errno);
    return std::make_unique<SeqpacketListener>(address, std::move(socket), std::move(spare));
  }

  absl::StatusOr<std::unique_ptr<Endpoint>> Connect(const Address& address) override {
    const absl::StatusOr<sockaddr_un> name = NameOf(address);
    if (!name.ok()) return name.status();
    UniqueFd socket(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!socket.valid()) return Failed(address, "no descriptor", errno);
    // Nobody there is a connection that has ended, not an error: the channel tries again.
    if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&*name), sizeof(*name)) != 0) {
      return nearcall::NewClosedEndpoint("seqpacket", Failed(address, "connect", errno));
    }
    return NewEndpoint(std::move(socket), address.ToString());
  }
};

}  // namespace

std::unique_ptr<nearcall::Transport> NewTransport() { return std::make_unique<SeqpacketTransport>(); }

}  // namespace seqpacket
