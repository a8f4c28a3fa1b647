// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// DialingEndpoint: a client's endpoint that may be used before the server has answered. First frames go into the ring
// at once; the server's greeting then says whether it took the ring. If not, and the client accepts another medium, the
// same socket goes on with that one and the first frames are sent again over it.
//
//   return std::make_unique<DialingEndpoint>(std::move(meeting), bit(), *std::move(memory));
//
// Flush() sends the greeting and returns; whichever role is called next reads the answer. So first frames that have to
// go another way wait until somebody flushes again, receives or waits.
//
// Once greeted it passes everything on to the real endpoint: one virtual call more.
//
// Thread safety: as Endpoint says; until greeted one lock is taken by every call. Lifetime: owns the real endpoint.
// Errors: the handshake's, then the real endpoint's.
#ifndef NEARCALL_TRANSPORTS_RING_DIALING_ENDPOINT_H_
#define NEARCALL_TRANSPORTS_RING_DIALING_ENDPOINT_H_

#include <sys/types.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "nearcall/transports/api/endpoint.h"
#include "nearcall/transports/rendezvous/medium.h"
#include "nearcall/transports/ring/local_bells.h"
#include "nearcall/transports/ring/ring.h"
#include "nearcall/transports/ring/ring_memory.h"

namespace nearcall::internal {

class DialingEndpoint final : public Endpoint {
 public:
  DialingEndpoint(Meeting meeting, MediumBit own, RingMemory memory);
  ~DialingEndpoint() override;
  DialingEndpoint(const DialingEndpoint&) = delete;
  DialingEndpoint& operator=(const DialingEndpoint&) = delete;

  const EndpointInfo& info() const override;
  absl::Status status() const override;

  Io Reserve(size_t size, absl::Span<char>* space) override;
  Io Commit(size_t size, absl::Span<UniqueFd> fds) override;
  Io Flush() override;  // also sends the greeting when no frame was committed

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
  Endpoint* Real() const { return published_.load(std::memory_order_acquire); }
  Io ConnectLocked();
  Io ReserveLocked(size_t size, absl::Span<char>* space);
  Io FlushLocked();
  Io SendGreetingLocked();
  Io GreetLocked();  // kOk: greeted, there is a real endpoint
  void GreetedLocked(ByteStreamHandshake::Greeted greeted);
  std::unique_ptr<Endpoint> MakeRingLocked(ByteStreamHandshake::Greeted& greeted);
  std::unique_ptr<Endpoint> MakeOtherLocked(ByteStreamHandshake::Greeted& greeted);
  Io CommitReserved(Endpoint& real, size_t size);
  Io WaitDialing(Side side, int64_t deadline_ns);
  Io CloseLocked(absl::Status why);
  bool PeerIsDeadLocked() const;
  absl::Status Named(absl::StatusCode code, absl::string_view text) const;

  const std::string name_;
  const MediumBit own_;  // the medium that it proposes
  const EndpointInfo first_info_;
  const Media others_;  // that may take over
  const std::unique_ptr<ByteStreamHandshake> handshake_;
  const pid_t owner_;

  mutable std::mutex mutex_;          // all below until there is a real endpoint
  std::optional<RingMemory> memory_;  // moves on to a RingEndpoint, or is dropped
  RingWords* const out_;
  RingWords* const in_;
  std::unique_ptr<ByteIo> socket_;
  ByteIo* const io_;
  std::unique_ptr<LocalBells> own_bells_;  // moves on to a RingEndpoint
  LocalBells* const bells_;
  UniqueFd death_;
  UniqueFd early_death_;  // once replaced: somebody may still be polling it
  bool death_taken_ = false;
  bool peer_died_ = false;
  bool connected_ = false;
  bool greeting_sent_ = false;
  bool full_ = false;  // the last Reserve() did not find room
  bool closed_ = false;
  absl::Status reason_;
  RingWriter writer_;
  absl::Span<char> reserved_;  // in the ring, although another medium took over; the sender's from then on

  std::unique_ptr<Endpoint> real_;
  std::atomic<Endpoint*> published_{nullptr};
};

}  // namespace nearcall::internal

#endif  // NEARCALL_TRANSPORTS_RING_DIALING_ENDPOINT_H_
