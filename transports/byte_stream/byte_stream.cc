// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// ByteStreamEndpoint: frames, failure and closing. Sleeping is in byte_stream_wait.cc.

#include "nearcall/transports/byte_stream/byte_stream.h"

#include <errno.h>
#include <unistd.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "nearcall/transports/api/errno_status.h"

namespace nearcall {
namespace {

using internal::ErrnoText;

absl::string_view WhatIsWrong(ReceiveBuffer::Found found) {
  switch (found) {
    case ReceiveBuffer::Found::kTooLong:
      return "the peer announced a frame that is longer than the limit of ";
    case ReceiveBuffer::Found::kHasDescriptors:
      return "the peer announced a frame with descriptors, which do not cross here; frames are at most ";
    default:
      return "the peer sent a frame header with bytes that must be zero; frames are at most ";
  }
}

}  // namespace

ByteStreamEndpoint::ByteStreamEndpoint(std::unique_ptr<ByteIo> io, ByteStreamOptions options)
    : io_(std::move(io)),
      handshake_(std::move(options.handshake)),
      ending_(std::move(options.ending)),
      name_(std::move(options.name)),
      max_frame_(options.info.max_frame),
      owner_(::getpid()),
      first_info_(std::move(options.info)),
      death_owner_(std::move(options.death)),
      info_(&first_info_),
      death_fd_(death_owner_.get()),
      connected_(handshake_ == nullptr),
      send_(max_frame_),
      greeting_sent_(handshake_ == nullptr),
      receive_(max_frame_),
      greeting_received_(handshake_ == nullptr) {}

ByteStreamEndpoint::~ByteStreamEndpoint() {
  // A forked child of this process, or of the peer, may hold the stream open: only this tells the peer. The child's
  // copy of this object, however, must not end the parent's connection.
  if (::getpid() == owner_) io_->Shutdown();
}

absl::Status ByteStreamEndpoint::status() const {
  std::lock_guard<std::mutex> lock(mutex_);
  return reason_;
}

absl::Status ByteStreamEndpoint::Named(absl::StatusCode code, absl::string_view text) const {
  return absl::Status(code, absl::StrCat(name_, ": ", text));
}

absl::Status ByteStreamEndpoint::Gone(absl::string_view text) const {
  return Named(absl::StatusCode::kUnavailable, absl::StrCat(text, ending_ != nullptr ? ending_->Text() : ""));
}

Io ByteStreamEndpoint::Connecting() {
  if (connected_.load(std::memory_order_acquire)) return Io::kOk;
  absl::Status why;
  {
    std::lock_guard<std::mutex> lock(mutex_);
    if (connected_.load(std::memory_order_relaxed)) return Io::kOk;
    if (closed()) return Io::kClosed;
    const Io io = handshake_->Connect(*io_, &why);
    if (io == Io::kOk) {
      connected_.store(true, std::memory_order_release);
      handshake_->Interrupt();  // the other role may sleep on ConnectPoll(), whose signal this one has used up
    }
    if (io != Io::kClosed) return io;
  }
  Close(std::move(why));
  return Io::kClosed;
}

// ---- sender

Io ByteStreamEndpoint::Reserve(size_t size, absl::Span<char>* space) {
  if (closed() || send_ended_) return Io::kClosed;
  if (!greeting_sent_) [[unlikely]] {
    if (const Io io = Connecting(); io != Io::kOk) return io;
  }
  if (size > max_frame_) [[unlikely]] {
    Close(Named(absl::StatusCode::kInvalidArgument,
                absl::StrCat("a frame of ", size, " bytes was to be sent; the limit is ", max_frame_)));
    return Io::kClosed;
  }
  char* place = send_.Reserve(size);
  if (place == nullptr) [[unlikely]] {
    // Full of frames. Without this, a caller that only ever commits would wait for space that nobody makes.
    if (Flush() == Io::kClosed) return Io::kClosed;
    place = send_.Reserve(size);
    if (place == nullptr) return Io::kWouldBlock;
  }
  *space = {place, size};
  return Io::kOk;
}

Io ByteStreamEndpoint::Commit(size_t size, absl::Span<UniqueFd> fds) {
  if (closed() || send_ended_) return Io::kClosed;
  if (!fds.empty() || !send_.CanCommit(size)) [[unlikely]] {
    Close(Named(absl::StatusCode::kInvalidArgument,
                fds.empty() ? std::string("a frame was committed that is larger than what was reserved")
                            : absl::StrCat(fds.size(), " descriptors were to be sent; ", first_info_.transport,
                                           " carries none")));
    return Io::kClosed;
  }
  send_.Commit(size);
  return Io::kOk;
}

Io ByteStreamEndpoint::Flush() {
  if (closed() || send_ended_) return Io::kClosed;
  if (!greeting_sent_) [[unlikely]] {
    return FlushGreeting();
  }
  if (send_.empty()) return Io::kOk;
  for (bool some_sent = false;; some_sent = true) {
    const absl::Span<const char> unsent = send_.unsent();
    const ssize_t sent = io_->Send(unsent.data(), unsent.size());
    if (sent < 0) [[unlikely]] {
      // Broken after a part was taken: kClosed would say that the peer has seen nothing. The next call says it.
      const Io io = SendFailed(errno);
      return some_sent ? Io::kWouldBlock : io;
    }
    send_.Sent(static_cast<size_t>(sent));
    if (static_cast<size_t>(sent) == unsent.size()) return Io::kOk;
    // Part of it: the medium is full, most likely, and then says so now. kWouldBlock without that could wait for
    // nothing: a stream is polled as writable only when it is fairly empty.
  }
}

Io ByteStreamEndpoint::FlushGreeting() {
  if (const Io io = Connecting(); io != Io::kOk) return io;
  absl::Status why;
  size_t sent = 0;
  const absl::Span<const char> unsent = send_.unsent();
  const Io io = handshake_->SendGreeting(*io_, unsent, &sent, &why);
  if (io == Io::kClosed) {
    LookForRefusal();
    EndSending(std::move(why));
    return Io::kClosed;
  }
  if (io == Io::kWouldBlock) return SendFailed(EAGAIN);
  greeting_sent_ = true;
  if (sent > 0) send_.Sent(sent);
  return sent == unsent.size() ? Io::kOk : Io::kWouldBlock;
}

Io ByteStreamEndpoint::SendFailed(int error) {
  if (error == EAGAIN || error == EWOULDBLOCK) {
    const bool dead = PeerIsDead();
    // Over TCP a send is not told that nobody will read it: it would wait for ever for room.
    if (!dead && !PeerHasClosed()) return Io::kWouldBlock;
    EndSending(Gone(dead ? "the peer's process died" : "the peer closed the connection"));
  } else if (error == EPIPE || error == ECONNRESET) {
    LookForRefusal();
    EndSending(Gone("the peer closed the connection"));
  } else {
    EndSending(Named(absl::StatusCode::kUnavailable, absl::StrCat("sending failed: ", ErrnoText(error))));
  }
  return Io::kClosed;
}

// The peer may have said why before it closed: then that is the reason, not the broken stream.
void ByteStreamEndpoint::LookForRefusal() {
  if (!greeting_received_.load(std::memory_order_acquire)) static_cast<void>(ReceiveGreeting());
}

void ByteStreamEndpoint::EndSending(absl::Status why) {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    if (reason_.ok()) reason_ = std::move(why);
  }
  send_ended_ = true;
  // Not Close(): what has arrived is still delivered, and the receiver then finds the end of the stream.
  io_->Shutdown();
}

