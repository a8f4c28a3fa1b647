// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
#include "nearcall/transports/datagram/datagram.h"

#include <errno.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "nearcall/transports/api/clock.h"
#include "nearcall/transports/api/errno_status.h"
#include "nearcall/transports/api/poll.h"

namespace nearcall {
namespace {

constexpr size_t kHeader = 4;
constexpr size_t kNothingReserved = SIZE_MAX;

// A sleep in the receive call sees no end that nobody tells: this long that may go unnoticed, then it polls.
constexpr int64_t kBlockNs = 100'000'000;

void StoreLength(size_t length, char* to) {
  for (size_t i = 0; i < kHeader; ++i) to[i] = static_cast<char>(length >> (8 * i));
}
size_t LoadLength(const char* from) {
  size_t length = 0;
  for (size_t i = 0; i < kHeader; ++i) length |= size_t{static_cast<unsigned char>(from[i])} << (8 * i);
  return length;
}

EndpointInfo WithMaxFrame(EndpointInfo info, size_t max_datagram) {
  info.max_frame = max_datagram - kHeader;
  return info;
}

}  // namespace

ssize_t DatagramIo::ReceiveBlocking(char*, size_t, int64_t) {
  errno = EAGAIN;
  return -1;
}

DatagramEndpoint::DatagramEndpoint(std::unique_ptr<DatagramIo> io, DatagramOptions options)
    : io_(std::move(io)),
      dialing_(std::move(options.dialing)),
      name_(std::move(options.name)),
      max_datagram_(options.max_datagram),
      owner_(::getpid()),
      first_info_(WithMaxFrame(std::move(options.info), max_datagram_)),
      death_owner_(std::move(options.death)),
      info_(&first_info_),
      death_fd_(death_owner_.get()),
      connected_(dialing_ == nullptr) {}

// A forked child's copy of this object must not end the parent's connection.
DatagramEndpoint::~DatagramEndpoint() {
  if (::getpid() == owner_ && !closed()) Close(absl::OkStatus());
}

absl::Status DatagramEndpoint::status() const {
  std::lock_guard<std::mutex> lock(mutex_);
  return reason_;
}

absl::Status DatagramEndpoint::Named(absl::StatusCode code, absl::string_view text) const {
  return absl::Status(code, absl::StrCat(name_, ": ", text));
}

Io DatagramEndpoint::Connecting() {
  if (connected_.load(std::memory_order_acquire)) [[likely]]
    return Io::kOk;
  absl::Status why;
  {
    std::lock_guard<std::mutex> lock(mutex_);
    if (connected_.load(std::memory_order_relaxed)) return Io::kOk;
    if (closed()) return Io::kClosed;
    DatagramDialing::Met met;
    Io io = dialing_->Dial(&met, &why);
    if (io == Io::kWouldBlock && PeerIsDead()) {
      io = Io::kClosed;
      why = Named(absl::StatusCode::kUnavailable, "the peer's process died before its greeting came");
    }
    if (io == Io::kOk) {
      met_info_ = first_info_;
      if (met.peer.has_value()) met_info_.peer = met.peer;
      if (met.death.valid() || !met.keeps_death) {
        early_death_owner_ = std::exchange(death_owner_, std::move(met.death));
        death_fd_.store(death_owner_.get(), std::memory_order_release);
        death_taken_.store(false);
      }
      met_info_.sees_death = death_owner_.valid();
      info_.store(&met_info_, std::memory_order_release);
      connected_.store(true, std::memory_order_release);
      dialing_->Interrupt();  // the other role may sleep for what this one has used up
    }
    if (io != Io::kClosed) return io;
  }
  Close(std::move(why));
  return Io::kClosed;
}

// ---- sender

Io DatagramEndpoint::Reserve(size_t size, absl::Span<char>* space) {
  if (closed() || send_ended_) return shown_ && !closed() ? Io::kWouldBlock : Io::kClosed;
  if (const Io io = Connecting(); io != Io::kOk) return io;
  if (size > first_info_.max_frame) [[unlikely]] {
    Close(Named(absl::StatusCode::kInvalidArgument,
                absl::StrCat("a frame of ", size, " bytes was to be sent; the limit is ", first_info_.max_frame)));
    return Io::kClosed;
  }
  if (out_ == nullptr) out_.reset(new char[max_datagram_]);  // not filled with zeros
  reserved_ = kNothingReserved;
  if (out_begin_ == out_end_) out_begin_ = out_end_ = 0;
  if (max_datagram_ - out_end_ < kHeader + size) {
    const Io io = SendDatagram();
    if (io != Io::kOk) return shown_ && io == Io::kClosed && !closed() ? Io::kWouldBlock : io;
    shown_ = true;
    out_begin_ = out_end_ = 0;
  }
  reserved_ = size;
  *space = {out_.get() + out_end_ + kHeader, size};
  return Io::kOk;
}

Io DatagramEndpoint::Commit(size_t size, absl::Span<UniqueFd> fds) {
  if (closed() || send_ended_) return Io::kClosed;
  if (!fds.empty() || reserved_ == kNothingReserved || size > reserved_) [[unlikely]] {
    Close(Named(absl::StatusCode::kInvalidArgument,
                fds.empty() ? std::string("a frame was committed that is larger than what was reserved")
                            : absl::StrCat(fds.size(), " descriptors were to be sent; ", first_info_.transport,
                                           " carries none")));
    return Io::kClosed;
  }
  StoreLength(size, out_.get() + out_end_);
  out_end_ += kHeader + size;
  reserved_ = kNothingReserved;
  return Io::kOk;
}

Io DatagramEndpoint::Flush() {
  const bool shown = std::exchange(shown_, false);
  if (closed() || send_ended_) return shown && !closed() ? Io::kWouldBlock : Io::kClosed;
  if (const Io io = Connecting(); io != Io::kOk) return io;
  if (out_begin_ == out_end_) return Io::kOk;
  const Io io = SendDatagram();
  if (io == Io::kWouldBlock) shown_ = shown;  // asked again
  return io == Io::kClosed && shown && !closed() ? Io::kWouldBlock : io;
}

// A reservation stays where it is, behind what is sent.
Io DatagramEndpoint::SendDatagram() {
  if (io_->Send(out_.get() + out_begin_, out_end_ - out_begin_) >= 0) [[likely]] {
    out_begin_ = out_end_;
    return Io::kOk;
  }
  const int error = errno;
  if (error == EAGAIN || error == EWOULDBLOCK || error == ENOBUFS) {
    const bool dead = PeerIsDead();
    if (!dead && !(std::exchange(send_woken_, false) && io_->Ended())) return Io::kWouldBlock;
    EndSending(
        Named(absl::StatusCode::kUnavailable, dead ? "the peer's process died" : "the peer closed the connection"));
  } else if (error == EPIPE || error == ECONNRESET || error == ENOTCONN) {
    EndSending(Named(absl::StatusCode::kUnavailable, "the peer closed the connection"));
  } else {
    EndSending(Named(absl::StatusCode::kUnavailable, absl::StrCat("sending failed: ", internal::ErrnoText(error))));
  }
  return Io::kClosed;
}

// Not Close(): what has arrived is still delivered, and the receiver then finds the end.
void DatagramEndpoint::EndSending(absl::Status why) {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    if (reason_.ok()) reason_ = std::move(why);
  }
  send_ended_ = true;
  io_->Shutdown();
}

