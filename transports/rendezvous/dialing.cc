// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
#include "nearcall/transports/rendezvous/dialing.h"

#include <errno.h>
#include <sys/eventfd.h>

#include <utility>

#include "nearcall/transports/api/errno_status.h"

namespace nearcall::internal {
namespace {

class RendezvousDialing final : public DatagramDialing {
 public:
  RendezvousDialing(ByteIo& socket, std::unique_ptr<ByteStreamHandshake> handshake, UniqueFd done)
      : socket_(socket), handshake_(std::move(handshake)), done_(std::move(done)) {}

  Io Dial(Met* met, absl::Status* why) override {
    if (!connected_) {
      if (const Io io = handshake_->Connect(socket_, why); io != Io::kOk) return io;
      connected_ = true;
    }
    if (!greeting_sent_) {
      size_t sent = 0;
      const Io io = handshake_->SendGreeting(socket_, {}, &sent, why);
      if (io == Io::kWouldBlock) return io;
      greeting_sent_ = io == Io::kOk;
      if (io == Io::kClosed) return Refused(why);
    }
    ByteStreamHandshake::Greeted greeted;
    const Io io = handshake_->ReceiveGreeting(socket_, &greeted, why);
    if (io == Io::kOk) *met = {greeted.peer, std::move(greeted.death), greeted.keeps_death};
    return io;
  }

  pollfd Poll() const override {
    if (!connected_) return handshake_->ConnectPoll();
    const int events = POLLIN | POLLRDHUP | (greeting_sent_ ? 0 : POLLOUT);
    return {socket_.receive_fd(), static_cast<short>(events), 0};
  }
  int done_fd() const override { return done_.get(); }
  void Interrupt() override {
    ::eventfd_write(done_.get(), 1);
    handshake_->Interrupt();
  }

 private:
  // The server may have said why before it closed: then that is the reason, not the broken socket.
  Io Refused(absl::Status* why) {
    absl::Status said;
    ByteStreamHandshake::Greeted greeted;
    if (handshake_->ReceiveGreeting(socket_, &greeted, &said) == Io::kClosed) *why = std::move(said);
    return Io::kClosed;
  }

  ByteIo& socket_;
  const std::unique_ptr<ByteStreamHandshake> handshake_;
  const UniqueFd done_;
  bool connected_ = false;
  bool greeting_sent_ = false;
};

}  // namespace

absl::StatusOr<std::unique_ptr<DatagramDialing>> NewRendezvousDialing(ByteIo& socket,
                                                                      std::unique_ptr<ByteStreamHandshake> handshake) {
  UniqueFd done(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!done.valid()) return ErrnoStatus(errno, "no descriptor to wake sleepers with (eventfd)");
  return std::make_unique<RendezvousDialing>(socket, std::move(handshake), std::move(done));
}

}  // namespace nearcall::internal
