// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
#include "nearcall/transports/rendezvous/reception.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "nearcall/transports/api/clock.h"
#include "nearcall/transports/api/errno_status.h"

namespace nearcall::internal {
namespace {

constexpr uint64_t kSocketTag = 0;
constexpr uint64_t kTimerTag = 1;
constexpr int kEventsPerAccept = 16;  // then the caller gets a turn

bool OutOfDescriptors(int error) { return error == EMFILE || error == ENFILE || error == ENOMEM || error == ENOBUFS; }

// accept(2) reports what befell the one connection, TCP's network errors among it.
bool IsOfTheConnection(int error) {
  switch (error) {
    case EINTR:
    case ECONNABORTED:
    case ENETDOWN:
    case EPROTO:
    case ENOPROTOOPT:
    case EHOSTDOWN:
    case ENONET:
    case EHOSTUNREACH:
    case ENETUNREACH:
      return true;
    default:
      return false;
  }
}

bool AddToEpoll(int epoll, int fd, uint64_t tag) {
  epoll_event event = {};
  event.events = EPOLLIN;
  event.data.u64 = tag;
  return ::epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) == 0;
}

// Are there descriptors for a socket, the client's pidfd, what a medium takes (shared memory: a memfd for a moment, and
// two eventfds) and a passing one? Else false and errno. A microsecond per connection.
bool RoomForAConnection(int any_fd) {
  UniqueFd spare[6];
  for (UniqueFd& fd : spare) {
    fd.Reset(::fcntl(any_fd, F_DUPFD_CLOEXEC, 0));
    if (fd.valid()) continue;
    const int error = errno;
    for (UniqueFd& opened : spare) opened.Reset();
    errno = error;
    return false;
  }
  return true;
}

std::string LimitText() {
  rlimit limit;
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return "";
  return absl::StrCat(" (RLIMIT_NOFILE is ", limit.rlim_cur, ")");
}

}  // namespace

absl::StatusOr<std::unique_ptr<Reception>> Reception::Make(std::string name) {
  std::unique_ptr<Reception> reception(new Reception(std::move(name)));
  reception->epoll_.Reset(::epoll_create1(EPOLL_CLOEXEC));
  if (!reception->epoll_.valid()) {
    return ErrnoStatus(errno, absl::StrCat(reception->name_, ": cannot make an epoll descriptor"));
  }
  reception->timer_.Reset(::timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK));
  if (!reception->timer_.valid()) return ErrnoStatus(errno, absl::StrCat(reception->name_, ": cannot make a timer"));
  return reception;
}

absl::Status Reception::Open(int socket, Admit admit) {
  socket_ = socket;
  admit_ = std::move(admit);
  if (AddToEpoll(epoll_.get(), socket, kSocketTag) && AddToEpoll(epoll_.get(), timer_.get(), kTimerTag)) {
    return absl::OkStatus();
  }
  return ErrnoStatus(errno, absl::StrCat(name_, ": cannot watch the socket"));
}

std::string Reception::last_failure() const {
  std::lock_guard<std::mutex> hold(mutex_);
  return last_failure_;
}

int64_t Reception::failures() const {
  std::lock_guard<std::mutex> hold(mutex_);
  return failures_;
}

int Reception::half_open() const {
  std::lock_guard<std::mutex> hold(mutex_);
  return static_cast<int>(half_open_.size());
}

absl::StatusOr<std::unique_ptr<Endpoint>> Reception::Accept() {
  std::lock_guard<std::mutex> hold(mutex_);
  epoll_event events[kEventsPerAccept];
  const int count = ::epoll_wait(epoll_.get(), events, kEventsPerAccept, 0);
  // Events are level-triggered: what this call does not reach, the next one finds again.
  for (int i = 0; i < count; ++i) {
    Made made;
    const uint64_t tag = events[i].data.u64;
    if (tag == kTimerTag) {
      TimerFired();
    } else if (tag == kSocketTag) {
      absl::StatusOr<Made> accepted = AcceptSome();
      if (!accepted.ok() || *accepted != nullptr) return accepted;
    } else if (auto found = by_id_.find(tag); found != by_id_.end()) {
      const Link link = found->second;
      if (Advance(*link, &made)) Forget(link);
      if (made != nullptr) return made;
    }
  }
  // During the pause too: the caller may know that a connection has closed.
  if (pause_until_ != 0) return AcceptSome();
  return Made();
}

absl::StatusOr<Reception::Made> Reception::AcceptSome() {
  const auto exhausted = [this](int error) {
    Pause();
    return absl::ResourceExhaustedError(
        absl::StrCat(name_, ": cannot accept a connection: ", ErrnoText(error), LimitText()));
  };
  // A connection that was accepted with the last descriptor would lose its pidfd on the way. It had better stay in the
  // backlog.
  if (!RoomForAConnection(epoll_.get())) return exhausted(errno);
  for (int i = 0; i < kEventsPerAccept; ++i) {
    UniqueFd socket(::accept4(socket_, nullptr, nullptr, SOCK_CLOEXEC));
    if (!socket.valid()) {
      const int error = errno;
      if (IsOfTheConnection(error)) continue;
      if (OutOfDescriptors(error)) return exhausted(error);
      if (error != EAGAIN) return ErrnoStatus(error, absl::StrCat(name_, ": cannot accept a connection"));
      Resume();
      break;
    }
    Resume();
    if (Made made = AcceptOne(std::move(socket))) return made;
  }
  return Made();
}

