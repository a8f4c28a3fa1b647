// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// RingEndpoint: frames, failure and closing. Sleeping is in ring_wait.cc.
#include "nearcall/transports/ring/ring_endpoint.h"

#include <unistd.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "nearcall/transports/ring/futex.h"

namespace nearcall::internal {
namespace {

constexpr absl::string_view kTruncated = "the peer truncated the file that the rings are in";

}  // namespace

RingEndpoint::RingEndpoint(RingMemory memory, Role role, std::unique_ptr<ByteIo> socket, RingOptions options)
    : memory_(std::move(memory)),
      out_(memory_.words(role == kClient ? RingMemory::kToServer : RingMemory::kToClient)),
      in_(memory_.words(role == kClient ? RingMemory::kToClient : RingMemory::kToServer)),
      socket_(std::move(socket)),
      bells_(std::move(options.bells)),
      death_(std::move(options.death)),
      info_(std::move(options.info)),
      name_(std::move(options.name)),
      owner_(::getpid()),
      death_taken_(options.death_taken),
      writer_(options.writer.has_value()
                  ? *std::move(options.writer)
                  : RingWriter(out_, memory_.bytes(role == kClient ? RingMemory::kToServer : RingMemory::kToClient),
                               memory_.capacity())),
      reader_(in_, memory_.bytes(role == kClient ? RingMemory::kToClient : RingMemory::kToServer), memory_.capacity(),
              info_.max_frame) {}

// A forked child's copy of this object must not end the parent's connection.
RingEndpoint::~RingEndpoint() {
  if (::getpid() == owner_) Close(absl::OkStatus());
}

absl::Status RingEndpoint::status() const {
  std::lock_guard<std::mutex> lock(mutex_);
  return reason_;
}

absl::Status RingEndpoint::Named(absl::StatusCode code, absl::string_view text) const {
  return absl::Status(code, absl::StrCat(name_, ": ", text));
}

void WakePeer(ByteIo& socket, SharedWord<uint32_t>& word, Sleep how, WakeByte byte) {
  if (how == Sleep::kAwake) [[likely]]
    return;
  if (how == Sleep::kFutex) return FutexWake(word);
  // A full socket is readable anyway; a broken one is found by the receiver.
  const char c = static_cast<char>(byte);
  static_cast<void>(socket.Send(&c, 1) < 0);
}

// ---- sender

bool RingEndpoint::SendEnded() {
  if (ended() || Broken()) return true;
  OneLook look;
  if (out_->consumer_closed.Load() == 0) [[likely]]
    return false;
  Gone("the peer closed the connection");
  return true;
}

Io RingEndpoint::Reserve(size_t size, absl::Span<char>* space) {
  if (ended()) return writer_.shown_unasked() && !closed_ ? Io::kWouldBlock : Io::kClosed;
  if (size > info_.max_frame) [[unlikely]] {
    Close(Named(absl::StatusCode::kInvalidArgument,
                absl::StrCat("a frame of ", size, " bytes was to be sent; the limit is ", info_.max_frame)));
    return Io::kClosed;
  }
  const RingWriter::Room room = writer_.Reserve(size, space);
  if (room == RingWriter::Room::kYes) [[likely]]
    return Io::kOk;
  return room == RingWriter::Room::kNo ? NoRoom() : Violation(writer_.problem());
}

Io RingEndpoint::NoRoom() {
  LookForDeathSometimes(&send_looks_);
  return SendEnded() && !writer_.shown_unasked() ? Io::kClosed : Io::kWouldBlock;
}

Io RingEndpoint::Commit(size_t size, absl::Span<UniqueFd> fds) {
  if (ended()) return Io::kClosed;
  if (!fds.empty() || !writer_.CanCommit(size)) [[unlikely]] {
    Close(Named(absl::StatusCode::kInvalidArgument,
                fds.empty()
                    ? std::string("a frame was committed that is larger than what was reserved")
                    : absl::StrCat(fds.size(), " descriptors were to be sent; ", info_.transport, " carries none")));
    return Io::kClosed;
  }
  writer_.Commit(size);
  return Io::kOk;
}

Io RingEndpoint::Flush() {
  const bool shown = writer_.TakeShownUnasked();
  if (SendEnded()) [[unlikely]]
    return shown && !closed_ ? Io::kWouldBlock : Io::kClosed;
  if (writer_.HasUnpublished()) WakePeer(*socket_, out_->consumer_sleeps, writer_.Publish(), WakeByte::kFrames);
  return Io::kOk;
}

// ---- receiver

bool RingEndpoint::PeerClosed() {
  OneLook look;
  return in_->producer_closed.Load() != 0;
}

Io RingEndpoint::Borrow(Frame* frame) {
  if (closed_.load()) return Io::kClosed;
  // The end is looked for before the frames: what was published before it is then found.
  const bool over = !reader_.borrowed() && !reader_.HasMore() && (gone_.load() || PeerClosed());
  const RingReader::Found found = reader_.Borrow(&frame->bytes);
  if (found == RingReader::Found::kFrame) [[likely]] {
    frame->fds = {};
    return Io::kOk;
  }
  if (found == RingReader::Found::kViolation) return Violation(reader_.problem());
  if (over) return EndOfFrames();
  if (Broken()) return Io::kClosed;
  ReturnSpace();
  LookForDeathSometimes(&receive_looks_);
  return Io::kWouldBlock;
}

void RingEndpoint::Release() {
  if (reader_.borrowed()) WakePeer(*socket_, in_->producer_sleeps, reader_.Release(), WakeByte::kRoom);
}

void RingEndpoint::ReturnSpace() {
  if (reader_.HasUnreturned()) WakePeer(*socket_, in_->producer_sleeps, reader_.Return(), WakeByte::kRoom);
}

Io RingEndpoint::EndOfFrames() {
  Close(Named(absl::StatusCode::kUnavailable, "the peer closed the connection"));
  return Io::kClosed;
}

Io RingEndpoint::Violation(const std::string& problem) {
  Close(Named(absl::StatusCode::kInternal, memory_.broken() ? std::string(kTruncated) : problem));
  return Io::kClosed;
}

// ---- any thread

// Not Close(): what the peer has published is still borrowed.
void RingEndpoint::Gone(absl::string_view text) {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    if (reason_.ok()) reason_ = Named(absl::StatusCode::kUnavailable, text);
  }
  gone_.store(true);
  socket_->Shutdown();  // wakes who polls
  WakeOwnReceiver();
}

