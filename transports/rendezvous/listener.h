// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// The rendezvous's listener: accepts, waits for greetings, checks identities, and makes endpoints of those that pass.
//
//   auto listener = ListenRendezvous(address, Names::kAllowed, {&shm, &socket});
//   // poll (*listener)->fd(), then (*listener)->Accept()
//
// Everything that is not yet an endpoint (half-open connections, their deadlines, the pause after EMFILE) lives in one
// epoll descriptor, fd(). A connection has 5 s for its greeting; at most 64 half-open ones per uid are kept, then the
// oldest of that uid is dropped.
//
// Thread safety: Accept() from any thread, one at a time inside. Lifetime: Listener's. Errors: as Listener says; what
// happened to connections that failed is in last_failure().
#ifndef NEARCALL_TRANSPORTS_RENDEZVOUS_LISTENER_H_
#define NEARCALL_TRANSPORTS_RENDEZVOUS_LISTENER_H_

#include <cstdint>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>

#include "absl/status/statusor.h"
#include "nearcall/transports/api/endpoint.h"
#include "nearcall/transports/rendezvous/greeting.h"
#include "nearcall/transports/rendezvous/medium.h"
#include "nearcall/transports/rendezvous/place.h"
#include "nearcall/transports/rendezvous/safe_bind.h"

namespace nearcall::internal {

inline constexpr int kMaxHalfOpenPerUid = 64;
inline constexpr int64_t kGreetingTimeoutNanos = 5'000'000'000;
inline constexpr int64_t kAcceptPauseNanos = 100'000'000;

class RendezvousListener final : public Listener {
 public:
  RendezvousListener(Address address, Media media, std::unique_ptr<BoundSocket> socket, UniqueFd epoll, UniqueFd timer);
  ~RendezvousListener() override;

  const Address& address() const override { return address_; }
  int fd() const override { return epoll_.get(); }
  absl::StatusOr<std::unique_ptr<Endpoint>> Accept() override;

  // Why the last connection that failed did so, and how many have: for tests and for people with a debugger.
  std::string last_failure() const;
  int64_t failures() const;
  int half_open() const;

 private:
  struct HalfOpen {
    uint64_t id;
    int fd;
    Credentials client;  // SO_PEERCRED
    std::unique_ptr<ByteIo> io;
    GreetingReader reader;
    int64_t deadline;
    bool watched = false;  // by epoll_
  };
  using Link = std::list<HalfOpen>::iterator;
  using Made = std::unique_ptr<Endpoint>;

  absl::StatusOr<Made> AcceptSome();
  bool AcceptOne(int fd, Made* made);
  void Pause();
  void Resume();
  void TimerFired();
  void RearmTimer();
  void DropOldestOf(uid_t uid);

  enum class Progress { kMore, kMade, kOver };
  Progress Advance(HalfOpen& half, Made* made);
  Progress Greeted(HalfOpen& half, Made* made);
  void Refuse(HalfOpen& half, Refusal reason, const std::string& text);
  void Failed(const HalfOpen& half, const std::string& text);
  uint32_t AllowedMedia() const;
  const Medium* Alternative(const Greeting& greeting) const;
  void Unwatch(HalfOpen& half);
  void Forget(Link link);

  const Address address_;
  const Media media_;
  const std::string name_;  // for errors
  mutable std::mutex mutex_;
  UniqueFd epoll_;
  UniqueFd timer_;
  std::unique_ptr<BoundSocket> socket_;
  std::list<HalfOpen> half_open_;  // the oldest, whose deadline is the first, in front
  std::unordered_map<uint64_t, Link> by_id_;
  std::map<uid_t, int> per_uid_;
  uint64_t next_id_ = 2;        // 0 and 1 are the epoll tags of socket_ and timer_
  int64_t pause_until_ = 0;     // 0: not paused
  int64_t timer_armed_at_ = 0;  // 0: not armed
  int64_t failures_ = 0;
  std::string last_failure_;
};

// Binds safely and listens. `media`: what it allows.
absl::StatusOr<std::unique_ptr<Listener>> ListenRendezvous(const Address& address, Names names, const Media& media);

}  // namespace nearcall::internal

#endif  // NEARCALL_TRANSPORTS_RENDEZVOUS_LISTENER_H_
