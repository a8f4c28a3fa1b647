// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0

#include "nearcall/transports/in_process/lane.h"

#include <errno.h>
#include <sys/eventfd.h>

#include <algorithm>
#include <cstring>
#include <utility>

namespace nearcall::internal {
namespace {

constexpr size_t kFirstSegment = 4096;

size_t Padded(size_t size) { return (size + 15) / 16 * 16; }

}  // namespace

bool Alarm::Create() {
  if (!event_.valid()) event_.Reset(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  return event_.valid();
}

void Alarm::Ring() {
  if (!armed_ || rung_) return;
  rung_ = true;
  ::eventfd_write(event_.get(), 1);
}

void Alarm::Disarm() {
  armed_ = false;
  if (!std::exchange(rung_, false)) return;
  eventfd_t count;
  ::eventfd_read(event_.get(), &count);
}

bool Lane::Create() {
  std::lock_guard<std::mutex> lock(mutex_);
  return receiver_.Create();
}

bool Lane::CreateSenderAlarm() {
  if (sender_.Create()) return true;
  error_ = errno;
  EndLocked();
  return false;
}

int Lane::sender_fd() {
  std::lock_guard<std::mutex> lock(mutex_);
  return CreateSenderAlarm() ? sender_.fd() : -1;
}

char* Lane::Reserve(size_t size) {
  const size_t need = kHeader + Padded(size);
  std::lock_guard<std::mutex> lock(mutex_);
  reserved_ = SIZE_MAX;
  if (used_ + need > kLimit) return nullptr;
  if (used_ == 0 && !segments_.empty()) {
    // Everything was read: begin again in the same, warm memory.
    Segment& only = segments_.back();
    only.written = only.read = 0;
  }
  if (segments_.empty() || segments_.back().capacity - segments_.back().written < need) NewSegment(need);
  reserved_ = size;
  return segments_.back().data.get() + segments_.back().written + kHeader;
}

void Lane::NewSegment(size_t need) {
  Segment fresh;
  if (spare_.capacity >= need) {
    fresh = std::move(spare_);
    spare_ = Segment();
  } else {
    // Small until there is more to keep than one small frame after the other.
    fresh.capacity = used_ == 0 ? std::max(kFirstSegment, need) : kFrameSpace;
    fresh.data.reset(new char[fresh.capacity]);
  }
  if (used_ == 0) segments_.clear();
  segments_.push_back(std::move(fresh));
}

bool Lane::CanCommit(size_t size) const {
  std::lock_guard<std::mutex> lock(mutex_);
  return reserved_ != SIZE_MAX && size <= reserved_;
}

void Lane::Commit(size_t size) {
  std::lock_guard<std::mutex> lock(mutex_);
  Segment& last = segments_.back();
  std::memcpy(last.data.get() + last.written, &size, sizeof(size));
  const size_t space = kHeader + Padded(size);
  last.written += space;
  used_ += space;
  reserved_ = SIZE_MAX;
  ++committed_;
}

void Lane::Flush() {
  std::lock_guard<std::mutex> lock(mutex_);
  if (committed_ == 0) return;
  visible_ += std::exchange(committed_, 0);
  receiver_.Ring();
}

Lane::Got Lane::Borrow(absl::Span<const char>* bytes) {
  std::lock_guard<std::mutex> lock(mutex_);
  if (visible_ == 0) return ended_ ? Got::kEnd : Got::kNothing;
  // A segment is left behind once the sender has gone on to the next and all of it was read.
  while (segments_.front().read == segments_.front().written) {
    if (segments_.front().capacity > spare_.capacity) spare_ = std::move(segments_.front());
    spare_.written = spare_.read = 0;
    segments_.erase(segments_.begin());
  }
  Segment& first = segments_.front();
  size_t size;
  std::memcpy(&size, first.data.get() + first.read, sizeof(size));
  *bytes = {first.data.get() + first.read + kHeader, size};
  borrowed_ = true;
  return Got::kFrame;
}

bool Lane::HasFrame() const {
  std::lock_guard<std::mutex> lock(mutex_);
  return visible_ > 0;
}

void Lane::Release() {
  std::lock_guard<std::mutex> lock(mutex_);
  if (!std::exchange(borrowed_, false)) return;
  Segment& first = segments_.front();
  size_t size;
  std::memcpy(&size, first.data.get() + first.read, sizeof(size));
  const size_t space = kHeader + Padded(size);
  first.read += space;
  used_ -= space;
  --visible_;
  if (HasSpace()) sender_.Ring();
}

bool Lane::ArmReceiver() {
  std::lock_guard<std::mutex> lock(mutex_);
  if (visible_ > 0 || ended_) return false;
  receiver_.Arm();
  return true;
}

void Lane::DisarmReceiver() {
  std::lock_guard<std::mutex> lock(mutex_);
  receiver_.Disarm();
}

bool Lane::ArmSender() {
  std::lock_guard<std::mutex> lock(mutex_);
  if (HasSpace() || ended_ || !CreateSenderAlarm()) return false;
  sender_.Arm();
  return true;
}

void Lane::DisarmSender() {
  std::lock_guard<std::mutex> lock(mutex_);
  sender_.Disarm();
}

bool Lane::ended() const {
  std::lock_guard<std::mutex> lock(mutex_);
  return ended_;
}

int Lane::error() const {
  std::lock_guard<std::mutex> lock(mutex_);
  return error_;
}

void Lane::End() {
  std::lock_guard<std::mutex> lock(mutex_);
  EndLocked();
}

void Lane::EndLocked() {
  ended_ = true;
  receiver_.Ring();
  sender_.Ring();
}

}  // namespace nearcall::internal