// ---- receiver

Io ByteStreamEndpoint::Borrow(Frame* frame) {
  for (;;) {
    if (closed()) return Io::kClosed;
    absl::Span<const char> bytes;
    const ReceiveBuffer::Found found = receive_.Next(&bytes);
    if (found == ReceiveBuffer::Found::kFrame) {
      borrowed_ = true;
      frame->bytes = bytes;
      frame->fds = {};
      return Io::kOk;
    }
    if (found != ReceiveBuffer::Found::kPart) return Violation(found);
    if (stream_was_empty_) {
      stream_was_empty_ = false;
      return Io::kWouldBlock;
    }
    if (const Io io = Fill(); io != Io::kOk) return io;
  }
}

void ByteStreamEndpoint::Release() {
  if (!borrowed_) return;
  borrowed_ = false;
  receive_.Drop();
}

bool ByteStreamEndpoint::HasFrame() const {
  absl::Span<const char> bytes;
  return !borrowed_ && receive_.Next(&bytes) == ReceiveBuffer::Found::kFrame;
}

Io ByteStreamEndpoint::Fill() {
  if (!greeting_received_.load(std::memory_order_acquire)) [[unlikely]] {
    if (const Io io = ReceiveGreeting(); io != Io::kOk) return io;
  }
  const absl::Span<char> room = receive_.Room();
  const ssize_t received = io_->Receive(room.data(), room.size());
  return Filled(received, room.size(), received < 0 ? errno : 0);
}

