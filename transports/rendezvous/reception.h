// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// Reception: what is the same for every listener that does not trust who connects: it accepts, waits for greetings
// without blocking, and makes endpoints of the guests whose greetings pass.
//
//   auto reception = Reception::Make("tcp:127.0.0.1:4000");
//   (*reception)->Open(socket, [](UniqueFd fd) { return std::make_unique<MyGuest>(std::move(fd)); });
//   // poll (*reception)->fd(), then (*reception)->Accept()
//
// Everything that is not yet an endpoint (half-open connections, their deadlines, the pause after EMFILE) lives in one
// epoll descriptor, fd(). A connection has 5 s for its greeting; at most 64 half-open ones of one key (a uid, a host)
// are kept, then the oldest of that key is dropped. Without descriptors the socket rests for 100 ms, or until a
// connection has gone.
//
// Thread safety: Accept() from any thread, one at a time inside; guests are used under its lock. Lifetime: the socket
// is the caller's and outlives this. Errors: as Listener::Accept() says; what happened to connections that failed is in
// last_failure().
#ifndef NEARCALL_TRANSPORTS_RENDEZVOUS_RECEPTION_H_
#define NEARCALL_TRANSPORTS_RENDEZVOUS_RECEPTION_H_

#include <cstdint>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>

#include "absl/status/statusor.h"
#include "nearcall/transports/api/endpoint.h"
#include "nearcall/transports/api/unique_fd.h"

namespace nearcall::internal {

inline constexpr int kMaxHalfOpenPerKey = 64;
inline constexpr int64_t kGreetingTimeoutNanos = 5'000'000'000;
inline constexpr int64_t kAcceptPauseNanos = 100'000'000;

// A connection that was accepted and is not an endpoint yet: what its transport knows of it.
class Guest {
 public:
  enum class Progress { kMore, kComplete, kFailed };
  enum class Dropped { kTimeout, kBusy };

  virtual ~Guest() = default;
  virtual int fd() const = 0;           // constant; open as long as this, unless it is an endpoint's
  virtual uint64_t key() const = 0;     // of whom only so many are kept
  virtual std::string Who() const = 0;  // "pid 7 of uid 0"
  virtual std::string Key() const = 0;  // what the key is: "uid"

  // Receives what has come of the greeting. kFailed: *why; the peer has been told, as far as it goes at once.
  virtual Progress Receive(std::string* why) = 0;
  // After kComplete, with a socket that nobody watches any more: answers, and gives the endpoint. Null: as kFailed.
  virtual std::unique_ptr<Endpoint> Finish(std::string* why) = 0;
  // Tells the peer, as far as it goes at once.
  virtual void Drop(Dropped why) = 0;
};

class Reception {
 public:
  // What makes a guest of an accepted socket (CLOEXEC, in blocking mode); null: it is gone already.
  using Admit = std::function<std::unique_ptr<Guest>(UniqueFd socket)>;

  // `name`: the address, for errors.
  static absl::StatusOr<std::unique_ptr<Reception>> Make(std::string name);
  // Begins. `socket` listens and is in non-blocking mode.
  absl::Status Open(int socket, Admit admit);

  Reception(const Reception&) = delete;
  Reception& operator=(const Reception&) = delete;

  int fd() const { return epoll_.get(); }
  absl::StatusOr<std::unique_ptr<Endpoint>> Accept();

  // Why the last connection that failed did so, and how many have: for tests and for people with a debugger.
  std::string last_failure() const;
  int64_t failures() const;
  int half_open() const;

 private:
  struct HalfOpen {
    uint64_t id;
    std::unique_ptr<Guest> guest;
    int64_t deadline;
    bool watched = false;  // by epoll_
  };
  using Link = std::list<HalfOpen>::iterator;
  using Made = std::unique_ptr<Endpoint>;

  explicit Reception(std::string name) : name_(std::move(name)) {}
  absl::StatusOr<Made> AcceptSome();
  Made AcceptOne(UniqueFd socket);
  bool Advance(HalfOpen& half, Made* made);
  void Keep(HalfOpen half);
  void DropOldestOf(uint64_t key);
  void Drop(HalfOpen& half, Guest::Dropped why, const std::string& text);
  void Failed(const HalfOpen& half, const std::string& text);
  void Pause();
  void Resume();
  void TimerFired();
  void RearmTimer();
  void Unwatch(HalfOpen& half);
  void Forget(Link link);

  const std::string name_;
  mutable std::mutex mutex_;
  UniqueFd epoll_;
  UniqueFd timer_;
  int socket_ = -1;
  Admit admit_;
  std::list<HalfOpen> half_open_;  // the oldest, whose deadline is the first, in front
  std::unordered_map<uint64_t, Link> by_id_;
  std::map<uint64_t, int> per_key_;
  uint64_t next_id_ = 2;        // 0 and 1 are the epoll tags of socket_ and timer_
  int64_t pause_until_ = 0;     // 0: not paused
  int64_t timer_armed_at_ = 0;  // 0: not armed
  int64_t failures_ = 0;
  std::string last_failure_;
};

}  // namespace nearcall::internal

#endif  // NEARCALL_TRANSPORTS_RENDEZVOUS_RECEPTION_H_
