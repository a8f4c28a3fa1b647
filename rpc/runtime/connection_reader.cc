// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// Connection: the moves of the reader role, and the pool's reading thread. Who waits for a result: connection_wait.cc.
#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include "absl/strings/str_cat.h"
#include "nearcall/rpc/runtime/connection.h"

namespace nearcall::internal {
namespace {

constexpr int kFramesPerTurn = 16;  // then the next connection gets its turn

// A connection that the pool came to read so often, each time so soon after the last, is hot: its next frame is worth a
// thread that sleeps in its receive call (two system calls a frame fewer than the epoll, and no second thread wakes).
constexpr int kHotBatches = 8;
constexpr int64_t kHotNs = 1'000'000;
constexpr int64_t kPinNs = 50'000'000;  // without a frame; then the epoll watches again

}  // namespace

// ---- the role's moves

bool Connection::AttendLocked() {
  if (connecting_receive_ && max_frame_ != 0) LeaveEpollLocked();  // what told that it was connected tells that only
  if (!registered_) {
    registered_ = true;
    connecting_receive_ = max_frame_ == 0;
    WatchDeathLocked();  // before PollFds(), which then leaves it out
    const std::array<pollfd, 3> fds = endpoint_->PollFds(Side::kReceive);
    for (size_t i = 0; i < fds.size(); ++i) {
      if (fds[i].fd < 0) continue;
      receive_events_[i] = static_cast<uint32_t>(fds[i].events);
      receive_keys_[i] = pool().Add(fds[i].fd, source_, kReceiveTag);
      if (receive_keys_[i] < 0) {
        CloseLocked(absl::ResourceExhaustedError(
            absl::StrCat("the connection to ", address(), " can't be watched: epoll_ctl errno ", errno)));
        return true;
      }
    }
  }
  if (!endpoint_->Arm(Side::kReceive)) return false;
  role_ = Role::kAttended;
  for (size_t i = 0; i < receive_keys_.size(); ++i) {
    if (receive_keys_[i] >= 0) pool().Arm(receive_keys_[i], receive_events_[i]);
  }
  return true;
}

// For a reader that sleeps in the receive call: a socket that is in an epoll, even disarmed, costs each transfer two
// callbacks in the kernel.
void Connection::LeaveEpollLocked() {
  if (!registered_) return;
  registered_ = false;
  for (int64_t& key : receive_keys_) {
    if (key >= 0) pool().Remove(std::exchange(key, -1));
  }
}

void Connection::PassRoleLocked() {
  role_ = Role::kIdle;
  if (closed_ || endpoint_ == nullptr) return;
  while (first_waiter_ != nullptr) {
    Waiter* waiter = first_waiter_;
    first_waiter_ = waiter->next;
    if (first_waiter_ == nullptr) last_waiter_ = nullptr;
    waiter->queued = false;
    if (waiter->done) continue;
    role_ = Role::kHeld;
    waiter->lead = true;
    waiter->wake.notify_one();
    return;
  }
  if (options_.host == nullptr && unattended_ == 0) return;
  if (AttendLocked()) return;
  role_ = Role::kHeld;  // something is ready already
  ResumeLater();
}

void Connection::TakeRoleLocked() {
  if (role_ == Role::kAttended) {
    for (int64_t key : receive_keys_) {
      if (key >= 0) pool().Disarm(key);
    }
    endpoint_->Disarm(Side::kReceive);
  }
  role_ = Role::kHeld;
}

void Connection::AddUnattendedLocked() {
  if (unattended_++ == 0 && role_ == Role::kIdle) PassRoleLocked();
}

void Connection::OnReady(uint32_t tag) {
  if (tag == kSendTag) return OnSendReady();
  {
    std::lock_guard<std::mutex> lock(mutex_);
    if (closed_) return;
    if (tag == kDeathTag) {
      endpoint_->PeerDied();
      if (role_ != Role::kIdle) return;  // who reads, or the epoll, finds out
    } else {
      if (role_ != Role::kAttended) return;  // a stale event: somebody took the role meanwhile
      endpoint_->Disarm(Side::kReceive);
    }
    role_ = Role::kHeld;
  }
  ReadBatch();
}

void Connection::LookIfIdle() {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    if (closed_ || role_ != Role::kIdle || endpoint_ == nullptr) return;
    role_ = Role::kHeld;
  }
  ReadBatch();
}

