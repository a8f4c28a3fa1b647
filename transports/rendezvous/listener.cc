// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
#include "nearcall/transports/rendezvous/listener.h"

#include <errno.h>
#include <sys/socket.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "nearcall/transports/api/errno_status.h"
#include "nearcall/transports/rendezvous/greeting.h"
#include "nearcall/transports/rendezvous/process_fd.h"
#include "nearcall/transports/rendezvous/safe_bind.h"

namespace nearcall::internal {
namespace {

constexpr int kSendTries = 100;  // a fresh socket takes 64 bytes; only a test's I/O says EAGAIN

void SetPassCredentials(int fd, int on) { ::setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)); }

// A medium failed at a limit of this process's, not by what the client sent.
bool IsOfThisSide(const absl::Status& status) {
  return status.code() == absl::StatusCode::kResourceExhausted || status.code() == absl::StatusCode::kUnimplemented;
}

uint32_t BitsOf(const Media& media) {
  uint32_t bits = 0;
  for (const Medium* medium : media) bits |= medium->bit();
  return bits;
}

}  // namespace

// One that has connected and is to greet.
class RendezvousListener::Client final : public Guest {
 public:
  Client(const RendezvousListener& listener, UniqueFd socket, const Credentials& credentials)
      : listener_(listener), fd_(socket.get()), credentials_(credentials), io_(NewSocketIo(std::move(socket))) {}

  int fd() const override { return fd_; }
  uint64_t key() const override { return credentials_.uid; }
  std::string Key() const override { return "uid"; }
  std::string Who() const override { return absl::StrCat("pid ", credentials_.pid, " of uid ", credentials_.uid); }
  Progress Receive(std::string* why) override;
  std::unique_ptr<Endpoint> Finish(std::string* why) override;
  void Drop(Dropped why) override { Refuse(why == Dropped::kTimeout ? Refusal::kTimeout : Refusal::kBusy); }

 private:
  Refusal Check(UniqueFd* death, std::string* why);
  const Medium* Agree(std::string* why) const;
  const Medium* Alternative() const;
  absl::StatusOr<std::unique_ptr<Endpoint>> Serve(const Medium** medium, Meeting& meeting);
  bool Welcome(ByteIo& io, const Medium& medium, MediumOffer& reply, std::string* why);
  void Refuse(Refusal reason);

  const RendezvousListener& listener_;
  const int fd_;
  const Credentials credentials_;  // SO_PEERCRED
  std::unique_ptr<ByteIo> io_;
  GreetingReader reader_;
  std::unique_ptr<Endpoint> unwelcome_;  // keeps the socket open until this ends
};

Guest::Progress RendezvousListener::Client::Receive(std::string* why) {
  switch (reader_.Read(*io_)) {
    case GreetingReader::kMore:
      return Progress::kMore;
    case GreetingReader::kDone:
      return Progress::kComplete;
    case GreetingReader::kEnd:
      break;
    case GreetingReader::kBad:
      Refuse(Refusal::kNotAGreeting);
      break;
    case GreetingReader::kVersion:
      *why = absl::StrCat("it speaks greeting version ", reader_.version(), ", this server ", kGreetingVersion);
      Refuse(Refusal::kVersion);
      return Progress::kFailed;
    case GreetingReader::kTruncated:
      Refuse(Refusal::kBusy);
      break;
  }
  *why = reader_.problem();
  return Progress::kFailed;
}

// Who is it, and may it come in?
Refusal RendezvousListener::Client::Check(UniqueFd* death, std::string* why) {
  if (reader_.greeting().kind != GreetingKind::kClient) {
    *why = "the greeting is not a client's";
    return Refusal::kNotAGreeting;
  }
  *why = CheckGreetingIdentity(reader_, credentials_, death);
  if (!why->empty()) return Refusal::kIdentity;
  const absl::Status admitted = listener_.socket_->Admits(credentials_);
  *why = std::string(admitted.message());
  return admitted.ok() ? Refusal::kNone : Refusal::kNotAdmitted;
}

// What takes over where the proposed medium does not do; null: nothing that the client accepts.
const Medium* RendezvousListener::Client::Alternative() const {
  const Greeting& greeting = reader_.greeting();
  const Media& media = listener_.media_;
  const auto found = std::find_if(media.begin(), media.end(), [&](const Medium* medium) {
    return !medium->needs_offer() && medium->bit() != greeting.medium && (medium->bit() & greeting.media) != 0;
  });
  return found == media.end() ? nullptr : *found;
}

// What do we talk over?
const Medium* RendezvousListener::Client::Agree(std::string* why) const {
  const Greeting& greeting = reader_.greeting();
  const Media& media = listener_.media_;
  const auto agreed =
      std::find_if(media.begin(), media.end(), [&](const Medium* medium) { return medium->bit() == greeting.medium; });
  if (agreed != media.end() && (*agreed)->allows_max_frame(greeting.max_frame)) return *agreed;
  const Medium* medium = Alternative();
  if (medium == nullptr) {
    *why = absl::StrCat("it proposes ", MediaText(greeting.medium), " with frames of ", greeting.max_frame,
                        " bytes, this server allows ", MediaText(BitsOf(media)));
  }
  return medium;
}

