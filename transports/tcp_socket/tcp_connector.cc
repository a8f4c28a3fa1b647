// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
#include "nearcall/transports/tcp_socket/tcp_connector.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "nearcall/transports/api/clock.h"
#include "nearcall/transports/api/closed_endpoint.h"
#include "nearcall/transports/api/errno_status.h"

namespace nearcall::internal {
namespace {

bool SetTimer(int timer, int64_t at_ns) {
  itimerspec spec = {};
  spec.it_value.tv_sec = at_ns / 1'000'000'000;
  spec.it_value.tv_nsec = at_ns % 1'000'000'000;
  return ::timerfd_settime(timer, TFD_TIMER_ABSTIME, &spec, nullptr) == 0;
}

// A port that nobody listens at may be the one that the kernel gives the client itself; then it meets itself.
bool MetItself(int fd) {
  sockaddr_storage own = {};
  sockaddr_storage peer = {};
  socklen_t own_size = sizeof(own);
  socklen_t peer_size = sizeof(peer);
  return ::getsockname(fd, reinterpret_cast<sockaddr*>(&own), &own_size) == 0 &&
         ::getpeername(fd, reinterpret_cast<sockaddr*>(&peer), &peer_size) == 0 && own_size == peer_size &&
         ::memcmp(&own, &peer, own_size) == 0;
}

// What a client sends to a server that has ended is taken by the kernel, and lost: only then comes a reset. So before
// the first bytes after a pause it looks whether the end has come, and says EPIPE, which means that nothing was sent:
// calls go to the next server instead of being lost with the last one.
class TcpClientIo final : public ByteIo {
 public:
  explicit TcpClientIo(std::unique_ptr<ByteIo> io) : io_(std::move(io)) {}
  int send_fd() const override { return io_->send_fd(); }
  int receive_fd() const override { return io_->receive_fd(); }
  int wake_fd() const override { return io_->wake_fd(); }
  ssize_t Send(const char* data, size_t size) override {
    const int64_t now = MonotonicNanos();
    const int64_t paused = now - last_sent_;
    last_sent_ = now;
    if (paused > kPause && HasEnded()) {
      errno = EPIPE;
      return -1;
    }
    return io_->Send(data, size);
  }
  ssize_t Receive(char* data, size_t size) override { return io_->Receive(data, size); }
  ssize_t SendMessage(const msghdr& message) override { return io_->SendMessage(message); }
  ssize_t ReceiveMessage(msghdr* message) override { return io_->ReceiveMessage(message); }
  bool can_block() const override { return io_->can_block(); }
  ssize_t ReceiveBlocking(char* data, size_t size, int64_t timeout_ns) override {
    return io_->ReceiveBlocking(data, size, timeout_ns);
  }
  void Shutdown() override { io_->Shutdown(); }

 private:
  static constexpr int64_t kPause = 1'000'000;  // no server is started again sooner; calls in a row pay nothing

  bool HasEnded() const {
    pollfd look = {io_->send_fd(), POLLRDHUP, 0};
    return ::poll(&look, 1, 0) > 0;
  }