void RingEndpoint::WakeOwnReceiver() {
  in_->consumer_sleeps.Store(static_cast<uint32_t>(Sleep::kAwake));
  FutexWake(in_->consumer_sleeps);
}

// Where nothing can be read from and nobody can be told, the socket alone still ends the connection.
bool RingEndpoint::Broken() {
  if (!memory_.broken()) [[likely]]
    return false;
  Close(Named(absl::StatusCode::kInternal, kTruncated));
  return true;
}

int RingEndpoint::TakeDeathWatch() {
  if (death_.valid()) death_taken_.store(true);
  return death_.get();
}

void RingEndpoint::PeerDied() { Gone("the peer's process died"); }

void RingEndpoint::Close(absl::Status why) {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    if (closed_.load()) return;
    if (reason_.ok()) {
      reason_ = why.ok() ? Named(absl::StatusCode::kCancelled, "closed by this side") : std::move(why);
    }
    closed_.store(true);
  }
  out_->producer_closed.Store(1);
  in_->consumer_closed.Store(1);
  {
    OneLook look;
    if (TakeSleeper(out_->consumer_sleeps) == Sleep::kFutex) FutexWake(out_->consumer_sleeps);
  }
  WakeOwnReceiver();
  socket_->Shutdown();  // wakes who polls, here and there
}

}  // namespace nearcall::internal
