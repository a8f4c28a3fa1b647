// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// ByteStreamEndpoint: arming, sleeping, the death watch.

#include <errno.h>
#include <poll.h>

#include <array>
#include <cstdint>

#include "absl/types/span.h"
#include "nearcall/transports/api/clock.h"
#include "nearcall/transports/api/poll.h"
#include "nearcall/transports/byte_stream/byte_stream.h"

namespace nearcall {
namespace {

// A receive timeout counts in clock ticks and may end two late; what is left then is slept in ppoll, which is exact.
constexpr int64_t kTicks = 10'000'000;

}  // namespace

bool ByteStreamEndpoint::PeerIsDead() const {
  const int death = death_fd_.load(std::memory_order_acquire);
  if (death < 0 || death_taken_.load(std::memory_order_acquire)) return false;
  pollfd look = {death, POLLIN, 0};
  return PollUntil(absl::MakeSpan(&look, 1), 0) > 0;
}

bool ByteStreamEndpoint::PeerHasClosed() const {
  pollfd look = {io_->send_fd(), POLLRDHUP, 0};
  return PollUntil(absl::MakeSpan(&look, 1), 0) > 0;
}

bool ByteStreamEndpoint::StreamIsReadable() const {
  pollfd look = {io_->receive_fd(), POLLIN, 0};
  return PollUntil(absl::MakeSpan(&look, 1), 0) > 0;
}

bool ByteStreamEndpoint::Arm(Side side) {
  if (closed()) return false;
  if (side == Side::kSend) {
    if (send_ended_) return false;
    if (greeting_sent_) return !send_.empty();
    return Connecting() != Io::kClosed;  // a greeting that does not get out waits for the same as frames do
  }
  stream_was_empty_ = false;
  if (!greeting_received_) return Connecting() != Io::kClosed;
  absl::Span<const char> bytes;
  return receive_.Next(&bytes) == ReceiveBuffer::Found::kPart;
}

// Nothing to undo: the streams' own readiness is level-triggered, and the peer signals nobody.
void ByteStreamEndpoint::Disarm(Side) {}

std::array<pollfd, 3> ByteStreamEndpoint::PollFds(Side side) const {
  const pollfd wake = {io_->wake_fd(), POLLIN, 0};
  if (!connected_.load(std::memory_order_acquire)) {
    std::lock_guard<std::mutex> lock(mutex_);
    if (!connected_.load(std::memory_order_relaxed)) {
      return {handshake_->ConnectPoll(), handshake_->ConnectTimer(), wake};
    }
  }
  const bool taken = death_taken_.load(std::memory_order_acquire);
  pollfd death = {taken ? -1 : death_fd_.load(std::memory_order_acquire), POLLIN, 0};
  // Its death is the end of what it writes, too; where a child of it goes on writing, the receiver sees the death.
  if (side == Side::kSend && io_->end_is_received()) death = {io_->receive_fd(), 0, 0};
  if (side == Side::kSend) return {pollfd{io_->send_fd(), POLLOUT | POLLRDHUP, 0}, death, wake};
  return {pollfd{io_->receive_fd(), POLLIN, 0}, death, wake};
}

int ByteStreamEndpoint::TakeDeathWatch() {
  const int death = death_fd_.load(std::memory_order_acquire);
  if (death >= 0) death_taken_.store(true, std::memory_order_release);
  return death;
}

// Not Close(): what has arrived is still received; the stream, shut down here, then ends even while a forked child of
// the dead process holds its other end.
void ByteStreamEndpoint::PeerDied() {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    if (reason_.ok()) reason_ = Gone("the peer's process died");
  }
  io_->Shutdown();
}

Io ByteStreamEndpoint::Wait(Side side, int64_t deadline_ns) {
  if (side == Side::kReceive && greeting_received_ && io_->can_block() &&
      (death_taken_.load(std::memory_order_relaxed) || death_fd_.load(std::memory_order_relaxed) < 0)) {
    return WaitBlocking(deadline_ns);
  }
  return WaitPolling(side, deadline_ns);
}

Io ByteStreamEndpoint::WaitBlocking(int64_t deadline_ns) {
  for (;;) {
    if (closed()) return Io::kClosed;
    absl::Span<const char> bytes;
    if (borrowed_ || receive_.Next(&bytes) != ReceiveBuffer::Found::kPart) return Io::kOk;
    int64_t timeout_ns = kNoDeadline;
    if (deadline_ns != kNoDeadline) {
      timeout_ns = deadline_ns - MonotonicNanos() - kTicks;
      if (timeout_ns < kTicks) return WaitPolling(Side::kReceive, deadline_ns);
    }
    const absl::Span<char> room = receive_.Room();
    const ssize_t received = io_->ReceiveBlocking(room.data(), room.size(), timeout_ns);
    const int error = received < 0 ? errno : 0;
    if (error == EINTR) continue;
    // Timed out, perhaps early, or the descriptor is in non-blocking mode: ppoll does the rest.
    if (error == EAGAIN || error == EWOULDBLOCK) return WaitPolling(Side::kReceive, deadline_ns);
    if (Filled(received, room.size(), error) == Io::kClosed) return Io::kClosed;
  }
}

Io ByteStreamEndpoint::WaitPolling(Side side, int64_t deadline_ns) {
  for (;;) {
    if (!Arm(side)) return closed() ? Io::kClosed : Io::kOk;
    std::array<pollfd, 3> fds = PollFds(side);
    const int ready = PollUntil(absl::MakeSpan(fds), deadline_ns);
    Disarm(side);
    if (ready == 0) return Io::kWouldBlock;
    if (side == Side::kSend) return Io::kOk;
    // Part of a frame is not worth a return; a peer that dribbles is not worth missing the deadline for.
    if (Fill() == Io::kClosed) return Io::kClosed;
    absl::Span<const char> bytes;
    if (greeting_received_ && receive_.Next(&bytes) != ReceiveBuffer::Found::kPart) return Io::kOk;
    if (deadline_ns != kNoDeadline && MonotonicNanos() >= deadline_ns) return Io::kWouldBlock;
  }
}

}  // namespace nearcall
