// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
#include "nearcall/transports/rendezvous/connector.h"

#include <errno.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "nearcall/transports/api/clock.h"
#include "nearcall/transports/api/closed_endpoint.h"
#include "nearcall/transports/api/errno_status.h"
#include "nearcall/transports/rendezvous/safe_bind.h"
#include "nearcall/transports/rendezvous/timer.h"

namespace nearcall::internal {
namespace {

constexpr int64_t kRetryMaxNanos = 50'000'000;
constexpr int64_t kRetryForNanos = 5'000'000'000;

void SetPassCredentials(int fd, int on) { ::setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)); }

Greeting Proposal(uint32_t media, const Medium& medium, const MediumOffer& offer) {
  Greeting greeting;
  greeting.kind = GreetingKind::kClient;
  greeting.media = media;
  greeting.medium = medium.bit();
  greeting.max_frame = offer.max_frame != 0 ? offer.max_frame : medium.max_frame();
  greeting.parameters = offer.parameters;
  return greeting;
}

}  // namespace

ClientHandshake::ClientHandshake(std::string name, Place place, int fd, uint32_t media, const Medium& medium,
                                 MediumOffer& offer)
    : name_(std::move(name)),
      place_(std::move(place)),
      fd_(fd),
      proposal_(Proposal(media, medium, offer)),
      descriptors_(std::move(offer.descriptors)) {}

absl::Status ClientHandshake::Unavailable(absl::string_view text) const {
  return absl::UnavailableError(absl::StrCat(name_, ": ", text));
}

Io ClientHandshake::Start(absl::Status* why) { return Attempt(why); }

Io ClientHandshake::Connect(ByteIo&, absl::Status* why) {
  if (connected_) return Io::kOk;
  uint64_t times;
  if (::read(retry_timer_.get(), &times, sizeof(times)) < 0) return Io::kWouldBlock;  // not yet
  return Attempt(why);
}

pollfd ClientHandshake::ConnectPoll() const { return {retry_timer_.get(), POLLIN, 0}; }

void ClientHandshake::Interrupt() {
  if (retry_timer_.valid()) SetTimer(retry_timer_.get(), 1);
}

Io ClientHandshake::Attempt(absl::Status* why) {
  const SocketName name = NameOfSocket(place_);
  int result;
  do {
    result = ::connect(fd_, reinterpret_cast<const sockaddr*>(&name.address), name.size);
  } while (result != 0 && errno == EINTR);
  if (result == 0) return Connected(why);
  if (errno == EAGAIN) return BacklogFull(why);
  *why = ConnectFailed(errno);
  return Io::kClosed;
}

Io ClientHandshake::BacklogFull(absl::Status* why) {
  const int64_t now = MonotonicNanos();
  if (!retry_timer_.valid()) {
    retry_timer_.Reset(::timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK));
    give_up_at_ = now + kRetryForNanos;
    if (!retry_timer_.valid()) {
      *why = ErrnoStatus(errno, absl::StrCat(name_, ": cannot make a timer"));
      return Io::kClosed;
    }
  }
  if (now >= give_up_at_) {
    *why = Unavailable("the server has not accepted a connection for 5 s, its backlog is full; is it stopped?");
    return Io::kClosed;
  }
  SetTimer(retry_timer_.get(), retry_nanos_);
  retry_nanos_ = std::min(2 * retry_nanos_, kRetryMaxNanos);
  return Io::kWouldBlock;
}

