// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
#include "nearcall/transports/tcp_socket/tcp_listener.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "nearcall/transports/api/errno_status.h"
#include "nearcall/transports/byte_stream/byte_stream.h"
#include "nearcall/transports/tcp_socket/tcp_greeting.h"
#include "nearcall/transports/tcp_socket/tcp_place.h"

namespace nearcall::internal {
namespace {

constexpr int kSendTries = 100;  // a fresh socket takes 56 bytes; only a test's I/O says EAGAIN

// One host, as far as anybody can tell: an IPv4 address, or the network of 64 bits that an IPv6 host is given.
uint64_t HostKey(const TcpPlace& peer) {
  uint64_t key = 0;
  if (peer.address.ss_family == AF_INET6) {
    ::memcpy(&key, &reinterpret_cast<const sockaddr_in6*>(&peer.address)->sin6_addr, sizeof(key));
  } else {
    key = reinterpret_cast<const sockaddr_in*>(&peer.address)->sin_addr.s_addr;
  }
  return key;
}

}  // namespace

// One that has connected and is to greet.
class TcpListener::Client final : public Guest {
 public:
  Client(const TcpListener& listener, UniqueFd socket, const TcpPlace& peer)
      : listener_(listener), fd_(socket.get()), peer_(peer), io_(NewSocketIo(std::move(socket))) {}

  int fd() const override { return fd_; }
  uint64_t key() const override { return HostKey(peer_); }
  std::string Key() const override { return "host"; }
  std::string Who() const override { return peer_.Text(); }
  Progress Receive(std::string* why) override;
  std::unique_ptr<Endpoint> Finish(std::string* why) override;
  void Drop(Dropped why) override { Refuse(why == Dropped::kTimeout ? TcpRefusal::kTimeout : TcpRefusal::kBusy); }

 private:
  TcpRefusal Check(std::string* why) const;
  void Refuse(TcpRefusal reason);
  bool Answer(const TcpGreeting& greeting, std::string* why);

