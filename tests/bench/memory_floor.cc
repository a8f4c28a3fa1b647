// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
#include "nearcall/tests/bench/memory_floor.h"

#include <errno.h>
#include <linux/futex.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <climits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "nearcall/transports/api/clock.h"

namespace nearcall::bench {
namespace {

constexpr size_t kLine = 64;
constexpr size_t kPage = 4096;
constexpr long kSleepNs = 100'000'000;
constexpr int kLooksPerClock = 32;  // reading the clock takes as long as some looks

size_t SlotSize(const FloorMemory::Shape& shape) { return (shape.length + kLine - 1) / kLine * kLine; }
size_t TotalSize(const FloorMemory::Shape& shape) { return kPage + 2 * shape.slots * SlotSize(shape); }

absl::Status ErrnoError(const char* what) {
  return absl::UnavailableError(absl::StrCat("floor shm: ", what, ": ", ::strerror(errno)));
}

void Pause() {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#endif
}

}  // namespace

struct FloorMemory::Lane {
  alignas(kLine) std::atomic<uint32_t> published{0};  // the futex
  alignas(kLine) std::atomic<uint32_t> sleeps{0};     // the reader does, or is about to
};

// All zero at first, as fresh memory is.
struct FloorMemory::Words {
  Lane requests;
  Lane replies;
  alignas(kLine) std::atomic<uint32_t> over{0};
};

absl::StatusOr<FloorMemory> FloorMemory::Make(const Shape& shape) {
  UniqueFd fd(::memfd_create("nearcall-bench-floor", MFD_CLOEXEC));
  if (!fd.valid()) return ErrnoError("memfd_create");
  if (::ftruncate(fd.get(), static_cast<off_t>(TotalSize(shape))) != 0) return ErrnoError("ftruncate");
  return Map(std::move(fd), shape);
}

absl::StatusOr<FloorMemory> FloorMemory::Map(UniqueFd fd, const Shape& shape) {
  static_assert(sizeof(Words) <= kPage && std::atomic<uint32_t>::is_always_lock_free);
  void* const base = ::mmap(nullptr, TotalSize(shape), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd.get(), 0);
  if (base == MAP_FAILED) return ErrnoError("mmap");
  return FloorMemory(std::move(fd), shape, static_cast<char*>(base));
}

FloorMemory::FloorMemory(FloorMemory&& other) noexcept
    : fd_(std::move(other.fd_)), shape_(other.shape_), base_(std::exchange(other.base_, nullptr)) {}

FloorMemory::~FloorMemory() {
  if (base_ != nullptr) ::munmap(base_, TotalSize(shape_));
}

FloorMemory::Words& FloorMemory::words() const { return *reinterpret_cast<Words*>(base_); }

char* FloorMemory::Slot(int lane, uint32_t call) const {
  return base_ + kPage + (static_cast<size_t>(lane) * shape_.slots + call % shape_.slots) * SlotSize(shape_);
}

bool FloorMemory::Await(Lane& lane, uint32_t seen) const {
  const auto come = [&] { return lane.published.load(std::memory_order_acquire) != seen; };
  if (come()) return true;
  if (shape_.spins) {
    const int64_t end = MonotonicNanos() + kFloorSpinNs;
    do {
      for (int i = 0; i < kLooksPerClock; ++i) {
        Pause();
        if (come()) return true;
      }
    } while (MonotonicNanos() < end);
  }
  lane.sleeps.store(1);
  if (lane.published.load() == seen) {
    const timespec limit = {0, kSleepNs};
    ::syscall(SYS_futex, &lane.published, FUTEX_WAIT, seen, &limit, nullptr, 0);
  }
  lane.sleeps.store(0, std::memory_order_relaxed);
  return come();
}

void FloorMemory::Publish(Lane& lane, uint32_t count) {
  lane.published.store(count);
  if (lane.sleeps.load() != 0) ::syscall(SYS_futex, &lane.published, FUTEX_WAKE, INT_MAX, nullptr, nullptr, 0);
}

void FloorMemory::PutRequest(uint32_t call, const char* data) { ::memcpy(Slot(0, call), data, shape_.length); }

void FloorMemory::PublishRequests(uint32_t count) { Publish(words().requests, count); }

uint32_t FloorMemory::AwaitReplies(uint32_t seen) {
  Await(words().replies, seen);
  return words().replies.published.load(std::memory_order_acquire);
}

void FloorMemory::TakeReply(uint32_t call, char* data) const { ::memcpy(data, Slot(1, call), shape_.length); }

void FloorMemory::End() {
  words().over.store(1);
  ::syscall(SYS_futex, &words().requests.published, FUTEX_WAKE, INT_MAX, nullptr, nullptr, 0);
}

void FloorMemory::EchoUntilTheEnd(const std::atomic<bool>& stop) {
  Words& shared = words();
  for (uint32_t done = 0;;) {
    while (!Await(shared.requests, done)) {
      if (stop.load() || shared.over.load() != 0) return;
    }
    const uint32_t asked = shared.requests.published.load(std::memory_order_acquire);
    for (; done != asked; ++done) ::memcpy(Slot(1, done), Slot(0, done), shape_.length);
    Publish(shared.replies, done);
  }
}

}  // namespace nearcall::bench
