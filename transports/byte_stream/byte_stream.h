// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// ByteStreamEndpoint: frames over any stream of bytes (Unix socket, TCP, pipes). A transport makes the stream, and
// perhaps a handshake; framing, buffers, waiting, closing and the death watch are here.
//
//   ByteStreamOptions options;
//   options.info = {.transport = "unix", .peer = credentials, .max_frame = 65536, .sees_death = true};
//   options.name = "unix:/run/greeter.sock";      // for the text of errors
//   options.death = std::move(pidfd);
//   return std::make_unique<ByteStreamEndpoint>(NewSocketIo(std::move(socket)), std::move(options));
//
// On the wire each frame is an 8-byte header (u32 little-endian length, u8 number of descriptors, which must be 0 for
// now, three zero bytes) and the payload. Anything else closes the connection with INTERNAL, naming the violation.
// A handshake's greetings come before the first header of each direction.
//
// Thread safety and lifetime: as Endpoint says. No lock is taken by Reserve, Commit, Flush, Borrow or Release on an
// open connection. Cost: one send and one receive call per flush; 4 KiB per direction once used, growing to 256 KiB
// (unsent) and 64 KiB (received) under load. Errors: UNAVAILABLE when the peer is gone (end of stream, also in
// mid-frame, reset, death), INTERNAL on a violation, INVALID_ARGUMENT on misuse by the caller (a frame over max_frame,
// descriptors although max_fds is 0).
#ifndef NEARCALL_TRANSPORTS_BYTE_STREAM_BYTE_STREAM_H_
#define NEARCALL_TRANSPORTS_BYTE_STREAM_BYTE_STREAM_H_

#include <poll.h>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "nearcall/transports/api/endpoint.h"
#include "nearcall/transports/api/unique_fd.h"
#include "nearcall/transports/byte_stream/byte_io.h"
#include "nearcall/transports/byte_stream/frame_buffers.h"

namespace nearcall {

// What has to happen on a stream before and beside its first frames. The endpoint drives it and owns it.
//
// Thread safety: Connect(), ConnectPoll() and ConnectTimer() one at a time, under the endpoint's lock; SendGreeting()
// by the sender, ReceiveGreeting() one at a time by the receiver (or by a sender who found the stream broken), perhaps
// at the same time, and only after Connect() has said kOk; Interrupt() from any thread. None may block. Where a method
// says kClosed it has set *why, and the connection is closed with that.
class ByteStreamHandshake {
 public:
  // What the peer's greeting told about it.
  struct Greeted {
    std::optional<Credentials> peer;
    UniqueFd death;  // readable once the peer's process is dead; replaces the options'
    bool keeps_death =
        false;            // without one: the options' is the peer's; false: its death is the end of the stream only
    uint32_t medium = 0;  // rendezvous: the medium that the peer chose
  };

  virtual ~ByteStreamHandshake() = default;

  // Goes on connecting: kOk when connected, kWouldBlock: poll ConnectPoll(), then call again.
  virtual Io Connect(ByteIo& io, absl::Status* why) {
    static_cast<void>(io), static_cast<void>(why);
    return Io::kOk;
  }
  virtual pollfd ConnectPoll() const { return {-1, 0, 0}; }
  // A second descriptor to poll, where connecting waits for two things.
  virtual pollfd ConnectTimer() const { return {-1, 0, 0}; }
  // Connecting is over, or the endpoint was closed: makes one of the two ready, for good.
  virtual void Interrupt() {}

  // Sends what is left of the greeting and then, in the same system call, as much as it can of `frames` (perhaps
  // empty): kOk when the whole greeting is out (*sent bytes of `frames` with it); not called again after that.
  // kWouldBlock: part of the greeting is still here.
  virtual Io SendGreeting(ByteIo& io, absl::Span<const char> frames, size_t* sent, absl::Status* why) = 0;