// ---- receiver

Io DatagramEndpoint::Borrow(Frame* frame) {
  if (closed()) return Io::kClosed;
  if (in_begin_ == in_end_) {
    if (std::exchange(was_empty_, false)) return Io::kWouldBlock;
    if (const Io io = Receive(); io != Io::kOk) return io;
  }
  frame->fds = {};
  return FirstFrame(&frame->bytes);
}

Io DatagramEndpoint::FirstFrame(absl::Span<const char>* bytes) {
  const size_t there = in_end_ - in_begin_;
  const size_t length = there >= kHeader ? LoadLength(in_.get() + in_begin_) : 0;
  if (there < kHeader || length > there - kHeader) {
    Close(Named(absl::StatusCode::kInternal,
                there < kHeader ? absl::StrCat("the peer sent ", there, " bytes where a frame's length belongs")
                                : absl::StrCat("the peer announced a frame of ", length, " bytes with ",
                                               there - kHeader, " left in the datagram")));
    return Io::kClosed;
  }
  *bytes = {in_.get() + in_begin_ + kHeader, length};
  borrowed_size_ = kHeader + length;
  borrowed_ = true;
  return Io::kOk;
}

void DatagramEndpoint::Release() {
  if (!borrowed_) return;
  borrowed_ = false;
  in_begin_ += borrowed_size_;
}

