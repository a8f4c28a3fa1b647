// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
#include "nearcall/transports/unix_socket/abstract_socket.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "nearcall/transports/api/errno_status.h"
#include "nearcall/transports/rendezvous/connector.h"
#include "nearcall/transports/rendezvous/listener.h"
#include "nearcall/transports/rendezvous/place.h"
#include "nearcall/transports/rendezvous/process_fd.h"
#include "nearcall/transports/rendezvous/safe_bind.h"
#include "nearcall/transports/unix_socket/socket_medium.h"

namespace nearcall {
namespace {

struct AbstractPlace {
  internal::Place place;
  bool anybody = false;
  std::vector<uid_t> clients;  // beside our own uid and root
};

class BoundName final : public internal::ListeningSocket {
 public:
  BoundName(UniqueFd fd, const AbstractPlace& place) : fd_(std::move(fd)), place_(place), owner_(::getpid()) {}
  // A child forked meanwhile may hold the socket: closing ours would not free the name for clients.
  ~BoundName() override {
    if (::getpid() == owner_) ::shutdown(fd_.get(), SHUT_RDWR);
  }

  int fd() const override { return fd_.get(); }
  absl::Status Admits(const Credentials& client) const override {
    if (place_.anybody || client.uid == ::geteuid() || client.uid == 0) return absl::OkStatus();
    if (std::find(place_.clients.begin(), place_.clients.end(), client.uid) != place_.clients.end()) {
      return absl::OkStatus();
    }
    return absl::PermissionDeniedError(absl::StrCat("it runs as ", internal::UidText(client.uid), ", which is neither ",
                                                    internal::UidText(::geteuid()),
                                                    " nor root, and which no client_uid= names"));
  }

 private:
  const UniqueFd fd_;
  const AbstractPlace place_;
  const pid_t owner_;  // the process that made it
};

absl::StatusOr<AbstractPlace> PlaceOf(const Address& address) {
  absl::Status known = CheckParameters(address, {"client_uid", "server_uid"});
  if (!known.ok()) return known;
  AbstractPlace result;
  result.place.abstract = true;
  result.place.path = address.rest;
  absl::Status fits = internal::CheckSocketPath(address.rest);
  if (!fits.ok()) return absl::InvalidArgumentError(absl::StrCat(address.ToString(), ": ", fits.message()));
  for (const auto& [key, value] : address.parameters) {
    if (key == "client_uid" && value == "any") {
      result.anybody = true;
      continue;
    }
    const std::optional<uid_t> uid = internal::FindUser(value);
    if (!uid.has_value()) {
      return absl::InvalidArgumentError(absl::StrCat(address.ToString(), ": there is no user \"", value, "\""));
    }
    (key == "client_uid" ? result.clients : result.place.server_uids).push_back(*uid);
  }
  return result;
}

// Who has the name, as far as it can be told.
std::string HolderText(const internal::SocketName& name) {
  UniqueFd probe(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (::connect(probe.get(), reinterpret_cast<const sockaddr*>(&name.address), name.size) != 0) return "";
  const internal::PeerProcess holder = internal::PeerProcessOf(probe.get());
  return holder.known
             ? absl::StrCat(" (pid ", holder.credentials.pid, " of ", internal::UidText(holder.credentials.uid),
                            holder.dead ? ", dead; a child of it "
                                          "holds the socket)"
                                        : ")")
             : "";
}

}  // namespace

absl::StatusOr<std::unique_ptr<Listener>> AbstractTransport::Listen(const Address& address) {
  absl::StatusOr<AbstractPlace> place = PlaceOf(address);
  if (!place.ok()) return place.status();
  UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd.valid()) return internal::ErrnoStatus(errno, absl::StrCat(address.ToString(), ": cannot make a socket"));
  const int on = 1;  // before anybody can connect: see safe_bind.cc
  ::setsockopt(fd.get(), SOL_SOCKET, SO_PASSCRED, &on, sizeof(on));
  const internal::SocketName name = internal::NameOfSocket(place->place);
  if (::bind(fd.get(), reinterpret_cast<const sockaddr*>(&name.address), name.size) != 0) {
    if (errno == EADDRINUSE) {
      return absl::AlreadyExistsError(
          absl::StrCat(address.ToString(), ": another server is live there", HolderText(name)));
    }
    return internal::ErrnoStatus(errno, absl::StrCat("cannot bind ", address.ToString()));
  }
  if (::listen(fd.get(), SOMAXCONN) != 0) {
    return internal::ErrnoStatus(errno, absl::StrCat("cannot listen at ", address.ToString()));
  }
  return internal::ListenRendezvousOn(address, std::make_unique<BoundName>(std::move(fd), *place),
                                      {&internal::TheSocketMedium()});
}

absl::StatusOr<std::unique_ptr<Endpoint>> AbstractTransport::Connect(const Address& address) {
  absl::StatusOr<AbstractPlace> place = PlaceOf(address);
  if (!place.ok()) return place.status();
  return internal::ConnectRendezvousAt(address, std::move(place->place), {&internal::TheSocketMedium()});
}

}  // namespace nearcall
