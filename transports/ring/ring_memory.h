// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// RingMemory: the mapped memory of one connection, two rings in one file. The client makes the file (its memory, its
// quota) and allocates it; the server checks it before it maps it. Where it comes from is the medium's (ring_medium.h).
//
//   absl::StatusOr<RingMemory> memory = RingMemory::Map(file.get(), 65536);
//   RingWriter writer(memory->words(RingMemory::kToServer), memory->bytes(RingMemory::kToServer), memory->capacity());
//
// Thread safety: as a value. Lifetime: unmapped at destruction; whoever still uses a pointer into it is lost. Errors:
// RESOURCE_EXHAUSTED naming the limit.
#ifndef NEARCALL_TRANSPORTS_RING_RING_MEMORY_H_
#define NEARCALL_TRANSPORTS_RING_RING_MEMORY_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>

#include "absl/status/statusor.h"
#include "nearcall/transports/ring/ring.h"

namespace nearcall::internal {

// What a mapping needs whose file its peer can truncate: to touch it must not be the end of the process.
class MappingGuard {
 public:
  using Maker = absl::StatusOr<std::unique_ptr<MappingGuard>> (*)(void* base, size_t size);
  virtual ~MappingGuard() = default;  // before the mapping goes
  // Whether bytes of the mapping were missing when they were touched; they are private zeros from then on.
  virtual bool broken() const = 0;
};

// Of each direction, in bytes; powers of two. The default is 132 KiB a connection: a thousand take 132 MiB.
inline constexpr uint32_t kMinRing = 16 << 10;
inline constexpr uint32_t kDefaultRing = 64 << 10;
inline constexpr uint32_t kMaxRing = 16 << 20;

// Half a ring at most (see ring.h), and no more than the socket carries, which may have to take over.
inline constexpr uint32_t kMaxRingFrame = (64 << 10) - kRecordHeader;
constexpr uint32_t MaxFrameOf(uint32_t ring) {
  return ring / 2 - kRecordHeader < kMaxRingFrame ? ring / 2 - kRecordHeader : kMaxRingFrame;
}
constexpr bool IsRingSize(uint64_t size) { return size >= kMinRing && size <= kMaxRing && (size & (size - 1)) == 0; }

class RingMemory {
 public:
  enum Direction { kToServer = 0, kToClient = 1 };

  // REQUIRES: IsRingSize(ring).
  static absl::StatusOr<RingMemory> Map(int file, uint32_t ring, MappingGuard::Maker guard = nullptr);
  static constexpr size_t SizeFor(uint32_t ring) { return kWordsSize + 2 * size_t{ring}; }

  RingMemory(RingMemory&& other) noexcept
      : base_(std::exchange(other.base_, nullptr)),
        ring_(std::exchange(other.ring_, 0)),
        guard_(std::move(other.guard_)) {}
  RingMemory& operator=(RingMemory&&) = delete;
  ~RingMemory();

  uint32_t capacity() const { return ring_; }
  bool broken() const { return guard_ != nullptr && guard_->broken(); }
  RingWords* words(Direction direction) const { return reinterpret_cast<RingWords*>(base_) + direction; }
  char* bytes(Direction direction) const { return base_ + kWordsSize + direction * size_t{ring_}; }

 private:
  static constexpr size_t kWordsSize = 4096;
  static_assert(2 * sizeof(RingWords) <= kWordsSize);

  RingMemory(char* base, uint32_t ring) : base_(base), ring_(ring) {}

  char* base_;
  uint32_t ring_;
  std::unique_ptr<MappingGuard> guard_;
};

}  // namespace nearcall::internal

#endif  // NEARCALL_TRANSPORTS_RING_RING_MEMORY_H_