void Connection::OfferRole(Batch* batch) {
  ReleaseFrame(batch);
  if (!batch->role_held) return;
  batch->role_held = false;
  if (Worker* worker = Worker::Current()) worker->Settle();
  std::lock_guard<std::mutex> lock(mutex_);
  PassRoleLocked();
}

void Connection::ReleaseFrame(Batch* batch) {
  if (!batch->frame_held) return;
  batch->frame_held = false;
  endpoint_->Release();
}

// ---- the pool's reading thread

void Connection::ReadBatch() {
  Turn turn(this);
  const bool pinned = NoteHeat() && turn.worker() != nullptr && turn.worker()->Pin();
  for (bool spin = false;;) {
    bool role_held = true;
    int frames = 0;
    const Io io = ReadFrames(turn.worker(), spin, &frames, &role_held);
    if (!role_held) return;
    {
      std::lock_guard<std::mutex> lock(mutex_);
      if (io == Io::kClosed) return FailFromEndpointLocked();
      if (turn.worker() != nullptr && turn.worker()->TakeReadingFlush() && FlushLocked() == Io::kClosed) {
        AbandonSendingLocked().IgnoreError();  // reading on will tell why
      }
      // Who waits reads for itself; who can't stay lets the epoll watch.
      if (!pinned || closed_ || first_waiter_ != nullptr) return PassRoleLocked();
      LeaveEpollLocked();
    }
    turn.worker()->PayFlushes();
    // When only the turn's frames are over it reads on: a pinned thread keeps nobody from the other connections.
    if (io != Io::kWouldBlock) continue;
    const bool spun = std::exchange(spin, frames > 0 && SpinsNow());
    if (spin) continue;
    if (frames == 0 && !spun) waits_since_ns_ = MonotonicNanos();
    if (endpoint_->Wait(Side::kReceive, MonotonicNanos() + kPinNs) == Io::kWouldBlock) break;
    spinner_.Note(MonotonicNanos() - waits_since_ns_);
  }
  std::lock_guard<std::mutex> lock(mutex_);
  PassRoleLocked();
}

// Whether the connection was read soon before, again and again.
bool Connection::NoteHeat() {
  if (options_.host == nullptr) return false;
  const int64_t now_ns = MonotonicNanos();
  heat_ = now_ns - last_batch_ns_ < kHotNs ? heat_ + 1 : 0;
  last_batch_ns_ = now_ns;
  return heat_ >= kHotBatches;
}

// A frame that nobody can change any more: session and parser look at its bytes more than once.
Io Connection::NextFrame(Frame* frame) {
  const Io io = endpoint_->Borrow(frame);
  if (io == Io::kOk && endpoint_->info().peer_can_write) frame->bytes = copy_.Of(frame->bytes);
  return io;
}

// kOk: the turn is over. kWouldBlock: no more is here.
Io Connection::ReadFrames(Worker* worker, bool spin, int* frames, bool* role_held) {
  for (; *frames < kFramesPerTurn; ++*frames) {
    Frame frame;
    const Io io = spin && *frames == 0 ? SpinForFrame(&frame) : NextFrame(&frame);
    if (io != Io::kOk) return io;
    Batch batch;
    Runnable* run = nullptr;
    {
      std::lock_guard<std::mutex> lock(mutex_);
      if (!closed_) run = ConsumeLocked(frame, &batch);
      batch.frame_held = run != nullptr;
      if (run == nullptr) {
        endpoint_->Release();
        if (closed_) return Io::kClosed;
        continue;
      }
    }
    run->Run();  // also if the connection is closed by now: it is owed its run
    ReleaseFrame(&batch);
    *role_held = batch.role_held;
    if (!*role_held) return Io::kOk;
    if (worker != nullptr) worker->PayIfOld();
  }
  return Io::kOk;
}

}  // namespace nearcall::internal
