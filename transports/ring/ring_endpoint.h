// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// RingEndpoint: a connection over two rings in shared memory, once both sides have met. The rendezvous's socket stays
// open: it is the sign of life, and carries one byte to wake a side that polls.
//
//   RingOptions options;
//   options.info = {.transport = "shm", .peer = credentials, .max_frame = MaxFrameOf(ring), .sees_death = true};
//   options.name = "shm:greeter";
//   options.bells = std::move(bells);
//   return std::make_unique<RingEndpoint>(*std::move(memory), RingEndpoint::kServer, std::move(socket),
//   std::move(options));
//
// How it sleeps. Wait(kReceive), once the death watch was taken: in a futex for up to 100 ms, then as the others do.
// The others poll the socket. Whoever publishes wakes a sleeper in the way that it sleeps, and nobody who is awake.
//
// Flush() and its promise. Committed frames lie in the ring, unpublished: a peer that keeps to the protocol has not
// seen them, and Flush() looks whether the peer has closed before it publishes. kClosed then means that it published
// nothing. A peer that breaks the protocol can look at unpublished bytes; it learns nothing that it would not be told.
// Reserve() never publishes; waiting for room does, and then the next Flush() says kWouldBlock before kClosed.
//
// Thread safety and lifetime: as Endpoint says. No lock is taken and nothing allocated by Reserve, Commit, Flush,
// Borrow and Release on an open connection. Cost: no system call while the peer is awake, one to wake it. Errors:
// UNAVAILABLE when the peer is gone, INTERNAL on a violation, INVALID_ARGUMENT on misuse by the caller.
#ifndef NEARCALL_TRANSPORTS_RING_RING_ENDPOINT_H_
#define NEARCALL_TRANSPORTS_RING_RING_ENDPOINT_H_

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
#include "nearcall/transports/api/unique_fd.h"
#include "nearcall/transports/byte_stream/byte_io.h"
#include "nearcall/transports/ring/local_bells.h"
#include "nearcall/transports/ring/ring.h"
#include "nearcall/transports/ring/ring_memory.h"

namespace nearcall::internal {

// What a byte on the socket says; part of the protocol.
enum class WakeByte : char { kFrames = 'F', kRoom = 'R' };

// Wakes the peer that slept on `word` as `how` says.
void WakePeer(ByteIo& socket, SharedWord<uint32_t>& word, Sleep how, WakeByte byte);

struct RingOptions {
  EndpointInfo info;
  std::string name;  // the address, for errors
  UniqueFd death;    // readable once the peer is dead; may be invalid
  bool death_taken = false;
  std::unique_ptr<LocalBells> bells;
  std::optional<RingWriter> writer;  // a client's that has written already
};

class RingEndpoint final : public Endpoint {
 public:
  enum Role { kClient, kServer };

  RingEndpoint(RingMemory memory, Role role, std::unique_ptr<ByteIo> socket, RingOptions options);
  ~RingEndpoint() override;
  RingEndpoint(const RingEndpoint&) = delete;
  RingEndpoint& operator=(const RingEndpoint&) = delete;

  const EndpointInfo& info() const override { return info_; }
  absl::Status status() const override;

  Io Reserve(size_t size, absl::Span<char>* space) override;
  Io Commit(size_t size, absl::Span<UniqueFd> fds) override;
  Io Flush() override;

  Io Borrow(Frame* frame) override;
  void Release() override;
  bool HasFrame() const override { return !reader_.borrowed() && reader_.HasMore(); }

  bool Arm(Side side) override;
  void Disarm(Side side) override;
  std::array<pollfd, 3> PollFds(Side side) const override;
  Io Wait(Side side, int64_t deadline_ns) override;
  int TakeDeathWatch() override;
  void PeerDied() override;
  void Close(absl::Status why) override;

 private:
  bool ended() const { return closed_.load() || gone_.load(); }
  bool SendEnded();  // also looks whether the peer has closed
  bool PeerClosed();
  bool Broken();  // the memory is; closes
  Io NoRoom();
  Io EndOfFrames();
  void ReturnSpace();
  bool ArmReceive();
  bool ArmSend();
  Io WaitInFutex(int64_t until_ns);
  Io WaitPolling(Side side, int64_t deadline_ns);
  void TakeWakeBytes(Side side);
  void LookForDeath();
  void LookForDeathSometimes(uint32_t* looks);
  void Gone(absl::string_view text);
  void WakeOwnReceiver();
  Io Violation(const std::string& problem);
  absl::Status Named(absl::StatusCode code, absl::string_view text) const;

  const RingMemory memory_;
  RingWords* const out_;
  RingWords* const in_;
  const std::unique_ptr<ByteIo> socket_;
  const std::unique_ptr<LocalBells> bells_;
  const UniqueFd death_;
  const EndpointInfo info_;
  const std::string name_;
  const pid_t owner_;  // the process that made it
  std::atomic<bool> death_taken_;
  std::atomic<bool> closed_{false};
  std::atomic<bool> gone_{false};  // the peer is: what it has published is still read
  mutable std::mutex mutex_;       // reason_
  absl::Status reason_;

  alignas(64) RingWriter writer_;  // sender's
  uint32_t send_looks_ = 0;

  alignas(64) RingReader reader_;  // receiver's
  uint32_t receive_looks_ = 0;
};

}  // namespace nearcall::internal

#endif  // NEARCALL_TRANSPORTS_RING_RING_ENDPOINT_H_