Io DatagramEndpoint::Receive() {
  if (const Io io = Connecting(); io != Io::kOk) return io;
  if (in_ == nullptr) in_.reset(new char[max_datagram_]);
  const ssize_t size = io_->Receive(in_.get(), max_datagram_);
  return Received(size, size < 0 ? errno : 0);
}

Io DatagramEndpoint::Received(ssize_t size, int error) {
  if (size > 0) {
    in_begin_ = 0;
    in_end_ = static_cast<size_t>(size);
    woken_ = false;
    // Its sender flushed rather than fill it, so that most likely nothing is behind it. Arm() never relies on that.
    was_empty_ = in_end_ < max_datagram_ / 2;
    return Io::kOk;
  }
  if (size == 0 || error == ECONNRESET) return End("the peer closed the connection");
  if (error == EAGAIN || error == EWOULDBLOCK) return NothingThere();
  if (error == EINTR) return Io::kWouldBlock;
  Close(Named(absl::StatusCode::kUnavailable, absl::StrCat("receiving failed: ", internal::ErrnoText(error))));
  return Io::kClosed;
}

// Woken for nothing: by the end, perhaps. What came before it is looked for once more.
Io DatagramEndpoint::NothingThere() {
  if (!std::exchange(woken_, false)) return Io::kWouldBlock;
  const bool dead = PeerIsDead();
  if (!dead && !io_->Ended()) return Io::kWouldBlock;
  const ssize_t size = io_->Receive(in_.get(), max_datagram_);
  if (size > 0) return Received(size, 0);
  return End(dead ? "the peer's process died" : "the peer closed the connection");
}

Io DatagramEndpoint::End(absl::string_view text) {
  Close(Named(absl::StatusCode::kUnavailable, text));
  return Io::kClosed;
}

// ---- sleeping

bool DatagramEndpoint::PeerIsDead() const {
  const int death = death_fd_.load(std::memory_order_acquire);
  if (death < 0 || death_taken_.load(std::memory_order_acquire)) return false;
  pollfd look = {death, POLLIN, 0};
  return PollUntil(absl::MakeSpan(&look, 1), 0) > 0;
}

bool DatagramEndpoint::Arm(Side side) {
  if (closed()) return false;
  if (!connected_.load(std::memory_order_acquire)) return Connecting() == Io::kWouldBlock;
  if (side == Side::kSend) return !send_ended_ && out_begin_ != out_end_;
  was_empty_ = false;
  return !borrowed_ && in_begin_ == in_end_;
}

// Nothing to undo: readiness is level-triggered, and the peer signals nobody.
void DatagramEndpoint::Disarm(Side side) { (side == Side::kReceive ? woken_ : send_woken_) = true; }

