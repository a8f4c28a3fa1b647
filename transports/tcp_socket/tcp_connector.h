// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// The client's half of tcp:: connects, reads the token, proves its half, and checks the server's.
//
//   auto endpoint = ConnectTcp(*ParseAddress("tcp:4000"));
//
// All of that is connecting: the endpoint says kWouldBlock until the server has proved itself, at most 5 s, so no frame
// goes to anybody else. The token is read once the connection stands: it is there before its server can be connected
// to, so what is read is never an older server's.
//
// Thread safety: any thread. Lifetime: the endpoint is the caller's. Errors: a bad address is the function's error.
// What else goes wrong is the endpoint's status: UNAVAILABLE (nobody listens, something else answers) or
// PERMISSION_DENIED (no token, a wrong one, a server that does not know it), naming the address and what to do.
#ifndef NEARCALL_TRANSPORTS_TCP_SOCKET_TCP_CONNECTOR_H_
#define NEARCALL_TRANSPORTS_TCP_SOCKET_TCP_CONNECTOR_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "nearcall/transports/api/endpoint.h"
#include "nearcall/transports/byte_stream/byte_stream.h"
#include "nearcall/transports/tcp_socket/tcp_greeting.h"
#include "nearcall/transports/tcp_socket/tcp_place.h"
#include "nearcall/transports/tcp_socket/token.h"

namespace nearcall::internal {

inline constexpr int64_t kTcpConnectNanos = 5'000'000'000;

absl::StatusOr<std::unique_ptr<Endpoint>> ConnectTcp(const Address& address);

class TcpClientHandshake final : public ByteStreamHandshake {
 public:
  // `fd` is the endpoint's socket (it outlives this), not yet connected, in non-blocking mode.
  TcpClientHandshake(std::string name, const TcpPlace& place, int fd, UniqueFd timer);

  // Begins, and goes as far as it can at once.
  Io Start(ByteIo& io, absl::Status* why);

  Io Connect(ByteIo& io, absl::Status* why) override;
  pollfd ConnectPoll() const override;
  pollfd ConnectTimer() const override;
  void Interrupt() override;
  Io SendGreeting(ByteIo& io, absl::Span<const char> frames, size_t* sent, absl::Status* why) override;
  Io ReceiveGreeting(ByteIo& io, Greeted* greeted, absl::Status* why) override;

 private:
  enum class Step { kConnecting, kGreeting, kAnswer, kDone };

  Io Advance(ByteIo& io, absl::Status* why);
  Io AwaitConnection(absl::Status* why);
  absl::Status Connected();
  absl::Status ConnectFailed(int error) const;
  absl::Status ReadOwnToken();
  Io AwaitAnswer(ByteIo& io, absl::Status* why);
  absl::Status CheckAnswer() const;
  absl::Status Refused(TcpRefusal refusal) const;
  absl::Status Unavailable(absl::string_view text) const;
  absl::Status Denied(absl::string_view text) const;

  const std::string name_;
  const TcpPlace place_;
  const int fd_;
  const UniqueFd timer_;
  const int64_t give_up_at_;
  Step step_ = Step::kConnecting;
  std::optional<Token> token_;
  std::optional<TcpGreetingWriter> writer_;
  TcpGreetingReader reader_;
};

}  // namespace nearcall::internal

#endif  // NEARCALL_TRANSPORTS_TCP_SOCKET_TCP_CONNECTOR_H_
