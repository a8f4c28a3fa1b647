// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// RingMemory: the mapped memory of one connection, two rings in one memfd. The client makes it (its memory, its quota),
// allocates and seals it; the server checks it before it maps it.
//
//   UniqueFd file;
//   absl::StatusOr<RingMemory> mine = RingMemory::Make(65536, &file);         // client; hands `file` over
//   absl::StatusOr<RingMemory> theirs = RingMemory::Map(file.get(), 65536);   // server
//   RingWriter writer(mine->words(RingMemory::kToServer), mine->bytes(RingMemory::kToServer), mine->capacity(), ...);
//
// Thread safety: as a value. Lifetime: unmapped at destruction; whoever still uses a pointer into it is lost. Errors:
// RESOURCE_EXHAUSTED naming the limit; INVALID_ARGUMENT saying what is wrong with the peer's memory.
#ifndef NEARCALL_TRANSPORTS_SHM_RING_RING_MEMORY_H_
#define NEARCALL_TRANSPORTS_SHM_RING_RING_MEMORY_H_

#include <cstddef>
#include <cstdint>
#include <utility>

#include "absl/status/statusor.h"
#include "nearcall/transports/api/unique_fd.h"
#include "nearcall/transports/shm_ring/ring.h"

namespace nearcall::internal {

// Of each direction, in bytes; powers of two. The default is 132 KiB a connection: a thousand take 132 MiB.
inline constexpr uint32_t kMinRing = 16 << 10;
inline constexpr uint32_t kDefaultRing = 64 << 10;
inline constexpr uint32_t kMaxRing = 16 << 20;

// Half a ring at most (see ring.h), and no more than the socket carries, which may have to take over.
inline constexpr uint32_t kMaxShmFrame = (64 << 10) - kRecordHeader;
constexpr uint32_t MaxFrameOf(uint32_t ring) {
  return ring / 2 - kRecordHeader < kMaxShmFrame ? ring / 2 - kRecordHeader : kMaxShmFrame;
}
constexpr bool IsRingSize(uint64_t size) { return size >= kMinRing && size <= kMaxRing && (size & (size - 1)) == 0; }

class RingMemory {
 public:
  enum Direction { kToServer = 0, kToClient = 1 };

  // REQUIRES: IsRingSize(ring).
  static absl::StatusOr<RingMemory> Make(uint32_t ring, UniqueFd* file);
  static absl::StatusOr<RingMemory> Map(int file, uint32_t ring);
  static constexpr size_t SizeFor(uint32_t ring) { return kWordsSize + 2 * size_t{ring}; }

  RingMemory(RingMemory&& other) noexcept
      : base_(std::exchange(other.base_, nullptr)), ring_(std::exchange(other.ring_, 0)) {}
  RingMemory& operator=(RingMemory&&) = delete;
  ~RingMemory();

  uint32_t capacity() const { return ring_; }
  RingWords* words(Direction direction) const { return reinterpret_cast<RingWords*>(base_) + direction; }
  char* bytes(Direction direction) const { return base_ + kWordsSize + direction * size_t{ring_}; }

 private:
  static constexpr size_t kWordsSize = 4096;
  static_assert(2 * sizeof(RingWords) <= kWordsSize);

  RingMemory(char* base, uint32_t ring) : base_(base), ring_(ring) {}
  static absl::StatusOr<RingMemory> MapChecked(int file, uint32_t ring);

  char* base_;
  uint32_t ring_;
};

}  // namespace nearcall::internal

#endif  // NEARCALL_TRANSPORTS_SHM_RING_RING_MEMORY_H_
