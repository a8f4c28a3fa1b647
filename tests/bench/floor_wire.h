// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// What the floors that move bytes by system calls move them through, one blocking call after the other: a stream
// socket, two pipes, two FIFOs, two POSIX message queues.
//
//   absl::StatusOr<WirePair> pair = MakeWire("pipe", folder_path);   // client
//   ... pair->server's descriptors are handed over; FloorWire(WireKind::kPipes, std::move(received), false) there ...
//   pair->client.WriteAll(data, size) && pair->client.ReadAll(into, size);
//
// Both sides know the length: a queue carries it in pieces of kQueueMessage bytes, the last one shorter. A buffer to
// read into has RoomFor() its length.
//
// Thread safety: none. Lifetime: owns its descriptors; End() tells a peer that reads from a queue, of all else it is
// told by their closing. Errors: false, or what read(2) gives; of MakeWire() what the system said.
#ifndef NEARCALL_TESTS_BENCH_FLOOR_WIRE_H_
#define NEARCALL_TESTS_BENCH_FLOOR_WIRE_H_

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "nearcall/transports/api/unique_fd.h"

namespace nearcall::bench {

// A stream socket: one descriptor. Pipes: what is read from, what is written to, and the other end of the latter, held
// so that no write is a SIGPIPE. Queues: what is received from, what is sent to.
enum class WireKind : uint32_t { kSocket, kPipes, kQueues };

class FloorWire {
 public:
  FloorWire(WireKind kind, std::vector<UniqueFd> descriptors, bool spins)
      : kind_(kind), spins_(spins), descriptors_(std::move(descriptors)) {}

  // False where these are not the descriptors of such a wire.
  static bool Has(WireKind kind, size_t descriptors);
  static size_t RoomFor(size_t length);

  int in() const { return descriptors_.front().get(); }
  int out() const { return descriptors_[kind_ == WireKind::kSocket ? 0 : 1].get(); }

  bool WriteAll(const char* data, size_t size);
  ssize_t ReadSome(char* data, size_t size);  // one message of a queue, into room for the largest; 0: the end
  bool ReadAll(char* data, size_t size);
  void End();

 private:
  ssize_t Write(const char* data, size_t size);
  ssize_t Read(char* data, size_t size);

  WireKind kind_;
  bool spins_;  // sockets alone
  std::vector<UniqueFd> descriptors_;
};

struct WirePair {
  WireKind kind;
  FloorWire client;
  std::vector<UniqueFd> server;
};

// "tcp": over loopback, with TCP_NODELAY; "pipe", "fifo", "mq". `path`: where FIFOs have their names while they are
// opened. INVALID_ARGUMENT: another transport.
absl::StatusOr<WirePair> MakeWire(const std::string& transport, const std::string& path);

}  // namespace nearcall::bench

#endif  // NEARCALL_TESTS_BENCH_FLOOR_WIRE_H_