Io ByteStreamEndpoint::Filled(ssize_t received, size_t asked, int error) {
  if (received > 0) {
    receive_.Received(static_cast<size_t>(received));
    // Probably nothing more is there: the next Borrow() that runs out of frames says so without asking the kernel. It
    // does that once, and Arm() never relies on it: polling sees what has come meanwhile.
    stream_was_empty_ = static_cast<size_t>(received) < asked;
    return Io::kOk;
  }
  if (received == 0) return EndOfStream();
  if (error == EAGAIN || error == EWOULDBLOCK) return ReceiveEmpty();
  if (error == EINTR) return Io::kWouldBlock;
  if (error == ECONNRESET) return EndOfStream();  // the peer closed with bytes of ours unread
  Close(Named(absl::StatusCode::kUnavailable, absl::StrCat("receiving failed: ", ErrnoText(error))));
  return Io::kClosed;
}

Io ByteStreamEndpoint::ReceiveGreeting() {
  if (const Io io = Connecting(); io != Io::kOk) return io;
  std::lock_guard<std::mutex> lock(greeting_mutex_);
  if (greeting_received_.load(std::memory_order_relaxed)) return Io::kOk;
  if (closed()) return Io::kClosed;
  absl::Status why;
  ByteStreamHandshake::Greeted greeted;
  const Io io = handshake_->ReceiveGreeting(*io_, &greeted, &why);
  if (io == Io::kWouldBlock) {
    if (!PeerIsDead() || StreamIsReadable()) return Io::kWouldBlock;
    why = Named(absl::StatusCode::kUnavailable, "the peer's process died before its greeting came");
  }
  if (io != Io::kOk) {
    Close(std::move(why));
    return Io::kClosed;
  }
  greeted_info_ = first_info_;
  if (greeted.peer.has_value()) greeted_info_.peer = greeted.peer;
  if (greeted.death.valid() || !greeted.keeps_death) {
    early_death_owner_ = std::move(death_owner_);
    death_owner_ = std::move(greeted.death);
    death_fd_.store(death_owner_.get(), std::memory_order_release);
  }
  greeted_info_.sees_death = death_owner_.valid();
  info_.store(&greeted_info_, std::memory_order_release);
  greeting_received_.store(true, std::memory_order_release);
  return Io::kOk;
}

Io ByteStreamEndpoint::EndOfStream() {
  Close(Gone(receive_.HasPart() ? "the peer closed the connection in the middle of a frame"
                                : "the peer closed the connection"));
  return Io::kClosed;
}

Io ByteStreamEndpoint::ReceiveEmpty() {
  // Its last bytes may have come between the receive call and the look at its life: look for them once more.
  if (!PeerIsDead() || StreamIsReadable()) return Io::kWouldBlock;
  Close(Gone("the peer's process died"));
  return Io::kClosed;
}

Io ByteStreamEndpoint::Violation(ReceiveBuffer::Found found) {
  Close(Named(absl::StatusCode::kInternal, absl::StrCat(WhatIsWrong(found), max_frame_, " bytes")));
  return Io::kClosed;
}

// ---- any thread

void ByteStreamEndpoint::Close(absl::Status why) {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    if (closed()) return;
    if (reason_.ok()) {
      reason_ = why.ok() ? Named(absl::StatusCode::kCancelled, "closed by this side") : std::move(why);
    }
    closed_.store(true, std::memory_order_release);
  }
  io_->Shutdown();
  if (handshake_ != nullptr) handshake_->Interrupt();
}

}  // namespace nearcall
