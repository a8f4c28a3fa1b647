// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
#include "nearcall/transports/rendezvous/listener.h"

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
#include "nearcall/transports/rendezvous/process_fd.h"

namespace nearcall::internal {
namespace {

constexpr uint64_t kSocketTag = 0;
constexpr uint64_t kTimerTag = 1;
constexpr int kEventsPerAccept = 16;  // then the caller gets a turn
constexpr int kSendTries = 100;       // a fresh socket takes 64 bytes; only a test's I/O says EAGAIN

bool OutOfDescriptors(int error) { return error == EMFILE || error == ENFILE || error == ENOMEM || error == ENOBUFS; }

void TakeNoMoreCredentials(int fd) {
  const int off = 0;
  ::setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &off, sizeof(off));
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

// A medium failed at a limit of this process's, not by what the client sent.
bool IsOfThisSide(const absl::Status& status) {
  return status.code() == absl::StatusCode::kResourceExhausted || status.code() == absl::StatusCode::kUnimplemented;
}

std::string LimitText() {
  rlimit limit;
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return "";
  return absl::StrCat(" (RLIMIT_NOFILE is ", limit.rlim_cur, ")");
}

}  // namespace

RendezvousListener::RendezvousListener(Address address, Media media, std::unique_ptr<BoundSocket> socket,
                                       UniqueFd epoll, UniqueFd timer)
    : address_(std::move(address)),
      media_(std::move(media)),
      name_(address_.ToString()),
      epoll_(std::move(epoll)),
      timer_(std::move(timer)),
      socket_(std::move(socket)) {}

// No epoll_ctl here: in a forked child the epoll descriptor is still the parent's too.
RendezvousListener::~RendezvousListener() = default;

std::string RendezvousListener::last_failure() const {
  std::lock_guard<std::mutex> hold(mutex_);
  return last_failure_;
}

int64_t RendezvousListener::failures() const {
  std::lock_guard<std::mutex> hold(mutex_);
  return failures_;
}

int RendezvousListener::half_open() const {
  std::lock_guard<std::mutex> hold(mutex_);
  return static_cast<int>(half_open_.size());
}

absl::StatusOr<std::unique_ptr<Endpoint>> RendezvousListener::Accept() {
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
      const Progress progress = Advance(*link, &made);
      if (progress != Progress::kMore) Forget(link);
      if (made != nullptr) return made;
    }
  }
  // During the pause too: the caller may know that a connection has closed.
  if (pause_until_ != 0) return AcceptSome();
  return Made();
}

absl::StatusOr<RendezvousListener::Made> RendezvousListener::AcceptSome() {
  const auto exhausted = [this](int error) {
    Pause();
    return absl::ResourceExhaustedError(
        absl::StrCat(name_, ": cannot accept a connection: ", ErrnoText(error), LimitText()));
  };
  // A connection that was accepted with the last descriptor would lose its pidfd on the way. It had better stay in the
  // backlog.
  if (!RoomForAConnection(epoll_.get())) return exhausted(errno);
  for (int i = 0; i < kEventsPerAccept; ++i) {
    const int fd = ::accept4(socket_->fd(), nullptr, nullptr, SOCK_CLOEXEC);
    if (fd < 0) {
      const int error = errno;
      if (error == EINTR || error == ECONNABORTED) continue;
      if (OutOfDescriptors(error)) return exhausted(error);
      if (error != EAGAIN) return ErrnoStatus(error, absl::StrCat(name_, ": cannot accept a connection"));
      Resume();
      break;
    }
    Resume();
    Made made;
    if (AcceptOne(fd, &made)) return made;
  }
  return Made();
}

// True if `fd`'s greeting was there already and has passed.
bool RendezvousListener::AcceptOne(int fd, Made* made) {
  HalfOpen half;
  half.id = next_id_++;
  half.fd = fd;
  half.io = NewSocketIo(UniqueFd(fd));
  half.deadline = MonotonicNanos() + kGreetingTimeoutNanos;
  ucred client;
  socklen_t size = sizeof(client);
  if (::getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &client, &size) != 0) return false;
  half.client = {client.uid, client.gid, client.pid};
  const Progress progress = Advance(half, made);
  if (progress != Progress::kMore) return *made != nullptr;

  const uid_t uid = half.client.uid;
  if (per_uid_[uid] >= kMaxHalfOpenPerUid) DropOldestOf(uid);
  if (!AddToEpoll(epoll_.get(), fd, half.id)) {
    Refuse(half, Refusal::kBusy, absl::StrCat("epoll_ctl: ", ErrnoText(errno)));
    return false;
  }
  half.watched = true;
  ++per_uid_[uid];
  half_open_.push_back(std::move(half));
  by_id_[half_open_.back().id] = std::prev(half_open_.end());
  RearmTimer();
  return false;
}

