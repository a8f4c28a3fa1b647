// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// DatagramEndpoint: frames over anything that keeps its packets apart (message queues, SOCK_SEQPACKET). A transport
// brings a DatagramIo of a few lines; packing, waiting, closing and the death watch are here.
//
//   DatagramOptions options;
//   options.info = {.transport = "seqpacket", .peer = credentials, .sees_death = true};
//   options.max_datagram = 65536;
//   options.name = "seqpacket:/run/greeter.sock";   // for the text of errors
//   options.death = std::move(pidfd);
//   return std::make_unique<DatagramEndpoint>(std::move(io), std::move(options));
//
// A datagram holds one frame or several, each behind 4 bytes (u32 little-endian length), and nothing else; so the frame
// of 0 bytes is a datagram of 4, and an empty datagram is the end. What is committed goes into one datagram as long as
// it fits; when it is full it is sent, so that Reserve() may show frames that nobody flushed: then the next Flush()
// says kWouldBlock before it says kClosed.
//
// Thread safety and lifetime: as Endpoint says. No lock is taken by Reserve, Commit, Flush, Borrow or Release on an
// open connection. Cost: one system call per datagram each side (after one that is less than half full the next empty
// Borrow() says kWouldBlock without asking, once); two buffers of a datagram, made at first use. Errors:
// UNAVAILABLE when the peer is gone, INTERNAL on a violation, INVALID_ARGUMENT on misuse by the caller.
#ifndef NEARCALL_TRANSPORTS_DATAGRAM_DATAGRAM_H_
#define NEARCALL_TRANSPORTS_DATAGRAM_DATAGRAM_H_

#include <poll.h>
#include <sys/types.h>

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

namespace nearcall {

// The system calls under a DatagramEndpoint. Send() by the sender and Receive*() by the receiver, at the same time;
// Shutdown() from any thread. Errors: -1 and errno; EINTR is never returned by calls that do not block.
class DatagramIo {
 public:
  virtual ~DatagramIo() = default;
  virtual int send_fd() const = 0;     // POLLOUT: Send() is worth a try
  virtual int receive_fd() const = 0;  // POLLIN: Receive() is
  // Readable, or hung up, once either side has shut down, where receive_fd() does not tell; -1: it does.
  virtual int end_fd() const { return -1; }

  // Sends one datagram, whole or not at all (EAGAIN: the medium is full). Never blocks, never raises SIGPIPE.
  virtual ssize_t Send(const char* data, size_t size) = 0;
  // The next datagram's size. 0: the end, or an empty datagram, which is one too. EAGAIN: nothing is there.
  virtual ssize_t Receive(char* data, size_t size) = 0;
  // Whether the other side has shut down, asked where nothing is there although this side was woken.
  virtual bool Ended() { return false; }

  // Receive() that sleeps until `until_ns` or somewhat less: EAGAIN, EINTR possible. Only if can_block().
  virtual bool can_block() const { return false; }
  virtual ssize_t ReceiveBlocking(char* data, size_t size, int64_t until_ns);

  // Ends both directions and wakes every sleeper of either side. What has arrived can still be received. Idempotent.
  virtual void Shutdown() = 0;
};

// What has to happen between two processes before the first datagram. Until then the endpoint is "connecting".
//
// Thread safety: Dial() and Poll() under the endpoint's lock, Interrupt() from any thread.
class DatagramDialing {
 public:
  struct Met {
    std::optional<Credentials> peer;
    UniqueFd death;           // readable once the peer's process is dead; replaces the options'
    bool keeps_death = true;  // without one: the options' is the peer's
  };
  virtual ~DatagramDialing() = default;
  // Goes on: kOk: connected. kWouldBlock: poll Poll(), then call again. kClosed: *why says the reason.
  virtual Io Dial(Met* met, absl::Status* why) = 0;
  virtual pollfd Poll() const = 0;
  virtual int done_fd() const = 0;  // readable once Interrupt() was called
  virtual void Interrupt() = 0;     // it is over, by success or Close(): wakes who polls
};

struct DatagramOptions {
  EndpointInfo info;                         // max_frame is set by the endpoint
  size_t max_datagram = 0;                   // 4,100 at least, so that max_frame is what a transport owes
  std::string name;                          // the address, or whatever errors should name
  UniqueFd death;                            // readable once the peer is dead; may be invalid
  std::unique_ptr<DatagramDialing> dialing;  // null: connected
};

class DatagramEndpoint final : public Endpoint {
 public:
  DatagramEndpoint(std::unique_ptr<DatagramIo> io, DatagramOptions options);
  ~DatagramEndpoint() override;
  DatagramEndpoint(const DatagramEndpoint&) = delete;
  DatagramEndpoint& operator=(const DatagramEndpoint&) = delete;

  const EndpointInfo& info() const override { return *info_.load(std::memory_order_acquire); }
  absl::Status status() const override;

  Io Reserve(size_t size, absl::Span<char>* space) override;
  Io Commit(size_t size, absl::Span<UniqueFd> fds) override;
  Io Flush() override;  // also goes on connecting when no frame was committed

  Io Borrow(Frame* frame) override;
  void Release() override;
  bool HasFrame() const override { return !borrowed_ && in_begin_ != in_end_; }

  bool Arm(Side side) override;
  void Disarm(Side side) override;
  std::array<pollfd, 3> PollFds(Side side) const override;
  Io Wait(Side side, int64_t deadline_ns) override;
  int TakeDeathWatch() override;
  void PeerDied() override;
  void Close(absl::Status why) override;

 private:
  Io Connecting();
  Io SendDatagram();
  Io Receive();
  Io Received(ssize_t size, int error);
  Io NothingThere();
  Io FirstFrame(absl::Span<const char>* bytes);
  Io WaitBlocking(int64_t deadline_ns);
  Io WaitPolling(Side side, int64_t deadline_ns);
  bool PeerIsDead() const;
  Io End(absl::string_view text);
  void EndSending(absl::Status why);
  bool closed() const { return closed_.load(std::memory_order_acquire); }
  absl::Status Named(absl::StatusCode code, absl::string_view text) const;

  const std::unique_ptr<DatagramIo> io_;
  const std::unique_ptr<DatagramDialing> dialing_;
  const std::string name_;
  const size_t max_datagram_;
  const pid_t owner_;  // the process that made it
  const EndpointInfo first_info_;
  EndpointInfo met_info_;
  UniqueFd death_owner_;
  UniqueFd early_death_owner_;  // the options', once replaced: somebody may still be polling it
  std::atomic<const EndpointInfo*> info_;
  std::atomic<int> death_fd_;
  std::atomic<bool> death_taken_{false};
  std::atomic<bool> connected_;
  std::atomic<bool> closed_{false};
  mutable std::mutex mutex_;  // slow paths: connecting, reason_
  absl::Status reason_;

  // Sender's.
  alignas(64) std::unique_ptr<char[]> out_;
  size_t out_begin_ = 0, out_end_ = 0;  // committed and not yet sent
  size_t reserved_ = SIZE_MAX;
  bool shown_ = false;  // part of it was sent unasked since the last flush
  bool send_ended_ = false;
  bool send_woken_ = false;  // since the medium was full last

  // Receiver's.
  alignas(64) std::unique_ptr<char[]> in_;
  size_t in_begin_ = 0, in_end_ = 0;
  size_t borrowed_size_ = 0;
  bool borrowed_ = false;
  bool woken_ = false;      // since something was received last
  bool was_empty_ = false;  // probably: what was received last had room for more
};

}  // namespace nearcall

#endif  // NEARCALL_TRANSPORTS_DATAGRAM_DATAGRAM_H_
