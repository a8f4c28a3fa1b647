// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// Connection: a thread that waits for a result of its own, and reads for all meanwhile.
//
// Two ways to sleep. Where the last results came soon, in the receive call itself: one system call, which nobody but
// the peer can wake, so another thread that completes the waiter sends a ping, whose answer does; should the peer not
// answer, the call ends by itself after kBriefNs. Otherwise in ppoll on the medium and an eventfd. Before either, where
// it pays, the thread looks again and again (spin.h).
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "absl/strings/str_cat.h"
#include "nearcall/rpc/runtime/blocking.h"
#include "nearcall/rpc/runtime/connection.h"
#include "nearcall/rpc/runtime/process.h"

namespace nearcall::internal {
namespace {

constexpr int64_t kSoonNs = 1'000'000;
constexpr int kSoonResults = 4;  // in a row: the next is waited for in the receive call
constexpr int kCheapLooks = 16;  // for each look at the clock, which costs as much
constexpr int64_t kBriefNs =
    21'000'000;  // there; above what a receive timeout can be exact about (byte_stream_wait.cc)

}  // namespace

bool Connection::Await(std::unique_lock<std::mutex>& lock, Waiter* waiter, int64_t deadline_ns) {
  if (Worker* worker = Worker::Current(); worker != nullptr && worker->in_turn()) {
    lock.unlock();
    worker->Settle();
    lock.lock();
  }
  while (!waiter->done && !closed_) {
    if (waiter->lead || (role_ != Role::kHeld && endpoint_ != nullptr)) {
      if (!waiter->lead) TakeRoleLocked();
      waiter->lead = false;
      reading_waiter_ = waiter;
      ReadForWaiter(lock, waiter, deadline_ns);
      reading_waiter_ = nullptr;
      if (!kept_frame_) PassRoleLocked();
      return waiter->done;
    }
    if (!waiter->queued) EnqueueLocked(waiter);
    BlockingScope blocking;  // nothing is owed: see above
    if (deadline_ns == kNoDeadline) {
      waiter->wake.wait(lock);
    } else {
      const int64_t left = deadline_ns - MonotonicNanos();
      if (left <= 0) break;
      waiter->wake.wait_for(lock, std::chrono::nanoseconds(left));
    }
  }
  if (waiter->queued) DequeueLocked(waiter);
  if (waiter->lead) {
    waiter->lead = false;
    PassRoleLocked();
  }
  return waiter->done;
}

void Connection::EnqueueLocked(Waiter* waiter) {
  waiter->queued = true;
  waiter->next = nullptr;
  (last_waiter_ == nullptr ? first_waiter_ : last_waiter_->next) = waiter;
  last_waiter_ = waiter;
}

void Connection::DequeueLocked(Waiter* waiter) {
  waiter->queued = false;
  Waiter** link = &first_waiter_;
  Waiter* previous = nullptr;
  while (*link != waiter) {
    previous = *link;
    link = &previous->next;
  }
  *link = waiter->next;
  if (last_waiter_ == waiter) last_waiter_ = previous;
}

void Connection::FinishRead() {
  endpoint_->Release();
  std::lock_guard<std::mutex> lock(mutex_);
  kept_frame_ = false;
  PassRoleLocked();
}

bool Connection::KeepFrameLocked(const Waiter* waiter) {
  if (waiter == nullptr || waiter != reading_waiter_ || !dispatching_) return false;
  kept_frame_ = true;
  return true;
}

void Connection::CompleteLocked(Waiter* waiter) {
  waiter->done = true;
  if (waiter != reading_waiter_) {
    waiter->wake.notify_one();
  } else if (!dispatching_ && receiving_) {
    session_.Ping(0);
    PumpLocked();
    FlushLocked();
  } else if (!dispatching_ && interrupt_.valid()) {
    const uint64_t one = 1;
    [[maybe_unused]] ssize_t written = ::write(interrupt_.get(), &one, sizeof(one));  // full: it is awake already
  }
}

void Connection::ReadForWaiter(std::unique_lock<std::mutex>& lock, Waiter* waiter, int64_t deadline_ns) {
  for (bool last_look = false;;) {
    if (!last_look && SpinsNow()) {
      lock.unlock();
      ReadWhatIsThere(lock, waiter, true);
      if (waiter->done || closed_) return;
    }
    const bool briefly = !last_look && SleepsBriefly(deadline_ns);
    receiving_ = briefly;
    if (briefly) LeaveEpollLocked();
    lock.unlock();
    if (briefly) {
      BlockingScope blocking;
      if (endpoint_->Wait(Side::kReceive, MonotonicNanos() + kBriefNs) == Io::kWouldBlock) soon_ = 0;
      spinner_.Note(MonotonicNanos() - waits_since_ns_);
    }
    ReadWhatIsThere(lock, waiter, false);
    if (waiter->done || closed_ || last_look) return;
    if (!briefly) last_look = !Sleep(lock, deadline_ns);
  }
}

// Until the waiter is done or no more is there. Takes the lock.
void Connection::ReadWhatIsThere(std::unique_lock<std::mutex>& lock, const Waiter* waiter, bool spin) {
  for (;;) {
    Frame frame;
    const Io io = spin ? SpinForFrame(&frame) : NextFrame(&frame);
    lock.lock();
    receiving_ = false;
    if (io == Io::kClosed) return FailFromEndpointLocked();
    if (io == Io::kWouldBlock) return;
    if (!closed_) {
      if (Runnable* run = ConsumeLocked(frame, nullptr)) pool().Post(run);
    }
    if (!kept_frame_) endpoint_->Release();
    if (waiter->done || closed_) return;
    lock.unlock();
  }
}

// A wait begins: whether to spin in it. Asked first, as a look in vain may be a system call.
bool Connection::SpinsNow() {
  waits_since_ns_ = MonotonicNanos();
  return spinner_.Begin() && Process::Get().spin_room().Spare(waits_since_ns_);
}

// The next frame; kWouldBlock: none came soon.
Io Connection::SpinForFrame(Frame* frame) {
  Io io = NextFrame(frame);
  if (io != Io::kWouldBlock) return io;
  const int64_t end_ns = waits_since_ns_ + spinner_.limit_ns();
  const int looks = answered() && endpoint_->info().cheap_poll ? kCheapLooks : 1;
  int64_t now_ns;
  do {
    for (int look = 0; look < looks && io == Io::kWouldBlock; ++look) {
      SpinPause();
      io = NextFrame(frame);
    }
    now_ns = MonotonicNanos();
  } while (io == Io::kWouldBlock && now_ns < end_ns);
  if (io == Io::kWouldBlock) {
    spinner_.InVain();
  } else {
    spinner_.Found();
    spinner_.Note(now_ns - waits_since_ns_);
  }
  return io;
}

// Whether to sleep in the receive call: there, a death that the endpoint itself has to watch would cost a poll.
bool Connection::SleepsBriefly(int64_t deadline_ns) {
  if (soon_ < kSoonResults || send_blocked_) return false;
  if (death_fd_ < 0 && endpoint_->info().sees_death) return false;
  return deadline_ns == kNoDeadline || deadline_ns - MonotonicNanos() >= 2 * kBriefNs;
}

// Sleeps until something can be read, the queued output can go on, the waiter is completed by another thread (true), or
// the deadline comes (false).
bool Connection::Sleep(std::unique_lock<std::mutex>& lock, int64_t deadline_ns) {
  if (!interrupt_.valid()) {
    interrupt_.Reset(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    if (!interrupt_.valid()) {
      CloseLocked(absl::ResourceExhaustedError(
          absl::StrCat("no descriptor to wait with on ", address(), ": eventfd errno ", errno)));
      return true;
    }
  }
  std::array<pollfd, 7> fds;
  nfds_t count = 0;
  const auto add = [&](const std::array<pollfd, 3>& more) {
    for (const pollfd& fd : more) {
      if (fd.fd >= 0) fds[count++] = fd;
    }
  };
  const bool watch_send = send_blocked_ && send_watch_ == SendWatch::kNone;
  if (watch_send && endpoint_->Arm(Side::kSend)) {
    send_watch_ = SendWatch::kWaiter;
    add(endpoint_->PollFds(Side::kSend));
  }
  fds[count++] = {.fd = interrupt_.get(), .events = POLLIN, .revents = 0};
  const size_t interrupt = count - 1;
  lock.unlock();
  bool in_time = true;
  if ((!watch_send || count > 1) && endpoint_->Arm(Side::kReceive)) {
    add(endpoint_->PollFds(Side::kReceive));
    BlockingScope blocking;
    const int64_t since_ns = MonotonicNanos();
    timespec left{};
    if (deadline_ns != kNoDeadline) {
      const int64_t ns = std::max<int64_t>(deadline_ns - since_ns, 0);
      left = {.tv_sec = ns / 1'000'000'000, .tv_nsec = ns % 1'000'000'000};
    }
    const int ready = ::ppoll(fds.data(), count, deadline_ns == kNoDeadline ? nullptr : &left, nullptr);
    in_time = ready != 0;
    const int64_t now_ns = MonotonicNanos();
    soon_ = now_ns - since_ns < kSoonNs ? soon_ + 1 : 0;
    spinner_.Note(now_ns - waits_since_ns_);
    endpoint_->Disarm(Side::kReceive);
    if (fds[interrupt].revents != 0) {
      uint64_t value;
      [[maybe_unused]] ssize_t n = ::read(interrupt_.get(), &value, sizeof(value));
    }
  }
  lock.lock();
  if (watch_send) {
    if (send_watch_ == SendWatch::kWaiter) {
      endpoint_->Disarm(Side::kSend);
      send_watch_ = SendWatch::kNone;
    }
    send_blocked_ = has_room_ = false;
    dispatching_ = true;  // what blocks again is watched by the next Sleep()
    if (FlushLocked() == Io::kOk) PumpLocked();
    FlushLocked();
    dispatching_ = false;
  }
  return in_time;
}

}  // namespace nearcall::internal
