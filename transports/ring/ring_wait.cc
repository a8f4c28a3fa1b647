// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// RingEndpoint: arming, sleeping, the death watch.
#include <errno.h>
#include <poll.h>

#include <algorithm>
#include <array>
#include <cstdint>

#include "absl/strings/str_cat.h"
#include "absl/types/span.h"
#include "nearcall/transports/api/clock.h"
#include "nearcall/transports/api/poll.h"
#include "nearcall/transports/ring/futex.h"
#include "nearcall/transports/ring/ring_endpoint.h"

namespace nearcall::internal {
namespace {

// A futex does not see the end of the socket (a peer that called exec(), or lies): this long that may go unnoticed.
constexpr int64_t kFutexNs = 100'000'000;

// A caller that only ever looks at the memory would not see a death that nobody else watches for.
constexpr uint32_t kLooksBetweenDeaths = 1024;

// Each sleep asks for one byte. A peer that sends more is read this far at a time.
constexpr size_t kWakeBytes = 64;

}  // namespace

void RingEndpoint::LookForDeath() {
  if (ended() || !death_.valid() || death_taken_.load()) return;
  pollfd look = {death_.get(), POLLIN, 0};
  if (PollUntil(absl::MakeSpan(&look, 1), 0) > 0) Gone("the peer's process died");
}

void RingEndpoint::LookForDeathSometimes(uint32_t* looks) {
  if (++*looks % kLooksBetweenDeaths != 0) [[likely]]
    return;
  pollfd look = {socket_->receive_fd(), POLLRDHUP, 0};
  if (!ended() && PollUntil(absl::MakeSpan(&look, 1), 0) > 0) Gone("the peer closed the connection");
  LookForDeath();
}

// The bytes that woke this side, or were to wake the other.
void RingEndpoint::TakeWakeBytes(Side side) {
  char bytes[kWakeBytes];
  const ssize_t n = socket_->Receive(bytes, sizeof(bytes));
  if (n < 0) {
    if (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR && !ended()) Gone("the peer closed the connection");
    return;
  }
  if (n == 0) {
    if (!ended()) Gone("the peer closed the connection");
    return;
  }
  const char others = static_cast<char>(side == Side::kSend ? WakeByte::kFrames : WakeByte::kRoom);
  if (std::find(bytes, bytes + n, others) != bytes + n) bells_->Ring(OtherSide(side));
}

bool RingEndpoint::Arm(Side side) {
  bells_->Arm(side);
  const bool armed = side == Side::kSend ? ArmSend() : ArmReceive();
  if (!armed) bells_->Disarm(side);
  return armed;
}

bool RingEndpoint::ArmReceive() {
  if (closed_.load() || reader_.borrowed()) return false;
  ReturnSpace();
  if (!reader_.Arm(Sleep::kPolls)) return false;
  if (!ended() && !PeerClosed() && !Broken()) return true;
  reader_.Disarm();
  return false;
}

bool RingEndpoint::ArmSend() {
  if (SendEnded() || !writer_.WantsRoom()) return false;
  // Nobody makes room by reading what he has not been given.
  if (writer_.HasUnpublished()) {
    WakePeer(*socket_, out_->consumer_sleeps, writer_.PublishUnasked(), WakeByte::kFrames);
  }
  if (!writer_.Arm()) return false;
  if (!SendEnded()) return true;
  writer_.Disarm();
  return false;
}

void RingEndpoint::Disarm(Side side) {
  if (side == Side::kSend) {
    writer_.Disarm();
  } else {
    reader_.Disarm();
  }
  bells_->Disarm(side);
  TakeWakeBytes(side);
  LookForDeath();
}

std::array<pollfd, 3> RingEndpoint::PollFds(Side side) const {
  const int death = death_taken_.load() ? -1 : death_.get();
  return {pollfd{socket_->receive_fd(), POLLIN | POLLRDHUP, 0}, pollfd{death, POLLIN, 0},
          pollfd{bells_->fd(side), POLLIN, 0}};
}

Io RingEndpoint::Wait(Side side, int64_t deadline_ns) {
  if (side == Side::kReceive && (death_taken_.load() || !death_.valid())) {
    const int64_t until_ns = std::min(deadline_ns, MonotonicNanos() + kFutexNs);
    const Io io = WaitInFutex(until_ns);
    if (io != Io::kWouldBlock || until_ns == deadline_ns) return io;
  }
  return WaitPolling(side, deadline_ns);
}

Io RingEndpoint::WaitInFutex(int64_t until_ns) {
  if (reader_.borrowed()) return Io::kOk;
  ReturnSpace();
  for (;;) {
    if (closed_.load()) return Io::kClosed;
    if (!reader_.Arm(Sleep::kFutex)) return Io::kOk;
    if (!ended() && !PeerClosed() && !Broken()) FutexWait(in_->consumer_sleeps, Sleep::kFutex, until_ns);
    reader_.Disarm();
    if (closed_.load()) return Io::kClosed;
    if (reader_.Look() || gone_.load() || PeerClosed()) return Io::kOk;
    if (MonotonicNanos() >= until_ns) return Io::kWouldBlock;
  }
}

Io RingEndpoint::WaitPolling(Side side, int64_t deadline_ns) {
  for (;;) {
    if (!Arm(side)) return closed_.load() || (side == Side::kSend && ended()) ? Io::kClosed : Io::kOk;
    std::array<pollfd, 3> fds = PollFds(side);
    const int ready = PollUntil(absl::MakeSpan(fds), deadline_ns);
    Disarm(side);
    if (closed_.load()) return Io::kClosed;
    if (side == Side::kReceive && reader_.Look()) return Io::kOk;
    // A sender's room, and an end, are found by the next Arm().
    if (ready == 0 || (deadline_ns != kNoDeadline && MonotonicNanos() >= deadline_ns)) return Io::kWouldBlock;
  }
}

}  // namespace nearcall::internal