absl::Status ClientHandshake::ConnectFailed(int error) const {
  struct stat found;
  const bool there = !place_.abstract && ::lstat(place_.path.c_str(), &found) == 0;
  const std::string where =
      place_.abstract || absl::EndsWith(name_, place_.path) ? "" : absl::StrCat(" at ", place_.path);
  if (error == ECONNREFUSED && there && !S_ISSOCK(found.st_mode) && !S_ISLNK(found.st_mode)) {
    return Unavailable(absl::StrCat("there is ", FileTypeText(found.st_mode), where, ", not a socket"));
  }
  if (error == ENOENT || error == ECONNREFUSED) {
    return Unavailable(absl::StrCat("no server is listening", where, ": ", ErrnoText(error),
                                    there ? ", its server has ended" : "", "; start it"));
  }
  if (error == EACCES || error == EPERM) {
    std::string owner;
    if (there) {
      owner = absl::StrFormat(
          "; the socket belongs to %s and its mode is %04o (the server's address may set mode= and "
          "group=)",
          UidText(found.st_uid), found.st_mode & 07777);
    }
    return absl::PermissionDeniedError(absl::StrCat(name_, ": cannot connect", where, ": ", ErrnoText(error), owner));
  }
  if (error == EPROTOTYPE) return Unavailable(absl::StrCat("there is a socket of another type", where));
  return Unavailable(absl::StrCat("cannot connect", where, ": ", ErrnoText(error)));
}

absl::Status ClientHandshake::CheckServer(uid_t uid) const {
  const uid_t self = ::geteuid();
  if (uid == self || uid == 0) return absl::OkStatus();
  for (const uid_t other : place_.server_uids) {
    if (uid == other) return absl::OkStatus();
  }
  return absl::PermissionDeniedError(absl::StrCat(name_, ": the server runs as ", UidText(uid), ", which is neither ",
                                                  UidText(self), " nor root; if that is right, add ?server_uid=", uid,
                                                  " to the address"));
}

// Nothing has been sent yet: whoever called listen() must be somebody that we may talk to.
Io ClientHandshake::Connected(absl::Status* why) {
  listener_ = PeerProcessOf(fd_);
  if (!listener_.known) {
    *why = ErrnoStatus(errno, absl::StrCat(name_, ": cannot tell who listens"));
    return Io::kClosed;
  }
  *why = CheckServer(listener_.credentials.uid);
  if (!why->ok()) return Io::kClosed;
  if (listener_.dead) {
    *why = Unavailable(absl::StrCat("its server (pid ", listener_.credentials.pid,
                                    ") has died, a child of it still holds the socket; start the server again"));
    return Io::kClosed;
  }
  int off = 0;
  ::ioctl(fd_, FIONBIO, &off);  // blocking from here on: the endpoint asks for MSG_DONTWAIT where it wants it
  SetPassCredentials(fd_, 1);   // not before connect(), which would bind the socket to an abstract name
  connected_ = true;
  return Io::kOk;
}

UniqueFd ClientHandshake::TakeListenerPidfd() {
  listener_watched_ = listener_.pidfd.valid();
  return std::move(listener_.pidfd);
}

Io ClientHandshake::SendGreeting(ByteIo& io, absl::Span<const char> frames, size_t* sent, absl::Status* why) {
  if (writer_ == nullptr) writer_ = std::make_unique<GreetingWriter>(proposal_, std::move(descriptors_));
  int error = 0;
  const Io result = writer_->Write(io, frames, sent, &error);
  if (result == Io::kClosed) *why = Unavailable(absl::StrCat("cannot send the greeting: ", ErrnoText(error)));
  return result;
}

Io ClientHandshake::ReceiveGreeting(ByteIo& io, Greeted* greeted, absl::Status* why) {
  switch (reader_.Read(io)) {
    case GreetingReader::kMore:
      return Io::kWouldBlock;
    case GreetingReader::kDone:
      *why = CheckWelcome(greeted);
      return why->ok() ? Io::kOk : Io::kClosed;
    case GreetingReader::kEnd:
      *why = Unavailable(absl::StrCat("no greeting came: ", reader_.problem()));
      break;
    case GreetingReader::kBad:
      *why = Unavailable(absl::StrCat("no nearcall server answered: ", reader_.problem()));
      break;
    case GreetingReader::kVersion:
      *why = Unavailable(absl::StrCat("the server speaks greeting version ", reader_.version(), ", this client ",
                                      kGreetingVersion, "; rebuild the older of the two"));
      break;
    case GreetingReader::kTruncated:
      *why = absl::ResourceExhaustedError(absl::StrCat(name_, ": cannot receive the greeting: ", reader_.problem()));
      break;
  }
  return Io::kClosed;
}