// The endpoint, if the greeting was there already and has passed.
Reception::Made Reception::AcceptOne(UniqueFd socket) {
  HalfOpen half;
  half.id = next_id_++;
  half.guest = admit_(std::move(socket));
  if (half.guest == nullptr) return nullptr;
  half.deadline = MonotonicNanos() + kGreetingTimeoutNanos;
  Made made;
  if (!Advance(half, &made)) Keep(std::move(half));
  return made;
}

void Reception::Keep(HalfOpen half) {
  const uint64_t key = half.guest->key();
  if (per_key_[key] >= kMaxHalfOpenPerKey) DropOldestOf(key);
  if (!AddToEpoll(epoll_.get(), half.guest->fd(), half.id)) {
    return Drop(half, Guest::Dropped::kBusy, absl::StrCat("epoll_ctl: ", ErrnoText(errno)));
  }
  half.watched = true;
  ++per_key_[key];
  half_open_.push_back(std::move(half));
  by_id_[half_open_.back().id] = std::prev(half_open_.end());
  RearmTimer();
}

// True: it is over, as an endpoint or not.
bool Reception::Advance(HalfOpen& half, Made* made) {
  std::string why;
  switch (half.guest->Receive(&why)) {
    case Guest::Progress::kMore:
      return false;
    case Guest::Progress::kComplete:
      Unwatch(half);
      *made = half.guest->Finish(&why);
      break;
    case Guest::Progress::kFailed:
      break;
  }
  if (*made == nullptr) Failed(half, why);
  return true;
}

void Reception::DropOldestOf(uint64_t key) {
  for (Link link = half_open_.begin(); link != half_open_.end(); ++link) {
    if (link->guest->key() != key) continue;
    Drop(*link, Guest::Dropped::kBusy,
         absl::StrCat("over ", kMaxHalfOpenPerKey, " half-open connections of its ", link->guest->Key()));
    Forget(link);
    return;
  }
}

void Reception::Drop(HalfOpen& half, Guest::Dropped why, const std::string& text) {
  half.guest->Drop(why);
  Failed(half, text);
}

void Reception::Failed(const HalfOpen& half, const std::string& text) {
  // A forked child may hold a copy of the descriptor: closing ours would not tell the client.
  ::shutdown(half.guest->fd(), SHUT_RDWR);
  ++failures_;
  last_failure_ = absl::StrCat("a connection from ", half.guest->Who(), " failed: ", text);
}

// Explicitly, also before a close: a child forked meanwhile may hold the descriptor, and then epoll would go on
// reporting it. (Not at the end: in a forked child the epoll descriptor is still the parent's too.)
void Reception::Unwatch(HalfOpen& half) {
  if (half.watched) ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, half.guest->fd(), nullptr);
  half.watched = false;
}

void Reception::Forget(Link link) {
  Unwatch(*link);
  by_id_.erase(link->id);
  const auto count = per_key_.find(link->guest->key());
  if (count != per_key_.end() && --count->second == 0) per_key_.erase(count);
  half_open_.erase(link);
  if (half_open_.empty()) RearmTimer();
}

void Reception::Pause() {
  if (pause_until_ == 0) {
    epoll_event event = {};
    event.data.u64 = kSocketTag;
    ::epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, socket_, &event);
  }
  pause_until_ = MonotonicNanos() + kAcceptPauseNanos;
  RearmTimer();
}

void Reception::Resume() {
  if (pause_until_ == 0) return;
  pause_until_ = 0;
  epoll_event event = {};
  event.events = EPOLLIN;
  event.data.u64 = kSocketTag;
  ::epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, socket_, &event);
}

void Reception::TimerFired() {
  uint64_t times;
  if (::read(timer_.get(), &times, sizeof(times)) < 0) return;
  timer_armed_at_ = 0;
  const int64_t now = MonotonicNanos();
  while (!half_open_.empty() && half_open_.front().deadline <= now) {
    Drop(half_open_.front(), Guest::Dropped::kTimeout, "no complete greeting within 5 s");
    Forget(half_open_.begin());
  }
  if (pause_until_ != 0 && pause_until_ <= now) Resume();
  RearmTimer();
}

void Reception::RearmTimer() {
  int64_t next = half_open_.empty() ? 0 : half_open_.front().deadline;
  if (pause_until_ != 0) next = next == 0 ? pause_until_ : std::min(next, pause_until_);
  // A timer that fires too early is harmless and saves a system call per connection; but it does not wake the idle.
  if (next != 0 ? timer_armed_at_ != 0 && timer_armed_at_ <= next : timer_armed_at_ == 0) return;
  itimerspec spec = {};
  spec.it_value.tv_sec = next / 1'000'000'000;
  spec.it_value.tv_nsec = next % 1'000'000'000;
  if (::timerfd_settime(timer_.get(), TFD_TIMER_ABSTIME, &spec, nullptr) == 0) timer_armed_at_ = next;
}

}  // namespace nearcall::internal
