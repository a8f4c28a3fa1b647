// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// The floor over shared memory: a lane of slots each way in one memfd, a word that counts what was published in each,
// and a futex on that word. Three copies a call: the client's in, the server's from slot to slot, the client's out.
//
//   absl::StatusOr<FloorMemory> memory = FloorMemory::Make({length, slots, spins});   // client; passes memory->fd() on
//   absl::StatusOr<FloorMemory> theirs = FloorMemory::Map(std::move(fd), shape);      // server
//   theirs->EchoUntilTheEnd(stop);
//
// Thread safety: one thread on each side. Lifetime: End() wakes the other side. Errors: what the system said.
#ifndef NEARCALL_TESTS_BENCH_MEMORY_FLOOR_H_
#define NEARCALL_TESTS_BENCH_MEMORY_FLOOR_H_

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "absl/status/statusor.h"
#include "nearcall/transports/api/unique_fd.h"

namespace nearcall::bench {

inline constexpr int64_t kFloorSpinNs = 60'000;  // as SpinMode::kAdaptive's

class FloorMemory {
 public:
  struct Shape {
    uint64_t length = 0;  // of a message
    uint32_t slots = 0;   // in each lane: calls that may be outstanding; a power of two
    bool spins = false;   // before a sleep
  };
  static absl::StatusOr<FloorMemory> Make(const Shape& shape);
  static absl::StatusOr<FloorMemory> Map(UniqueFd fd, const Shape& shape);
  FloorMemory(FloorMemory&& other) noexcept;
  FloorMemory& operator=(FloorMemory&&) = delete;
  ~FloorMemory();

  int fd() const { return fd_.get(); }

  // Client. Calls are counted from 0 and wrap; the slot of one is its number modulo the slots.
  void PutRequest(uint32_t call, const char* data);
  void PublishRequests(uint32_t count);  // of all calls so far
  uint32_t AwaitReplies(uint32_t seen);  // how many there are, once others than `seen` or 100 ms went by
  void TakeReply(uint32_t call, char* data) const;
  void End();

  // Server: until the client's End(), or `stop`, which is looked at every 100 ms.
  void EchoUntilTheEnd(const std::atomic<bool>& stop);

 private:
  struct Lane;
  struct Words;
  FloorMemory(UniqueFd fd, const Shape& shape, char* base) : fd_(std::move(fd)), shape_(shape), base_(base) {}

  Words& words() const;
  char* Slot(int lane, uint32_t call) const;
  bool Await(Lane& lane, uint32_t seen) const;  // false: 100 ms went by
  static void Publish(Lane& lane, uint32_t count);

  UniqueFd fd_;
  Shape shape_;
  char* base_;  // null: moved from
};

}  // namespace nearcall::bench

#endif  // NEARCALL_TESTS_BENCH_MEMORY_FLOOR_H_
