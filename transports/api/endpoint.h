// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// What a transport is. A transport moves small whole frames between two processes.
// It knows no call, no message, no limit on messages and no thread; it never blocks, except in Wait().
//
//   absl::Span<char> space;                                // sender
//   if (end.Reserve(64, &space) == Io::kOk) {
//     Encode(space); end.Commit(64, {}); end.Flush();
//   }                                                      // kWouldBlock: Wait(kSend, ...), try again
//   Frame frame;                                           // receiver
//   while (end.Borrow(&frame) == Io::kOk) { Use(frame.bytes); end.Release(); }
//                                                          // kWouldBlock: Wait(kReceive, ...), try again
//
// Roles: *sender* (Reserve, Commit, Flush, Arm/PollFds/Wait of kSend), *receiver* (Borrow, Release, the same of
// kReceive). The caller lets one thread at a time play a role; the two roles run at the same time; Close() may come
// from any thread.
#ifndef NEARCALL_TRANSPORTS_API_ENDPOINT_H_
#define NEARCALL_TRANSPORTS_API_ENDPOINT_H_
#include <poll.h>
#include <sys/types.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "nearcall/transports/api/address.h"
#include "nearcall/transports/api/credentials.h"
#include "nearcall/transports/api/server_watch.h"
#include "nearcall/transports/api/unique_fd.h"

namespace nearcall {

enum class Io { kOk, kWouldBlock, kClosed };  // kClosed: for ever; Endpoint::status() says why
enum class Side { kSend, kReceive };

struct EndpointInfo {               // fixed once the endpoint is connected
  std::string transport;            // "shm"
  std::optional<Credentials> peer;  // of the process at the other end, never of whoever made the socket
  size_t max_frame = 0;             // largest Reserve(), 4096 to 1 MiB; the session cuts larger messages
  int max_fds = 0;                  // descriptors a frame can carry (at most 16); 0: they do not cross
  bool peer_can_write = false;      // borrowed bytes may change under us: copy once, then validate
  bool cheap_poll = false;          // Borrow() on an empty medium is a memory load: worth spinning on
  bool sees_death = false;          // death is seen even while a forked child holds the peer's descriptors
  bool may_lose_last = false;       // what the peer flushed before it ended may be lost with it (a TCP reset)
};

struct Frame {
  absl::Span<const char> bytes;  // valid until Release()
  absl::Span<UniqueFd> fds;      // move out what you keep; Release() closes the rest
};

// A connection's end. An endpoint from Connect() may still be connecting: then Reserve() and Borrow() say kWouldBlock.
class Endpoint {
 public:
  virtual ~Endpoint() = default;  // REQUIRES: no call in progress. Closes; leaves no name, segment or descriptor.
  virtual const EndpointInfo& info()
      const = 0;  // REQUIRES: it came from Accept(), or a Reserve() or Borrow() has once said kOk
  virtual absl::Status status() const = 0;  // OK while open; else who ended it and why (UNAVAILABLE, INTERNAL, ...)

  // Contiguous writable space of `size` bytes, 0 <= size <= max_frame. It stays valid until Commit(), or until the next
  // Reserve(), which drops it. kWouldBlock: the medium is full and nothing has changed.
  virtual Io Reserve(size_t size, absl::Span<char>* space) = 0;
  // Turns the first `size` bytes (0 too) into one frame; the peer sees all of it or nothing. Takes the descriptors on
  // kOk only. kWouldBlock can only come with descriptors (too many in flight): the reservation stands.
  virtual Io Commit(size_t size, absl::Span<UniqueFd> fds) = 0;
  // Hands committed frames to the peer and wakes it if it sleeps; many commits, one flush. kWouldBlock: part is still
  // here. kClosed: the peer has seen nothing of what was committed since the last flush, if that is at most 64 KiB
  // (with more, Reserve() may flush by itself): calls may be sent again elsewhere.
  virtual Io Flush() = 0;

  // The next frame, whole and in order, once; at most one is borrowed at a time. kClosed only after the last good
  // frame.
  virtual Io Borrow(Frame* frame) = 0;
  virtual void Release() = 0;
  // A hint: whether the next Borrow() will give a frame without looking at the medium. No means: an answer to what was
  // borrowed last had better be flushed now.
  virtual bool HasFrame() const { return false; }

  // Call before sleeping. True: nothing is ready now, and whatever makes it so (space, a frame, the peer's death,
  // Close()) will make one of PollFds() ready. False: try again instead of sleeping. Costs nothing for the other side
  // until then.
  virtual bool Arm(Side side) = 0;
  virtual void Disarm(Side side) = 0;  // awake again: swallows the wake-up; the peer stops signalling
  // What to poll, and only while armed (EPOLLONESHOT fits); constant once connected. Includes the death signal. fd -1:
  // unused.
  virtual std::array<pollfd, 3> PollFds(Side side) const = 0;
  // Arm, sleep until ready or `deadline_ns` (CLOCK_MONOTONIC; INT64_MAX: none), disarm. kWouldBlock: the deadline came.
  // The default polls PollFds(); override it only where that is measurably slower (a futex).
  virtual Io Wait(Side side, int64_t deadline_ns);

  // The death signal, for a caller that watches it elsewhere (one thread for all connections): a descriptor that
  // becomes readable when the peer's process dies, or -1 (none, or not yet known: ask again once a Borrow() has said
  // kOk). From a taken watch on, Wait() and PollFds() leave the death to the caller, who calls PeerDied() when the
  // descriptor is readable; a Wait(kReceive) without deadline is then one blocking read. The descriptor stays the
  // endpoint's and is valid as long as it. Receiver role.
  virtual int TakeDeathWatch() { return -1; }
  // What the taker of the death watch calls when it fires: ends the connection as Close() does, but frames that have
  // already arrived are still borrowed first. Any thread.
  virtual void PeerDied() { Close(absl::UnavailableError("the peer's process has died")); }

  // Ends the connection at once and wakes every sleeper of this side. The first reason stays. Never blocks.
  virtual void Close(absl::Status why) = 0;
};

class Listener {
 public:
  virtual ~Listener() = default;               // stops listening; removes its names if they are still its own
  virtual const Address& address() const = 0;  // as bound: a port 0 is filled in
  virtual int fd()
      const = 0;  // readable when Accept() is worth a try (an epoll descriptor holds half-open ones, timers)
  // The next endpoint whose handshake is complete, or null. RESOURCE_EXHAUSTED (EMFILE): call again after 100 ms or
  // once a connection has closed, not at once. OUT_OF_RANGE: nobody will ever come again (a pipe whose one connection
  // has ended); a server whose listeners have all said so shuts down. A handshake that fails, or takes over 5 s, ends
  // alone and is never reported here.
  virtual absl::StatusOr<std::unique_ptr<Endpoint>> Accept() = 0;
};

class Transport {  // stateless; thread-safe
 public:
  virtual ~Transport() = default;
  virtual absl::string_view scheme() const = 0;
  virtual absl::StatusOr<std::unique_ptr<Listener>> Listen(
      const Address& address) = 0;  // errors name path, limit, errno
  virtual absl::StatusOr<std::unique_ptr<Endpoint>> Connect(
      const Address& address) = 0;  // at once; no peer shows as kClosed
  // For who waits until a server comes to `address`. Null: it can't be watched; try again after a while instead.
  virtual std::unique_ptr<ServerWatch> Watch(const Address& address) {
    static_cast<void>(address);
    return nullptr;
  }
};

}  // namespace nearcall
#endif  // NEARCALL_TRANSPORTS_API_ENDPOINT_H_