std::array<pollfd, 3> DatagramEndpoint::PollFds(Side side) const {
  const bool taken = death_taken_.load(std::memory_order_acquire);
  const pollfd death = {taken ? -1 : death_fd_.load(std::memory_order_acquire), POLLIN, 0};
  if (!connected_.load(std::memory_order_acquire)) {
    std::lock_guard<std::mutex> lock(mutex_);
    if (!connected_.load(std::memory_order_relaxed)) {
      return {dialing_->Poll(), death, pollfd{dialing_->done_fd(), POLLIN, 0}};
    }
  }
  const pollfd end = {io_->end_fd(), POLLIN | POLLRDHUP, 0};
  if (side == Side::kSend) return {pollfd{io_->send_fd(), POLLOUT, 0}, death, end};
  return {pollfd{io_->receive_fd(), POLLIN, 0}, death, end};
}

Io DatagramEndpoint::Wait(Side side, int64_t deadline_ns) {
  if (side == Side::kReceive && io_->can_block() && connected_.load(std::memory_order_acquire) &&
      (death_taken_.load(std::memory_order_relaxed) || death_fd_.load(std::memory_order_relaxed) < 0)) {
    const Io io = WaitBlocking(deadline_ns);
    if (io != Io::kWouldBlock) return io;
  }
  return WaitPolling(side, deadline_ns);
}

// kWouldBlock: poll from here on.
Io DatagramEndpoint::WaitBlocking(int64_t deadline_ns) {
  const int64_t until_ns = std::min(deadline_ns, MonotonicNanos() + kBlockNs);
  for (;;) {
    if (closed()) return Io::kClosed;
    if (borrowed_ || in_begin_ != in_end_) return Io::kOk;
    if (in_ == nullptr) in_.reset(new char[max_datagram_]);
    const ssize_t size = io_->ReceiveBlocking(in_.get(), max_datagram_, until_ns);
    const int error = size < 0 ? errno : 0;
    if (error == EAGAIN || error == EWOULDBLOCK) return Io::kWouldBlock;
    if (error != EINTR && Received(size, error) == Io::kClosed) return Io::kClosed;
  }
}

Io DatagramEndpoint::WaitPolling(Side side, int64_t deadline_ns) {
  for (;;) {
    if (!Arm(side)) return closed() || (side == Side::kSend && send_ended_) ? Io::kClosed : Io::kOk;
    std::array<pollfd, 3> fds = PollFds(side);
    const int ready = PollUntil(absl::MakeSpan(fds), deadline_ns);
    Disarm(side);
    if (ready == 0) return Io::kWouldBlock;
    if (side == Side::kSend) {
      if (!connected_ && Connecting() == Io::kWouldBlock) continue;
      return Io::kOk;
    }
    if (Receive() == Io::kClosed) return Io::kClosed;
    if (in_begin_ != in_end_) return Io::kOk;
    if (deadline_ns != kNoDeadline && MonotonicNanos() >= deadline_ns) return Io::kWouldBlock;
  }
}

int DatagramEndpoint::TakeDeathWatch() {
  if (!connected_.load(std::memory_order_acquire)) return -1;
  const int death = death_fd_.load(std::memory_order_acquire);
  if (death >= 0) death_taken_.store(true, std::memory_order_release);
  return death;
}

// ---- any thread

// Not Close(): what has arrived is still received; after it comes the end, from this side's own shutdown.
void DatagramEndpoint::PeerDied() {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    if (reason_.ok()) reason_ = Named(absl::StatusCode::kUnavailable, "the peer's process died");
  }
  io_->Shutdown();
}

void DatagramEndpoint::Close(absl::Status why) {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    if (closed()) return;
    if (reason_.ok()) {
      reason_ = why.ok() ? Named(absl::StatusCode::kCancelled, "closed by this side") : std::move(why);
    }
    closed_.store(true, std::memory_order_release);
  }
  io_->Shutdown();
  if (dialing_ != nullptr) dialing_->Interrupt();
}

}  // namespace nearcall
