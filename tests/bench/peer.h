// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// A peer: one way of echoing bytes between two processes, as the rounds use it. There are two kinds: the raw floors
// (floors.h) and nearcall over a transport (nearcall_peer.h); another framework is one more.
//
//   absl::StatusOr<std::unique_ptr<Peer>> peer = Peer::Start({kNearcall, "unix"}, folder, {});
//   absl::StatusOr<std::unique_ptr<EchoLink>> link = (*peer)->Open(64, 1);
//   absl::Status status = (*link)->Echo();
//
// Thread safety: none. Lifetime: links end before their peer; a peer's destructor ends its server process. Errors name
// the peer's address.
#ifndef NEARCALL_TESTS_BENCH_PEER_H_
#define NEARCALL_TESTS_BENCH_PEER_H_

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "nearcall/tests/bench/process.h"
#include "nearcall/tests/bench/stats.h"

namespace nearcall::bench {

// Names of kinds of peers. nearcall is one for each SpinMode.
inline constexpr char kFloor[] = "floor";
inline constexpr char kNearcall[] = "nearcall";  // kNever: both sides asleep between calls
inline constexpr char kAdaptive[] = "nearcall adaptive";
inline constexpr char kPrefer[] = "nearcall prefer";

struct PeerKind {
  std::string name;
  std::string transport;  // the address's scheme; of a floor see floors.h
  bool is_floor() const { return name == kFloor; }
  bool one_process() const { return transport == "inproc"; }
  bool served_by_link() const {
    return !is_floor() && transport == "exec";
  }  // each link's address starts a server of its own
  bool operator==(const PeerKind& other) const { return name == other.name && transport == other.transport; }
  std::string ToString() const { return name + "/" + transport; }  // "nearcall adaptive/shm"
  static PeerKind Parse(const std::string& text);                  // ToString()'s
};

// A client's connection for calls of one payload size. Echo() may be called by several threads at once where the peer
// is no floor; floors have only Echo() and Flood().
class EchoLink {
 public:
  virtual ~EchoLink() = default;
  virtual absl::Status Echo() = 0;  // one call, waited for
  virtual absl::Status EchoThen();  // one call, its reply taken by a callback of a small capture, and waited for
  // A stream over the same link, beside its calls, whose messages are read slowly until the object's end.
  class SlowStream {
   public:
    virtual ~SlowStream() = default;
  };
  virtual absl::StatusOr<std::unique_ptr<SlowStream>> ReadSlowly();
  // Keeps the link's number of calls outstanding until `end` (MonotonicNanos), then waits for the last.
  virtual absl::Status Flood(int64_t end, Latencies& latencies) = 0;
  virtual pid_t server_pid() const { return 0; }  // of the server that the link has started; 0: none
};

// What serves in this process, for peers of one process and in the server's own.
class EchoServer {
 public:
  virtual ~EchoServer() = default;
  virtual std::string address() const = 0;  // where clients find it
  virtual void Run() {}                     // of a link's own server: until the link has ended
};

// The two things that a kind of peer brings.
absl::StatusOr<std::unique_ptr<EchoServer>> ServeEcho(const PeerKind& kind, const std::string& address);
absl::StatusOr<std::unique_ptr<EchoLink>> OpenEcho(const PeerKind& kind, const std::string& address, size_t payload,
                                                   int outstanding);

class Peer {
 public:
  // `wrapper` goes before the server's command: {"valgrind", "--tool=callgrind"}.
  static absl::StatusOr<std::unique_ptr<Peer>> Start(const PeerKind& kind, const ScratchFolder& folder,
                                                     const std::vector<std::string>& wrapper = {});

  const PeerKind& kind() const { return kind_; }
  const std::string& address() const { return address_; }
  // Where the link starts a server, this process is unpinned, which that one inherits.
  absl::StatusOr<std::unique_ptr<EchoLink>> Open(size_t payload, int outstanding) const;

  // The calling thread and its process go to one core, the server of the link to the other.
  void Pin(const EchoLink& link, int client_cpu, int server_cpu) const;
  int64_t CpuNanos(const EchoLink& link) const;  // of both sides
  // Of both sides, where no link has a server of its own. Between the two nothing but calls should run.
  absl::Status StartCountingAllocations() const;
  absl::StatusOr<int64_t> StopCountingAllocations() const;
  absl::Status End();  // ends the server; an error unless that went well

 private:
  explicit Peer(PeerKind kind) : kind_(std::move(kind)) {}
  pid_t ServerPid(const EchoLink& link) const;  // 0: it is this process

  const PeerKind kind_;
  std::string address_;
  std::unique_ptr<ChildProcess> process_;  // one of the two, or none: served_by_link()
  std::unique_ptr<EchoServer> server_;
};

// main() of the server's process: serves until its parent is gone, or its link.
absl::Status RunServer(const PeerKind& kind, const std::string& address);
// main() of a client that only makes calls, for callgrind. A peer of one process serves itself.
absl::Status RunClient(const PeerKind& kind, const std::string& address, size_t payload, int64_t calls);

}  // namespace nearcall::bench

#endif  // NEARCALL_TESTS_BENCH_PEER_H_