  const std::unique_ptr<ByteIo> io_;
  int64_t last_sent_ = 0;  // the sender's
};

}  // namespace

TcpClientHandshake::TcpClientHandshake(std::string name, const TcpPlace& place, int fd, UniqueFd timer)
    : name_(std::move(name)),
      place_(place),
      fd_(fd),
      timer_(std::move(timer)),
      give_up_at_(MonotonicNanos() + kTcpConnectNanos) {}

absl::Status TcpClientHandshake::Unavailable(absl::string_view text) const {
  return absl::UnavailableError(absl::StrCat(name_, ": ", text));
}

absl::Status TcpClientHandshake::Denied(absl::string_view text) const {
  return absl::PermissionDeniedError(absl::StrCat(name_, ": ", text));
}

Io TcpClientHandshake::Start(ByteIo& io, absl::Status* why) {
  int result;
  do {
    result = ::connect(fd_, place_.name(), place_.size());
  } while (result != 0 && errno == EINTR);
  if (result != 0 && errno != EINPROGRESS) {
    *why = ConnectFailed(errno);
    return Io::kClosed;
  }
  if (!SetTimer(timer_.get(), give_up_at_)) {
    *why = ErrnoStatus(errno, absl::StrCat(name_, ": cannot set a timer"));
    return Io::kClosed;
  }
  return Advance(io, why);  // on one host it stands, or has been refused, already
}

Io TcpClientHandshake::Connect(ByteIo& io, absl::Status* why) {
  const Io result = Advance(io, why);
  if (result != Io::kWouldBlock || MonotonicNanos() < give_up_at_) return result;
  *why = Unavailable(step_ == Step::kConnecting ? "there has been no connection for 5 s; is its backlog full?"
                                                : "nobody has answered for 5 s; is the server stopped?");
  return Io::kClosed;
}

pollfd TcpClientHandshake::ConnectPoll() const {
  return {fd_, static_cast<short>(step_ == Step::kAnswer ? POLLIN : POLLOUT), 0};
}

pollfd TcpClientHandshake::ConnectTimer() const { return {timer_.get(), POLLIN, 0}; }

void TcpClientHandshake::Interrupt() { SetTimer(timer_.get(), 1); }

Io TcpClientHandshake::Advance(ByteIo& io, absl::Status* why) {
  if (step_ == Step::kConnecting) {
    if (const Io connected = AwaitConnection(why); connected != Io::kOk) return connected;
  }
  if (step_ == Step::kGreeting) {
    int error = 0;
    if (writer_->Write(io, &error) == Io::kWouldBlock) return Io::kWouldBlock;
    step_ = Step::kAnswer;  // after an error too: who has refused us already may have said why
  }
  if (step_ == Step::kAnswer) return AwaitAnswer(io, why);
  return Io::kOk;
}

Io TcpClientHandshake::AwaitConnection(absl::Status* why) {
  pollfd look = {fd_, POLLOUT, 0};
  if (::poll(&look, 1, 0) == 0) return Io::kWouldBlock;
  int error = 0;
  socklen_t size = sizeof(error);
  if (::getsockopt(fd_, SOL_SOCKET, SO_ERROR, &error, &size) != 0) error = errno;
  *why = error != 0 ? ConnectFailed(error) : Connected();
  return why->ok() ? Io::kOk : Io::kClosed;
}

absl::Status TcpClientHandshake::ConnectFailed(int error) const {
  if (error == ECONNREFUSED) return Unavailable(absl::StrCat("no server is listening: ", ErrnoText(error)));
  return Unavailable(absl::StrCat("cannot connect: ", ErrnoText(error)));
}

absl::Status TcpClientHandshake::Connected() {
  if (MetItself(fd_)) return ConnectFailed(ECONNREFUSED);
  if (place_.token) {
    absl::Status read = ReadOwnToken();
    if (!read.ok()) return read;
  }
  int off = 0;
  ::ioctl(fd_, FIONBIO, &off);  // blocking from here on: the endpoint asks for MSG_DONTWAIT where it wants it
  const int on = 1;
  ::setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  TcpGreeting greeting;
  if (token_.has_value()) greeting.token = token_->client;
  writer_.emplace(greeting);
  step_ = Step::kGreeting;
  return absl::OkStatus();
}

absl::Status TcpClientHandshake::ReadOwnToken() {
  const std::string path = place_.TokenPath();
  absl::StatusOr<Token> token = ReadToken(path, place_.token_file.empty());
  if (token.ok()) {
    token_ = *token;
    return absl::OkStatus();
  }
  if (token.status().code() == absl::StatusCode::kNotFound) {
    return Denied(absl::StrCat("somebody listens, but there is no token at ", path,
                               ": its server runs as another user, in another environment or with another address, or "
                               "is no nearcall server. Give both sides one ?token_file=PATH, or both ?token=none"));
  }
  return absl::Status(token.status().code() == absl::StatusCode::kResourceExhausted
                          ? absl::StatusCode::kResourceExhausted
                          : absl::StatusCode::kPermissionDenied,
                      absl::StrCat(name_, ": ", token.status().message()));
}

Io TcpClientHandshake::AwaitAnswer(ByteIo& io, absl::Status* why) {
  switch (reader_.Read(io)) {
    case TcpGreetingReader::kMore:
      return Io::kWouldBlock;
    case TcpGreetingReader::kDone:
      *why = CheckAnswer();
      if (!why->ok()) return Io::kClosed;
      step_ = Step::kDone;
      return Io::kOk;
    case TcpGreetingReader::kEnd:
      *why = Unavailable(absl::StrCat("no greeting came: ", reader_.problem()));
      break;
    case TcpGreetingReader::kBad:
      *why = Unavailable(absl::StrCat("no nearcall server answered: ", reader_.problem()));
      break;
    case TcpGreetingReader::kVersion:
      *why = Unavailable(absl::StrCat(reader_.problem(), "; rebuild the older of the two"));
      break;
  }
  return Io::kClosed;
}

absl::Status TcpClientHandshake::CheckAnswer() const {
  const TcpGreeting& greeting = reader_.greeting();
  if (greeting.kind == TcpGreetingKind::kRefusal) return Refused(greeting.refusal);
  if (greeting.kind != TcpGreetingKind::kWelcome || greeting.max_frame != kTcpMaxFrame) {
    return Unavailable("the server's greeting does not answer ours");
  }
  if (!token_.has_value()) return absl::OkStatus();
  if (greeting.token.has_value() && SameHalf(*greeting.token, token_->server)) return absl::OkStatus();
  return Denied(absl::StrCat("who listens there does not know the token in ", place_.TokenPath(),
                             ": it is not the server that wrote it, and was sent nothing"));
}

absl::Status TcpClientHandshake::Refused(TcpRefusal refusal) const {
  switch (refusal) {
    case TcpRefusal::kNoToken:
      return Denied("the server asks for a token; leave ?token=none away, or give both sides one ?token_file=PATH");
    case TcpRefusal::kWrongToken:
      return Denied(absl::StrCat("the server did not accept the token in ", place_.TokenPath(),
                                 ": it is another server's; give both sides one ?token_file=PATH"));
    case TcpRefusal::kOpen:
      return Denied("the server has no token to prove itself by; if that is right, add ?token=none to the address");
    case TcpRefusal::kNotAGreeting:
      return Unavailable("the server refused the connection: it did not receive a greeting it understands");
    case TcpRefusal::kVersion:
      return Unavailable("the server refused the connection: it does not speak this greeting version");
    case TcpRefusal::kMaxFrame:
      return Unavailable("the server refused the connection: it takes frames of another size");
    case TcpRefusal::kBusy:
      return Unavailable("the server refused the connection: it is out of descriptors or has too many half-open ones");
    case TcpRefusal::kTimeout:
      return Unavailable("the server refused the connection: the greeting was not complete in time");
    case TcpRefusal::kNone:
      break;
  }
  return Unavailable(absl::StrCat("the server refused the connection (reason ", static_cast<int>(refusal), ")"));
}

Io TcpClientHandshake::SendGreeting(ByteIo& io, absl::Span<const char> frames, size_t* sent, absl::Status* why) {
  *sent = 0;
  if (frames.empty()) return Io::kOk;  // the greeting is out: that was a part of connecting
  const ssize_t n = io.Send(frames.data(), frames.size());
  if (n >= 0) {
    *sent = static_cast<size_t>(n);
  } else if (errno != EAGAIN && errno != EWOULDBLOCK) {
    *why = Unavailable(absl::StrCat("the peer closed the connection: ", ErrnoText(errno)));
    return Io::kClosed;
  }
  return Io::kOk;
}

Io TcpClientHandshake::ReceiveGreeting(ByteIo&, Greeted*, absl::Status*) { return Io::kOk; }

absl::StatusOr<std::unique_ptr<Endpoint>> ConnectTcp(const Address& address) {
  const std::string name = address.ToString();
  absl::StatusOr<TcpPlace> place = TcpPlaceOf(address);
  if (!place.ok()) return place.status();
  if (place->port() == 0) return absl::InvalidArgumentError(absl::StrCat(name, ": port 0 is a server's only"));
  UniqueFd socket(::socket(place->address.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket.valid()) return ErrnoStatus(errno, absl::StrCat(name, ": cannot make a socket"));
  BoundTcpBuffers(socket.get());
  UniqueFd timer(::timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK));
  if (!timer.valid()) return ErrnoStatus(errno, absl::StrCat(name, ": cannot make a timer"));
  const int fd = socket.get();
  std::unique_ptr<ByteIo> io = std::make_unique<TcpClientIo>(NewSocketIo(std::move(socket)));
  auto handshake = std::make_unique<TcpClientHandshake>(name, *place, fd, std::move(timer));
  absl::Status why;
  if (handshake->Start(*io, &why) == Io::kClosed) return NewClosedEndpoint("tcp", std::move(why));
  ByteStreamOptions options;
  options.info.transport = "tcp";
  options.info.max_frame = kTcpMaxFrame;
  options.info.may_lose_last = true;
  options.name = name;
  options.handshake = std::move(handshake);
  return std::make_unique<ByteStreamEndpoint>(std::move(io), std::move(options));
}

}  // namespace nearcall::internal