  // Receives the peer's greeting, and not a byte more: kOk when it is complete and accepted; not called again then.
  // The end of the stream is kClosed with a text of its own.
  virtual Io ReceiveGreeting(ByteIo& io, Greeted* greeted, absl::Status* why) = 0;
};

// What a transport adds to the reason of a connection's end, and learns of it: gone when the endpoint is.
class ByteStreamEnding {
 public:
  virtual ~ByteStreamEnding() = default;
  // Said behind "the peer closed the connection" or "the peer's process died"; may be empty. Any thread, perhaps twice.
  // The one call of an endpoint that may take a moment (50 ms at most), at its end.
  virtual std::string Text() { return ""; }
};

struct ByteStreamOptions {
  EndpointInfo info;                               // transport, max_frame, peer and sees_death as far as known
  std::string name;                                // the address, or whatever errors should name
  UniqueFd death;                                  // see Greeted::death; for a side that knows it already
  std::unique_ptr<ByteStreamHandshake> handshake;  // null: connected, no greetings
  std::unique_ptr<ByteStreamEnding> ending;        // may be null
};

class ByteStreamEndpoint final : public Endpoint {
 public:
  ByteStreamEndpoint(std::unique_ptr<ByteIo> io, ByteStreamOptions options);
  ~ByteStreamEndpoint() override;
  ByteStreamEndpoint(const ByteStreamEndpoint&) = delete;
  ByteStreamEndpoint& operator=(const ByteStreamEndpoint&) = delete;

  // With a handshake, `peer` and `sees_death` are the options' until its greeting was received (that is, until a
  // Borrow() has said kOk) and what the greeting told from then on. A reference stays valid, and what it refers to
  // unchanged, as long as the endpoint.
  const EndpointInfo& info() const override { return *info_.load(std::memory_order_acquire); }
  absl::Status status() const override;

  Io Reserve(size_t size, absl::Span<char>* space) override;
  Io Commit(size_t size, absl::Span<UniqueFd> fds) override;
  // Also sends a handshake's greeting when no frame was committed.
  Io Flush() override;

  Io Borrow(Frame* frame) override;
  void Release() override;
  bool HasFrame() const override;

  bool Arm(Side side) override;
  void Disarm(Side side) override;
  std::array<pollfd, 3> PollFds(Side side) const override;
  Io Wait(Side side, int64_t deadline_ns) override;
  int TakeDeathWatch() override;
  void PeerDied() override;
  void Close(absl::Status why) override;

 private:
  Io Connecting();           // goes on connecting; kOk when done
  Io FlushGreeting();        // greeting first
  Io SendFailed(int error);  // errno of a send: kWouldBlock, or ends the sending side
  Io Fill();                 // one receive call that does not block; kOk: bytes came
  Io Filled(ssize_t received, size_t asked, int error);
  Io ReceiveGreeting();
  Io EndOfStream();
  Io ReceiveEmpty();                     // nothing to receive: has the peer died?
  Io WaitBlocking(int64_t deadline_ns);  // Wait(kReceive) by sleeping in the receive call
  Io WaitPolling(Side side, int64_t deadline_ns);
  bool StreamIsReadable() const;
  bool PeerIsDead() const;
  bool PeerHasClosed() const;
  void LookForRefusal();
  void EndSending(absl::Status why);  // received frames are still delivered
  Io Violation(ReceiveBuffer::Found found);
  bool closed() const { return closed_.load(std::memory_order_acquire); }
  absl::Status Named(absl::StatusCode code, absl::string_view text) const;
  absl::Status Gone(absl::string_view text) const;  // UNAVAILABLE, with what the ending has to say

  // Constant, or written once before it is published.
  const std::unique_ptr<ByteIo> io_;
  const std::unique_ptr<ByteStreamHandshake> handshake_;
  const std::unique_ptr<ByteStreamEnding> ending_;
  const std::string name_;
  const size_t max_frame_;
  const pid_t owner_;  // the process that made it
  const EndpointInfo first_info_;
  EndpointInfo greeted_info_;
  UniqueFd death_owner_;
  UniqueFd early_death_owner_;  // the options', once replaced: somebody may still be polling it
  std::atomic<const EndpointInfo*> info_;
  std::atomic<int> death_fd_;  // -1: none known
  std::atomic<bool> death_taken_{false};
  std::atomic<bool> connected_;
  std::atomic<bool> closed_{false};

  mutable std::mutex mutex_;   // slow paths only: connecting, reason_
  std::mutex greeting_mutex_;  // handshake_->ReceiveGreeting(); taken before mutex_
  absl::Status reason_;

  // Sender's.
  alignas(64) SendBuffer send_;
  bool greeting_sent_;
  bool send_ended_ = false;

  // Receiver's.
  alignas(64) ReceiveBuffer receive_;
  std::atomic<bool> greeting_received_;
  bool borrowed_ = false;
  bool stream_was_empty_ = false;  // the last receive call got less than it asked for: the next may be saved, once
};

}  // namespace nearcall

#endif  // NEARCALL_TRANSPORTS_BYTE_STREAM_BYTE_STREAM_H_