void RendezvousListener::DropOldestOf(uid_t uid) {
  for (Link link = half_open_.begin(); link != half_open_.end(); ++link) {
    if (link->client.uid != uid) continue;
    Refuse(*link, Refusal::kBusy, absl::StrCat("over ", kMaxHalfOpenPerUid, " half-open connections of its uid"));
    Forget(link);
    return;
  }
}

// Explicitly, also before a close: a child forked meanwhile may hold the descriptor, and then epoll would go on
// reporting it.
void RendezvousListener::Unwatch(HalfOpen& half) {
  if (half.watched) ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, half.fd, nullptr);
  half.watched = false;
}

void RendezvousListener::Forget(Link link) {
  Unwatch(*link);
  by_id_.erase(link->id);
  const auto count = per_uid_.find(link->client.uid);
  if (count != per_uid_.end() && --count->second == 0) per_uid_.erase(count);
  half_open_.erase(link);
  if (half_open_.empty()) RearmTimer();
}

void RendezvousListener::Pause() {
  if (pause_until_ == 0) {
    epoll_event event = {};
    event.data.u64 = kSocketTag;
    ::epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, socket_->fd(), &event);
  }
  pause_until_ = MonotonicNanos() + kAcceptPauseNanos;
  RearmTimer();
}

void RendezvousListener::Resume() {
  if (pause_until_ == 0) return;
  pause_until_ = 0;
  epoll_event event = {};
  event.events = EPOLLIN;
  event.data.u64 = kSocketTag;
  ::epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, socket_->fd(), &event);
}

void RendezvousListener::TimerFired() {
  uint64_t times;
  if (::read(timer_.get(), &times, sizeof(times)) < 0) return;
  timer_armed_at_ = 0;
  const int64_t now = MonotonicNanos();
  while (!half_open_.empty() && half_open_.front().deadline <= now) {
    Refuse(half_open_.front(), Refusal::kTimeout, "no complete greeting within 5 s");
    Forget(half_open_.begin());
  }
  if (pause_until_ != 0 && pause_until_ <= now) Resume();
  RearmTimer();
}

void RendezvousListener::RearmTimer() {
  int64_t next = half_open_.empty() ? 0 : half_open_.front().deadline;
  if (pause_until_ != 0) next = next == 0 ? pause_until_ : std::min(next, pause_until_);
  // A timer that fires too early is harmless and saves a system call per connection; but it does not wake the idle.
  if (next != 0 ? timer_armed_at_ != 0 && timer_armed_at_ <= next : timer_armed_at_ == 0) return;
  itimerspec spec = {};
  spec.it_value.tv_sec = next / 1'000'000'000;
  spec.it_value.tv_nsec = next % 1'000'000'000;
  if (::timerfd_settime(timer_.get(), TFD_TIMER_ABSTIME, &spec, nullptr) == 0) timer_armed_at_ = next;
}

RendezvousListener::Progress RendezvousListener::Advance(HalfOpen& half, Made* made) {
  switch (half.reader.Read(*half.io)) {
    case GreetingReader::kMore:
      return Progress::kMore;
    case GreetingReader::kDone:
      return Greeted(half, made);
    case GreetingReader::kEnd:
      Failed(half, half.reader.problem());
      break;
    case GreetingReader::kBad:
      Refuse(half, Refusal::kNotAGreeting, half.reader.problem());
      break;
    case GreetingReader::kVersion:
      Refuse(half, Refusal::kVersion,
             absl::StrCat("it speaks greeting version ", half.reader.version(), ", this server ", kGreetingVersion));
      break;
    case GreetingReader::kTruncated:
      Refuse(half, Refusal::kBusy, half.reader.problem());
      break;
  }
  return Progress::kOver;
}

uint32_t RendezvousListener::AllowedMedia() const {
  uint32_t bits = 0;
  for (const Medium* medium : media_) bits |= medium->bit();
  return bits;
}

// What takes over where the proposed medium does not do; null: nothing that the client accepts.
const Medium* RendezvousListener::Alternative(const Greeting& greeting) const {
  const auto found = std::find_if(media_.begin(), media_.end(), [&](const Medium* medium) {
    return !medium->needs_offer() && medium->bit() != greeting.medium && (medium->bit() & greeting.media) != 0;
  });
  return found == media_.end() ? nullptr : *found;
}