absl::Status ClientHandshake::CheckWelcome(Greeted* greeted) {
  const Greeting& greeting = reader_.greeting();
  if (!reader_.credentials().has_value()) return Unavailable("the server's greeting came without credentials");
  const Credentials server = *reader_.credentials();
  absl::Status allowed = CheckServer(server.uid);
  if (!allowed.ok()) return allowed;
  if (greeting.kind == GreetingKind::kRefusal) {
    const absl::Status refused = Unavailable(RefusalText(greeting, proposal_.media));
    return greeting.refusal == Refusal::kNotAdmitted ? absl::PermissionDeniedError(refused.message()) : refused;
  }
  // Another medium than the one proposed: checked by whoever takes it over.
  const bool as_proposed = greeting.medium == proposal_.medium && greeting.max_frame == proposal_.max_frame;
  const bool another = greeting.medium != proposal_.medium && std::has_single_bit(greeting.medium) &&
                       (greeting.medium & proposal_.media) != 0;
  if (greeting.kind != GreetingKind::kWelcome || !(as_proposed || another)) {
    return Unavailable("the server's greeting does not answer ours");
  }
  greeted->medium = greeting.medium;
  const std::string lie = CheckGreetingIdentity(reader_, server, &greeted->death);
  if (!lie.empty()) return absl::PermissionDeniedError(absl::StrCat(name_, ": ", lie));
  SetPassCredentials(fd_, 0);  // only the greeting needs them; they would cost every later receive something
  greeted->peer = server;
  // The kernel gave us a pidfd of whoever listens. If that is also who greets, it is the better one: nobody chose it.
  if (listener_watched_ && server.pid != 0 && server.pid == listener_.credentials.pid) {
    greeted->death.Reset();
    greeted->keeps_death = true;
  }
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<Endpoint>> ConnectRendezvous(const Address& address, Names names, const Media& media) {
  absl::StatusOr<Place> place = PlaceOf(address, names, ParametersOf(media));
  if (!place.ok()) return place.status();
  return ConnectRendezvousAt(address, *std::move(place), media);
}

absl::StatusOr<std::unique_ptr<Endpoint>> ConnectRendezvousAt(const Address& address, Place place, const Media& media) {
  // The first medium that can be made; why the others could not is a part of the name from then on.
  std::string name = address.ToString();
  auto chosen = media.begin();
  absl::StatusOr<MediumOffer> offer = (*chosen)->MakeOffer(address);
  while (!offer.ok() && offer.status().code() != absl::StatusCode::kInvalidArgument && chosen + 1 != media.end()) {
    absl::StrAppend(&name, " (without ", (*chosen)->name(), ": ", offer.status().message(), ")");
    offer = (*++chosen)->MakeOffer(address);
  }
  if (!offer.ok()) return offer.status();
  const Medium& medium = **chosen;
  UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd.valid()) return ErrnoStatus(errno, absl::StrCat(name, ": cannot make a socket"));
  const Media others(chosen + 1, media.end());
  uint32_t bits = medium.bit();
  for (const Medium* each : others) bits |= each->bit();
  auto handshake = std::make_unique<ClientHandshake>(name, std::move(place), fd.get(), bits, medium, *offer);
  absl::Status why;
  if (handshake->Start(&why) == Io::kClosed) return NewClosedEndpoint(medium.name(), std::move(why));

  Meeting meeting;
  meeting.transport = std::string(medium.name());
  meeting.address = name;
  meeting.socket = NewSocketIo(std::move(fd));
  meeting.death = handshake->TakeListenerPidfd();
  meeting.handshake = std::move(handshake);
  meeting.offer = *std::move(offer);
  meeting.others = others;
  return medium.Dial(std::move(meeting));
}

}  // namespace nearcall::internal
