// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
#include "nearcall/transports/ring/dialing_endpoint.h"

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "nearcall/transports/api/clock.h"
#include "nearcall/transports/api/closed_endpoint.h"
#include "nearcall/transports/api/poll.h"
#include "nearcall/transports/ring/ring_endpoint.h"

namespace nearcall::internal {
namespace {

// What is committed before the greeting must fit into the buffers of whatever takes over.
constexpr uint64_t kEarlyBytes = 64 << 10;
constexpr int kReplayTries = 100;  // a fresh socket takes that much; only a test's I/O says that it does not

EndpointInfo FirstInfo(const Meeting& meeting, uint32_t ring) {
  EndpointInfo info;
  info.transport = meeting.transport;
  info.max_frame = MaxFrameOf(ring);
  info.peer_can_write = true;
  info.cheap_poll = true;
  return info;
}

bool IsReadable(int fd) {
  pollfd look = {fd, POLLIN, 0};
  return fd >= 0 && PollUntil(absl::MakeSpan(&look, 1), 0) > 0;
}

// What `writer` has given to the server, given to `to` instead.
absl::Status Replay(RingReader& written, Endpoint& to) {
  absl::Span<const char> frame;
  RingReader::Found found;
  while ((found = written.Borrow(&frame)) == RingReader::Found::kFrame) {
    absl::Span<char> space;
    if (to.Reserve(frame.size(), &space) != Io::kOk) return to.status();
    std::copy(frame.begin(), frame.end(), space.begin());
    if (to.Commit(frame.size(), {}) != Io::kOk) return to.status();
    static_cast<void>(written.Release());
  }
  if (found == RingReader::Found::kViolation) return absl::InternalError(written.problem());
  return absl::OkStatus();
}

}  // namespace

DialingEndpoint::DialingEndpoint(Meeting meeting, MediumBit own, RingMemory memory)
    : name_(meeting.address),
      own_(own),
      first_info_(FirstInfo(meeting, memory.capacity())),
      others_(std::move(meeting.others)),
      handshake_(std::move(meeting.handshake)),
      owner_(::getpid()),
      memory_(std::move(memory)),
      out_(memory_->words(RingMemory::kToServer)),
      in_(memory_->words(RingMemory::kToClient)),
      socket_(std::move(meeting.socket)),
      io_(socket_.get()),
      own_bells_(std::make_unique<LocalBells>()),
      bells_(own_bells_.get()),
      death_(std::move(meeting.death)),
      writer_(out_, memory_->bytes(RingMemory::kToServer), memory_->capacity()) {
  if (!bells_->status().ok()) Close(bells_->status());
}

DialingEndpoint::~DialingEndpoint() {
  if (::getpid() == owner_) Close(absl::OkStatus());
}

const EndpointInfo& DialingEndpoint::info() const {
  const Endpoint* real = Real();
  return real != nullptr ? real->info() : first_info_;
}

absl::Status DialingEndpoint::status() const {
  if (const Endpoint* real = Real()) return real->status();
  std::lock_guard<std::mutex> lock(mutex_);
  return real_ != nullptr ? real_->status() : reason_;
}

absl::Status DialingEndpoint::Named(absl::StatusCode code, absl::string_view text) const {
  return absl::Status(code, absl::StrCat(name_, ": ", text));
}

Io DialingEndpoint::ConnectLocked() {
  if (closed_) return Io::kClosed;
  if (connected_) return Io::kOk;
  absl::Status why;
  const Io io = handshake_->Connect(*io_, &why);
  if (io == Io::kClosed) return CloseLocked(std::move(why));
  if (io == Io::kOk) {
    connected_ = true;
    handshake_->Interrupt();  // the other role may sleep on ConnectPoll(), whose signal this one has used up
  }
  return io;
}

// ---- sender

Io DialingEndpoint::Reserve(size_t size, absl::Span<char>* space) {
  if (Endpoint* real = Real()) [[likely]]
    return real->Reserve(size, space);
  {
    std::lock_guard<std::mutex> lock(mutex_);
    if (real_ == nullptr) {
      const Io io = ReserveLocked(size, space);
      if (real_ == nullptr) return io;
    }
  }
  return Real()->Reserve(size, space);
}

Io DialingEndpoint::ReserveLocked(size_t size, absl::Span<char>* space) {
  if (const Io io = ConnectLocked(); io != Io::kOk) return io;
  if (size > first_info_.max_frame) {
    return CloseLocked(
        Named(absl::StatusCode::kInvalidArgument,
              absl::StrCat("a frame of ", size, " bytes was to be sent; the limit is ", first_info_.max_frame)));
  }
  const bool early = others_.empty() || writer_.committed() + size <= kEarlyBytes;
  const RingWriter::Room room = early ? writer_.Reserve(size, space) : RingWriter::Room::kNo;
  if (room == RingWriter::Room::kViolation) {
    return CloseLocked(Named(absl::StatusCode::kInternal, writer_.problem()));
  }
  full_ = room == RingWriter::Room::kNo;
  if (!full_) {
    reserved_ = *space;
    return Io::kOk;
  }
  return GreetLocked();  // if that says kOk, the caller asks the real endpoint
}

Io DialingEndpoint::Commit(size_t size, absl::Span<UniqueFd> fds) {
  Endpoint* real = Real();
  if (real == nullptr) {
    std::lock_guard<std::mutex> lock(mutex_);
    real = real_.get();
    if (real == nullptr) {
      if (closed_) return Io::kClosed;
      if (!fds.empty() || !writer_.CanCommit(size)) {
        return CloseLocked(Named(absl::StatusCode::kInvalidArgument,
                                 fds.empty() ? "a frame was committed that is larger than what was reserved"
                                             : "descriptors were to be sent; rings carry none"));
      }
      writer_.Commit(size);
      reserved_ = {};
      return Io::kOk;
    }
  }
  if (reserved_.data() != nullptr && fds.empty()) [[unlikely]]
    return CommitReserved(*real, size);
  return real->Commit(size, fds);
}

// It was reserved in the ring and is sent over what took over.
Io DialingEndpoint::CommitReserved(Endpoint& real, size_t size) {
  const absl::Span<char> from = std::exchange(reserved_, {});
  absl::Span<char> space;
  if (const Io io = real.Reserve(size, &space); io != Io::kOk) {
    real.Close(Named(absl::StatusCode::kInternal, "the first frames do not fit into the socket's buffer"));
    return Io::kClosed;
  }
  if (size > 0) std::memcpy(space.data(), from.data(), std::min(size, from.size()));
  memory_.reset();
  return real.Commit(size, {});
}

Io DialingEndpoint::Flush() {
  Endpoint* real = Real();
  if (real != nullptr) [[likely]]
    return real->Flush();
  {
    std::lock_guard<std::mutex> lock(mutex_);
    // Who only sends must find out, too, that the first frames have to go another way.
    if (real_ == nullptr && (!greeting_sent_ || GreetLocked() != Io::kOk)) return FlushLocked();
  }
  return Real()->Flush();
}

Io DialingEndpoint::FlushLocked() {
  if (const Io io = ConnectLocked(); io != Io::kOk) return io;
  const bool shown = writer_.TakeShownUnasked();
  if (greeting_sent_) {  // the server may have the ring already, and may even have closed it
    OneLook look;
    if (out_->consumer_closed.Load() != 0) return shown ? Io::kWouldBlock : Io::kClosed;
  }
  if (writer_.HasUnpublished()) {
    const Sleep how = writer_.Publish();
    if (greeting_sent_) WakePeer(*io_, out_->consumer_sleeps, how, WakeByte::kFrames);
  }
  return greeting_sent_ ? Io::kOk : SendGreetingLocked();
}

Io DialingEndpoint::SendGreetingLocked() {
  absl::Status why;
  size_t sent = 0;
  const Io io = handshake_->SendGreeting(*io_, {}, &sent, &why);
  if (io == Io::kOk) greeting_sent_ = true;
  if (io != Io::kClosed) return io;
  // The server may have said why before it closed. Without a greeting it has no memory to look into.
  if (GreetLocked() != Io::kClosed) CloseLocked(std::move(why));
  return Io::kClosed;
}

// ---- receiver

bool DialingEndpoint::PeerIsDeadLocked() const { return !death_taken_ && IsReadable(death_.get()); }

Io DialingEndpoint::GreetLocked() {
  if (const Io io = ConnectLocked(); io != Io::kOk) return io;
  absl::Status why;
  ByteStreamHandshake::Greeted greeted;
  const Io io = handshake_->ReceiveGreeting(*io_, &greeted, &why);
  if (io == Io::kWouldBlock) {
    if (!PeerIsDeadLocked() || IsReadable(io_->receive_fd())) return Io::kWouldBlock;
    why = Named(absl::StatusCode::kUnavailable, "the peer's process died before its greeting came");
  }
  if (io != Io::kOk) return CloseLocked(std::move(why));
  GreetedLocked(std::move(greeted));
  return Io::kOk;
}

void DialingEndpoint::GreetedLocked(ByteStreamHandshake::Greeted greeted) {
  if (greeted.death.valid() || !greeted.keeps_death) {
    early_death_ = std::exchange(death_, std::move(greeted.death));
    death_taken_ = false;
  }
  const bool as_proposed = greeted.medium == 0 || greeted.medium == own_;
  real_ = as_proposed ? MakeRingLocked(greeted) : MakeOtherLocked(greeted);
  if (peer_died_) real_->PeerDied();
  published_.store(real_.get(), std::memory_order_release);
  // Who sleeps for the greeting has to look anew, at what the real endpoint waits for.
  bells_->Ring(Side::kSend);
  bells_->Ring(Side::kReceive);
}

std::unique_ptr<Endpoint> DialingEndpoint::MakeRingLocked(ByteStreamHandshake::Greeted& greeted) {
  RingOptions options;
  options.info = first_info_;
  options.info.peer = greeted.peer;
  options.info.sees_death = death_.valid();
  options.name = name_;
  options.death = std::move(death_);
  options.death_taken = death_taken_;
  options.bells = std::move(own_bells_);
  options.writer = std::move(writer_);
  reserved_ = {};  // goes on as the ring's own
  return std::make_unique<RingEndpoint>(*std::move(memory_), RingEndpoint::kClient, std::move(socket_),
                                        std::move(options));
}

std::unique_ptr<Endpoint> DialingEndpoint::MakeOtherLocked(ByteStreamHandshake::Greeted& greeted) {
  const auto other =
      std::find_if(others_.begin(), others_.end(), [&](const Medium* each) { return each->bit() == greeted.medium; });
  if (other == others_.end()) {
    return NewClosedEndpoint(first_info_.transport,
                             Named(absl::StatusCode::kUnavailable, "the server chose a medium that was not proposed"));
  }
  Meeting meeting;
  meeting.transport = std::string((*other)->name());
  meeting.address =
      absl::StrCat(name_, " (over ", (*other)->name(), ", the server did not take ", first_info_.transport, ")");
  meeting.socket = std::move(socket_);
  meeting.peer = greeted.peer;
  meeting.death = std::move(death_);
  absl::StatusOr<std::unique_ptr<Endpoint>> made = (*other)->Serve(meeting);
  if (!made.ok()) return NewClosedEndpoint(first_info_.transport, made.status());
  std::unique_ptr<Endpoint> real = *std::move(made);

  // What was flushed is flushed again, what was only committed is not.
  RingReader written(out_, memory_->bytes(RingMemory::kToServer), memory_->capacity(), first_info_.max_frame);
  absl::Status replayed = Replay(written, *real);
  Io flushed = Io::kOk;
  for (int i = 0; i < kReplayTries && (flushed = real->Flush()) == Io::kWouldBlock; ++i) {
  }
  if (replayed.ok() && flushed == Io::kWouldBlock) {
    replayed = Named(absl::StatusCode::kUnavailable, "the socket does not take the first frames");
  }
  if (writer_.HasUnpublished()) {
    static_cast<void>(writer_.Publish());
    if (replayed.ok()) replayed = Replay(written, *real);
  }
  if (!replayed.ok()) real->Close(replayed);
  if (!writer_.HasReservation()) reserved_ = {};
  if (reserved_.data() == nullptr) memory_.reset();
  return real;
}

Io DialingEndpoint::Borrow(Frame* frame) {
  if (Endpoint* real = Real()) [[likely]]
    return real->Borrow(frame);
  {
    std::lock_guard<std::mutex> lock(mutex_);
    if (real_ == nullptr) {
      if (const Io io = GreetLocked(); io != Io::kOk) return io;
    }
  }
  return Real()->Borrow(frame);
}

void DialingEndpoint::Release() {
  if (Endpoint* real = Real()) real->Release();
}

bool DialingEndpoint::HasFrame() const {
  const Endpoint* real = Real();
  return real != nullptr && real->HasFrame();
}

// ---- sleeping

bool DialingEndpoint::Arm(Side side) {
  if (Endpoint* real = Real()) return real->Arm(side);
  {
    std::lock_guard<std::mutex> lock(mutex_);
    if (real_ == nullptr) {
      if (ConnectLocked() == Io::kClosed) return false;
      if (side == Side::kSend && connected_) {
        if (greeting_sent_ && !full_) return false;
        // The answer that this waits for comes to a greeting only. What the flush shows, nobody asked it to.
        if (full_ && writer_.HasUnpublished()) {
          const Sleep how = writer_.PublishUnasked();
          if (greeting_sent_) WakePeer(*io_, out_->consumer_sleeps, how, WakeByte::kFrames);
        }
        if (full_ && !greeting_sent_ && SendGreetingLocked() == Io::kClosed) return false;
      }
      bells_->Arm(side);
      return true;
    }
  }
  return Real()->Arm(side);
}

void DialingEndpoint::Disarm(Side side) {
  // A real endpoint that has the bells disarms them itself.
  if (Endpoint* real = Real()) {
    if (own_bells_ != nullptr) bells_->Disarm(side);
    return real->Disarm(side);
  }
  bells_->Disarm(side);
}

std::array<pollfd, 3> DialingEndpoint::PollFds(Side side) const {
  if (const Endpoint* real = Real()) return real->PollFds(side);
  std::lock_guard<std::mutex> lock(mutex_);
  if (real_ != nullptr) return real_->PollFds(side);
  const pollfd bell = {bells_->fd(side), POLLIN, 0};
  if (!connected_) return {handshake_->ConnectPoll(), pollfd{-1, 0, 0}, bell};
  const bool sends = side == Side::kSend && !greeting_sent_;
  const short events = static_cast<short>(POLLIN | POLLRDHUP | (sends ? POLLOUT : 0));
  return {pollfd{io_->receive_fd(), events, 0}, pollfd{death_taken_ ? -1 : death_.get(), POLLIN, 0}, bell};
}

Io DialingEndpoint::Wait(Side side, int64_t deadline_ns) {
  if (Endpoint* real = Real()) [[likely]]
    return real->Wait(side, deadline_ns);
  return WaitDialing(side, deadline_ns);
}

Io DialingEndpoint::WaitDialing(Side side, int64_t deadline_ns) {
  for (;;) {
    {
      std::lock_guard<std::mutex> lock(mutex_);
      if (closed_) return Io::kClosed;
      if (side == Side::kReceive && real_ == nullptr && GreetLocked() == Io::kClosed) return Io::kClosed;
    }
    if (Endpoint* real = Real()) return real->Wait(side, deadline_ns);
    if (Arm(side)) {
      std::array<pollfd, 3> fds = PollFds(side);
      const int ready = PollUntil(absl::MakeSpan(fds), deadline_ns);
      Disarm(side);
      if (ready == 0) return Io::kWouldBlock;
    }
    if (side == Side::kSend) return Io::kOk;
    if (deadline_ns != kNoDeadline && MonotonicNanos() >= deadline_ns) return Io::kWouldBlock;
  }
}

// ---- any thread

int DialingEndpoint::TakeDeathWatch() {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    if (real_ == nullptr) {
      death_taken_ = death_.valid();
      return death_.get();
    }
  }
  return Real()->TakeDeathWatch();
}

// Not Close(): a greeting and frames that have come are still read.
void DialingEndpoint::PeerDied() {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    if (real_ == nullptr) {
      peer_died_ = true;
      if (reason_.ok()) reason_ = Named(absl::StatusCode::kUnavailable, "the peer's process died");
      io_->Shutdown();
      return;
    }
  }
  Real()->PeerDied();
}

void DialingEndpoint::Close(absl::Status why) {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    if (real_ == nullptr) {
      CloseLocked(std::move(why));
      return;
    }
  }
  Real()->Close(std::move(why));
}

Io DialingEndpoint::CloseLocked(absl::Status why) {
  if (closed_) return Io::kClosed;
  closed_ = true;
  if (reason_.ok()) {
    reason_ = why.ok() ? Named(absl::StatusCode::kCancelled, "closed by this side") : std::move(why);
  }
  // The server may have the ring already.
  out_->producer_closed.Store(1);
  in_->consumer_closed.Store(1);
  {
    OneLook look;
    WakePeer(*io_, out_->consumer_sleeps, TakeSleeper(out_->consumer_sleeps), WakeByte::kFrames);
  }
  io_->Shutdown();
  handshake_->Interrupt();
  return Io::kClosed;
}

}  // namespace nearcall::internal