// The greeting is complete: who is it, and what do we talk over?
RendezvousListener::Progress RendezvousListener::Greeted(HalfOpen& half, Made* made) {
  const Greeting& greeting = half.reader.greeting();
  const auto refuse = [&](Refusal reason, const std::string& text) {
    Refuse(half, reason, text);
    return Progress::kOver;
  };
  if (greeting.kind != GreetingKind::kClient) return refuse(Refusal::kNotAGreeting, "the greeting is not a client's");
  Meeting meeting;
  const std::string lie = CheckGreetingIdentity(half.reader, half.client, &meeting.death);
  if (!lie.empty()) return refuse(Refusal::kIdentity, lie);
  const auto agreed = std::find_if(media_.begin(), media_.end(),
                                   [&](const Medium* medium) { return medium->bit() == greeting.medium; });
  const bool allowed = agreed != media_.end() && (*agreed)->allows_max_frame(greeting.max_frame);
  const Medium* medium = allowed ? *agreed : Alternative(greeting);
  if (medium == nullptr) {
    return refuse(Refusal::kMedium,
                  absl::StrCat("it proposes ", MediaText(greeting.medium), " with frames of ", greeting.max_frame,
                               " bytes, this server allows ", MediaText(AllowedMedia())));
  }
  Unwatch(half);
  TakeNoMoreCredentials(half.fd);  // only the greeting needs them; they would cost every later receive something

  ByteIo* const io = half.io.get();
  meeting.transport = std::string(medium->name());
  meeting.address = name_;
  meeting.socket = std::move(half.io);
  meeting.peer = half.client;
  meeting.offer.parameters = greeting.parameters;
  meeting.offer.descriptors = std::move(half.reader.descriptors());
  meeting.offer.max_frame = greeting.max_frame;
  absl::StatusOr<Made> endpoint = medium->Serve(meeting);
  if (!endpoint.ok() && IsOfThisSide(endpoint.status()) && medium->bit() == greeting.medium) {
    if (const Medium* other = Alternative(greeting)) {
      medium = other;
      meeting.transport = std::string(medium->name());
      endpoint = medium->Serve(meeting);
    }
  }
  if (!endpoint.ok()) {
    half.io = std::move(meeting.socket);
    return refuse(Refusal::kMediumFailed, endpoint.status().ToString());
  }
  Greeting welcome;
  welcome.kind = GreetingKind::kWelcome;
  welcome.media = AllowedMedia();
  welcome.medium = medium->bit();
  welcome.max_frame = medium->bit() == greeting.medium ? greeting.max_frame : medium->max_frame();
  welcome.parameters = meeting.reply.parameters;
  GreetingWriter writer(welcome, std::move(meeting.reply.descriptors));
  size_t sent = 0;
  int error = EAGAIN;
  for (int i = 0; i < kSendTries; ++i) {
    const Io io_result = writer.Write(*io, {}, &sent, &error);
    if (io_result == Io::kOk) {
      *made = *std::move(endpoint);
      return Progress::kMade;
    }
    if (io_result == Io::kClosed) break;
  }
  Failed(half, absl::StrCat("cannot send the greeting: ", ErrnoText(error)));
  return Progress::kOver;
}

// Tells the client why, if it can be told, and notes it here.
void RendezvousListener::Refuse(HalfOpen& half, Refusal reason, const std::string& text) {
  Greeting refusal;
  refusal.kind = GreetingKind::kRefusal;
  refusal.refusal = reason;
  refusal.media = AllowedMedia();
  // As far as it goes at once. The connection is over whether it arrives or not.
  GreetingWriter writer(refusal, {});
  size_t sent = 0;
  int error = 0;
  static_cast<void>(writer.Write(*half.io, {}, &sent, &error));
  Failed(half, text);
}

void RendezvousListener::Failed(const HalfOpen& half, const std::string& text) {
  // A forked child may hold a copy of the descriptor: closing ours would not tell the client.
  ::shutdown(half.fd, SHUT_RDWR);
  ++failures_;
  last_failure_ =
      absl::StrCat("a connection from pid ", half.client.pid, " of uid ", half.client.uid, " failed: ", text);
}

absl::StatusOr<std::unique_ptr<Listener>> ListenRendezvous(const Address& address, Names names, const Media& media) {
  const std::string name = address.ToString();
  absl::StatusOr<Place> place = PlaceOf(address, names, ParametersOf(media));
  if (!place.ok()) return place.status();
  UniqueFd epoll(::epoll_create1(EPOLL_CLOEXEC));
  if (!epoll.valid()) return ErrnoStatus(errno, absl::StrCat(name, ": cannot make an epoll descriptor"));
  UniqueFd timer(::timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK));
  if (!timer.valid()) return ErrnoStatus(errno, absl::StrCat(name, ": cannot make a timer"));
  absl::StatusOr<std::unique_ptr<BoundSocket>> socket = SafeBind(
      place->path, {.mode = place->mode, .group = place->group, .private_directory = place->private_directory});
  if (!socket.ok()) {
    return absl::Status(socket.status().code(), absl::StrCat(name, ": ", socket.status().message()));
  }
  if (!AddToEpoll(epoll.get(), (*socket)->fd(), kSocketTag) || !AddToEpoll(epoll.get(), timer.get(), kTimerTag)) {
    return ErrnoStatus(errno, absl::StrCat(name, ": cannot watch the socket"));
  }
  return std::make_unique<RendezvousListener>(address, media, *std::move(socket), std::move(epoll), std::move(timer));
}

}  // namespace nearcall::internal
