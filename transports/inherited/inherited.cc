// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
#include "nearcall/transports/inherited/inherited.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <string>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "nearcall/transports/api/errno_status.h"
#include "nearcall/transports/inherited/passed_descriptors.h"
#include "nearcall/transports/rendezvous/listener.h"
#include "nearcall/transports/rendezvous/process_fd.h"
#include "nearcall/transports/shm_ring/shm_medium.h"
#include "nearcall/transports/unix_socket/socket_medium.h"

namespace nearcall {
namespace {

internal::Media BestFirst() { return {&internal::TheShmMedium(), &internal::TheSocketMedium()}; }

class InheritedSocket final : public internal::ListeningSocket {
 public:
  explicit InheritedSocket(UniqueFd fd) : fd_(std::move(fd)) {}
  int fd() const override { return fd_.get(); }
  bool always_passed_credentials() const override { return false; }

 private:
  const UniqueFd fd_;
};

int Option(int fd, int option) {
  int value = -1;
  socklen_t size = sizeof(value);
  return ::getsockopt(fd, SOL_SOCKET, option, &value, &size) == 0 ? value : -1;
}

absl::Status CheckListens(const std::string& name, int fd) {
  struct stat found;
  if (::fstat(fd, &found) != 0) {
    return absl::FailedPreconditionError(
        absl::StrCat(name, ": descriptor ", fd, " is not open: ", internal::ErrnoText(errno)));
  }
  const auto bad = [&](absl::string_view what) {
    return absl::FailedPreconditionError(
        absl::StrCat(name, ": descriptor ", fd, " is ", what, ", not a listening Unix stream socket"));
  };
  if (!S_ISSOCK(found.st_mode)) return bad(internal::FileTypeText(found.st_mode));
  if (Option(fd, SO_DOMAIN) != AF_UNIX) return bad("a socket that is no Unix socket");
  if (Option(fd, SO_TYPE) != SOCK_STREAM) return bad("a Unix socket of another type (ListenStream= makes this one)");
  if (Option(fd, SO_ACCEPTCONN) != 1) return bad("a Unix socket that does not listen (Accept=yes passes such ones)");
  sockaddr_un bound = {};
  socklen_t size = sizeof(bound);
  if (::getsockname(fd, reinterpret_cast<sockaddr*>(&bound), &size) != 0 || bound.sun_path[0] == '\0') {
    return bad("a Unix socket at no path (everybody could connect to it)");
  }
  return absl::OkStatus();
}

// Clients take a socket whose maker has died for a leftover. If the one who passed it on has gone, it is ours now.
void TakeOverFromTheDead(int fd) {
  if (internal::PeerProcessOf(fd).dead) ::listen(fd, SOMAXCONN);
}

absl::StatusOr<std::unique_ptr<Listener>> ListenAt(const Address& address, int fd) {
  const std::string name = address.ToString();
  absl::Status known = CheckParameters(address, internal::ParametersOf(BestFirst()));
  if (!known.ok()) return known;
  absl::Status listens = CheckListens(name, fd);
  if (!listens.ok()) return listens;
  UniqueFd own(::fcntl(fd, F_DUPFD_CLOEXEC, internal::kFirstPassedDescriptor));
  if (!own.valid()) return internal::ErrnoStatus(errno, absl::StrCat(name, ": cannot duplicate descriptor ", fd));
  const int flags = ::fcntl(fd, F_GETFL);
  const int on = 1;
  if (::fcntl(fd, F_SETFD, FD_CLOEXEC) != 0 || flags < 0 || ::fcntl(fd, F_SETFL, flags | O_NONBLOCK) != 0 ||
      ::setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)) != 0) {
    return internal::ErrnoStatus(errno, absl::StrCat(name, ": cannot prepare descriptor ", fd));
  }
  TakeOverFromTheDead(fd);
  return internal::ListenRendezvousOn(address, std::make_unique<InheritedSocket>(std::move(own)), BestFirst());
}

absl::Status OnlyForServers(const Address& address) {
  return absl::InvalidArgumentError(
      absl::StrCat(address.ToString(),
                   ": only a server listens at a socket that was handed to it; a client connects to "
                   "its path, with unix: or local:"));
}

}  // namespace

absl::StatusOr<std::unique_ptr<Listener>> FdTransport::Listen(const Address& address) {
  int fd = -1;
  if (address.rest.find_first_not_of("0123456789") != std::string::npos || !absl::SimpleAtoi(address.rest, &fd) ||
      fd < internal::kFirstPassedDescriptor) {
    return absl::InvalidArgumentError(
        absl::StrCat(address.ToString(), ": write fd:N, with the number of a descriptor, 3 or more"));
  }
  return ListenAt(address, fd);
}

absl::StatusOr<std::unique_ptr<Endpoint>> FdTransport::Connect(const Address& address) {
  return OnlyForServers(address);
}

absl::StatusOr<std::unique_ptr<Listener>> SystemdTransport::Listen(const Address& address) {
  absl::StatusOr<int> fd = internal::PassedDescriptor(address.rest);
  if (fd.ok()) return ListenAt(address, *fd);
  return absl::Status(fd.status().code(), absl::StrCat(address.ToString(), ": ", fd.status().message()));
}

absl::StatusOr<std::unique_ptr<Endpoint>> SystemdTransport::Connect(const Address& address) {
  return OnlyForServers(address);
}

}  // namespace nearcall