absl::StatusOr<std::unique_ptr<Endpoint>> RendezvousListener::Client::Serve(const Medium** medium, Meeting& meeting) {
  meeting.transport = std::string((*medium)->name());
  absl::StatusOr<std::unique_ptr<Endpoint>> endpoint = (*medium)->Serve(meeting);
  if (endpoint.ok() || !IsOfThisSide(endpoint.status())) return endpoint;
  const bool proposed = (*medium)->bit() == reader_.greeting().medium;
  const Medium* other = proposed ? Alternative() : nullptr;
  if (other == nullptr) return endpoint;
  *medium = other;
  meeting.transport = std::string(other->name());
  return other->Serve(meeting);
}

std::unique_ptr<Endpoint> RendezvousListener::Client::Finish(std::string* why) {
  Meeting meeting;
  if (const Refusal refusal = Check(&meeting.death, why); refusal != Refusal::kNone) {
    Refuse(refusal);
    return nullptr;
  }
  const Medium* medium = Agree(why);
  if (medium == nullptr) {
    Refuse(Refusal::kMedium);
    return nullptr;
  }
  SetPassCredentials(fd_, 0);  // only the greeting needs them; they would cost every later receive something
  meeting.address = listener_.name_;
  meeting.socket = std::move(io_);
  meeting.peer = credentials_;
  meeting.offer.parameters = reader_.greeting().parameters;
  meeting.offer.descriptors = std::move(reader_.descriptors());
  meeting.offer.max_frame = reader_.greeting().max_frame;
  ByteIo* const io = meeting.socket.get();
  absl::StatusOr<std::unique_ptr<Endpoint>> endpoint = Serve(&medium, meeting);
  if (!endpoint.ok()) {
    io_ = std::move(meeting.socket);
    *why = endpoint.status().ToString();
    Refuse(Refusal::kMediumFailed);
    return nullptr;
  }
  if (Welcome(*io, *medium, meeting.reply, why)) return *std::move(endpoint);
  unwelcome_ = *std::move(endpoint);
  return nullptr;
}

bool RendezvousListener::Client::Welcome(ByteIo& io, const Medium& medium, MediumOffer& reply, std::string* why) {
  const Greeting& greeting = reader_.greeting();
  Greeting welcome;
  welcome.kind = GreetingKind::kWelcome;
  welcome.media = BitsOf(listener_.media_);
  welcome.medium = medium.bit();
  welcome.max_frame = medium.bit() == greeting.medium ? greeting.max_frame : medium.max_frame();
  welcome.parameters = reply.parameters;
  GreetingWriter writer(welcome, std::move(reply.descriptors));
  size_t sent = 0;
  int error = EAGAIN;
  for (int i = 0; i < kSendTries; ++i) {
    const Io written = writer.Write(io, {}, &sent, &error);
    if (written == Io::kOk) return true;
    if (written == Io::kClosed) break;
  }
  *why = absl::StrCat("cannot send the greeting: ", ErrnoText(error));
  return false;
}

// Tells the client why, as far as it goes at once. The connection is over whether it arrives or not.
void RendezvousListener::Client::Refuse(Refusal reason) {
  Greeting refusal;
  refusal.kind = GreetingKind::kRefusal;
  refusal.refusal = reason;
  refusal.media = BitsOf(listener_.media_);
  GreetingWriter writer(refusal, {});
  size_t sent = 0;
  int error = 0;
  static_cast<void>(writer.Write(*io_, {}, &sent, &error));
}

RendezvousListener::RendezvousListener(Address address, Media media, std::unique_ptr<ListeningSocket> socket,
                                       std::unique_ptr<Reception> reception)
    : address_(std::move(address)),
      media_(std::move(media)),
      name_(address_.ToString()),
      socket_(std::move(socket)),
      reception_(std::move(reception)) {}

absl::Status RendezvousListener::Open() {
  return reception_->Open(socket_->fd(), [this](UniqueFd socket) -> std::unique_ptr<Guest> {
    ucred client;
    socklen_t size = sizeof(client);
    if (::getsockopt(socket.get(), SOL_SOCKET, SO_PEERCRED, &client, &size) != 0) return nullptr;
    if (!socket_->always_passed_credentials()) SetPassCredentials(socket.get(), 1);
    return std::make_unique<Client>(*this, std::move(socket), Credentials{client.uid, client.gid, client.pid});
  });
}

absl::StatusOr<std::unique_ptr<Listener>> ListenRendezvousOn(const Address& address,
                                                             std::unique_ptr<ListeningSocket> socket,
                                                             const Media& media) {
  absl::StatusOr<std::unique_ptr<Reception>> reception = Reception::Make(address.ToString());
  if (!reception.ok()) return reception.status();
  auto listener = std::make_unique<RendezvousListener>(address, media, std::move(socket), *std::move(reception));
  absl::Status open = listener->Open();
  if (!open.ok()) return open;
  return listener;
}

absl::StatusOr<std::unique_ptr<Listener>> ListenRendezvous(const Address& address, Names names, const Media& media) {
  absl::StatusOr<Place> place = PlaceOf(address, names, ParametersOf(media));
  if (!place.ok()) return place.status();
  absl::StatusOr<std::unique_ptr<BoundSocket>> socket = SafeBind(
      place->path, {.mode = place->mode, .group = place->group, .private_directory = place->private_directory});
  if (!socket.ok()) {
    return absl::Status(socket.status().code(), absl::StrCat(address.ToString(), ": ", socket.status().message()));
  }
  return ListenRendezvousOn(address, *std::move(socket), media);
}

}  // namespace nearcall::internal