  const TcpListener& listener_;
  const int fd_;
  const TcpPlace peer_;
  std::unique_ptr<ByteIo> io_;
  TcpGreetingReader reader_;
};

Guest::Progress TcpListener::Client::Receive(std::string* why) {
  switch (reader_.Read(*io_)) {
    case TcpGreetingReader::kMore:
      return Progress::kMore;
    case TcpGreetingReader::kDone:
      return Progress::kComplete;
    case TcpGreetingReader::kEnd:
      break;
    case TcpGreetingReader::kBad:
      Refuse(TcpRefusal::kNotAGreeting);
      break;
    case TcpGreetingReader::kVersion:
      Refuse(TcpRefusal::kVersion);
      break;
  }
  *why = reader_.problem();
  return Progress::kFailed;
}

TcpRefusal TcpListener::Client::Check(std::string* why) const {
  const TcpGreeting& greeting = reader_.greeting();
  const TokenFile* token = listener_.token_.get();
  if (greeting.kind != TcpGreetingKind::kClient) {
    *why = "the greeting is not a client's";
    return TcpRefusal::kNotAGreeting;
  }
  if (token != nullptr && !greeting.token.has_value()) {
    *why = "it has no token";
    return TcpRefusal::kNoToken;
  }
  if (token != nullptr && !SameHalf(*greeting.token, token->token().client)) {
    *why = "its token is wrong";
    return TcpRefusal::kWrongToken;
  }
  if (token == nullptr && greeting.token.has_value()) {
    *why = "it has a token, and this server none";
    return TcpRefusal::kOpen;
  }
  if (greeting.max_frame != kTcpMaxFrame) {
    *why = absl::StrCat("it proposes frames of ", greeting.max_frame, " bytes, this server takes ", kTcpMaxFrame);
    return TcpRefusal::kMaxFrame;
  }
  return TcpRefusal::kNone;
}

std::unique_ptr<Endpoint> TcpListener::Client::Finish(std::string* why) {
  if (const TcpRefusal refusal = Check(why); refusal != TcpRefusal::kNone) {
    Refuse(refusal);
    return nullptr;
  }
  TcpGreeting welcome;
  welcome.kind = TcpGreetingKind::kWelcome;
  if (listener_.token_ != nullptr) welcome.token = listener_.token_->token().server;
  if (!Answer(welcome, why)) return nullptr;
  ByteStreamOptions options;
  options.info.transport = "tcp";
  options.info.max_frame = kTcpMaxFrame;
  options.info.may_lose_last = true;
  options.name = listener_.name_;
  return std::make_unique<ByteStreamEndpoint>(std::move(io_), std::move(options));
}

bool TcpListener::Client::Answer(const TcpGreeting& greeting, std::string* why) {
  TcpGreetingWriter writer(greeting);
  int error = EAGAIN;
  for (int i = 0; i < kSendTries; ++i) {
    const Io written = writer.Write(*io_, &error);
    if (written == Io::kOk) return true;
    if (written == Io::kClosed) break;
  }
  *why = absl::StrCat("cannot send the greeting: ", ErrnoText(error));
  return false;
}

// Tells the client why, as far as it goes at once. The connection is over whether it arrives or not.
void TcpListener::Client::Refuse(TcpRefusal reason) {
  TcpGreeting refusal;
  refusal.kind = TcpGreetingKind::kRefusal;
  refusal.refusal = reason;
  std::string unheard;
  static_cast<void>(Answer(refusal, &unheard));
}

TcpListener::TcpListener(Address address, UniqueFd socket, std::unique_ptr<TokenFile> token,
                         std::unique_ptr<Reception> reception)
    : address_(std::move(address)),
      name_(address_.ToString()),
      socket_(std::move(socket)),
      token_(std::move(token)),
      reception_(std::move(reception)),
      owner_(::getpid()) {}

// A child forked meanwhile may hold the socket: closing ours would not free the port.
TcpListener::~TcpListener() {
  if (::getpid() == owner_) ::shutdown(socket_.get(), SHUT_RDWR);
}

absl::Status TcpListener::Open() {
  return reception_->Open(socket_.get(), [this](UniqueFd socket) -> std::unique_ptr<Guest> {
    TcpPlace peer;
    socklen_t size = sizeof(peer.address);
    if (::getpeername(socket.get(), reinterpret_cast<sockaddr*>(&peer.address), &size) != 0) return nullptr;
    const int on = 1;
    ::setsockopt(socket.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    return std::make_unique<Client>(*this, std::move(socket), peer);
  });
}

namespace {

absl::Status Taken(absl::Status status) {
  if (status.code() != absl::StatusCode::kAlreadyExists) return status;
  return absl::AlreadyExistsError(absl::StrCat(
      status.message(), "; another program has this port (it may be a child that a dead server has forked)"));
}

// A socket that has its port and does not listen yet. Fills in the port.
absl::StatusOr<UniqueFd> Bind(const std::string& name, TcpPlace* place) {
  UniqueFd socket(::socket(place->address.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket.valid()) return ErrnoStatus(errno, absl::StrCat(name, ": cannot make a socket"));
  const int on = 1;
  // Not for sharing the port: connections of a dead server that the kernel still remembers would keep it.
  ::setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  BoundTcpBuffers(socket.get());
  if (place->address.ss_family == AF_INET6) ::setsockopt(socket.get(), IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
  if (::bind(socket.get(), place->name(), place->size()) != 0) {
    return Taken(ErrnoStatus(errno, absl::StrCat(name, ": cannot bind")));
  }
  socklen_t size = sizeof(place->address);
  if (::getsockname(socket.get(), reinterpret_cast<sockaddr*>(&place->address), &size) != 0) {
    return ErrnoStatus(errno, absl::StrCat(name, ": cannot tell its port"));
  }
  return socket;
}

}  // namespace

absl::StatusOr<std::unique_ptr<Listener>> ListenTcp(const Address& address) {
  const std::string name = address.ToString();
  absl::StatusOr<TcpPlace> place = TcpPlaceOf(address);
  if (!place.ok()) return place.status();
  absl::StatusOr<UniqueFd> socket = Bind(name, &*place);
  if (!socket.ok()) return socket.status();
  std::unique_ptr<TokenFile> token;
  if (place->token) {
    absl::StatusOr<std::unique_ptr<TokenFile>> written =
        TokenFile::Write(place->TokenPath(), place->token_file.empty());
    if (!written.ok()) {
      return absl::Status(written.status().code(), absl::StrCat(name, ": ", written.status().message()));
    }
    token = *std::move(written);
  }
  if (::listen(socket->get(), SOMAXCONN) != 0) return Taken(ErrnoStatus(errno, absl::StrCat(name, ": cannot listen")));
  if (token != nullptr) token->Announce();

  Address bound = address;
  bound.rest = place->Text();
  absl::StatusOr<std::unique_ptr<Reception>> reception = Reception::Make(bound.ToString());
  if (!reception.ok()) return reception.status();
  auto listener =
      std::make_unique<TcpListener>(std::move(bound), *std::move(socket), std::move(token), *std::move(reception));
  absl::Status open = listener->Open();
  if (!open.ok()) return open;
  return listener;
}

}  // namespace nearcall::internal
