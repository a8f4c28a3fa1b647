// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// The ring: frames from one process to another through memory that both have mapped and neither trusts. One producer,
// one consumer. No system call is made here: a function that finds the other side asleep says how to wake it.
//
// Layout of a connection's memory, all numbers little-endian:
//
//   0        256      512                4096                4096 + capacity      4096 + 2 * capacity
//   | words  | words  | zero             | bytes             | bytes              |
//   | to the | to the |                  | to the server     | to the client      |
//   | server | client |                  |                   |                    |
//
// The words of one ring, each line of 64 bytes written by the side named:
//
//   0  producer | head u64: bytes published, ever | producer_closed u32  |
//   64 consumer | tail u64: bytes given back, ever |
//   128 both    | producer_sleeps u32: 0 awake, 1 polls, 2 in a futex on this word; set by the producer, cleared by
//               |   whoever wakes it
//   192 both    | consumer_sleeps u32: the same | consumer_closed u32 |
//
// Bytes: records, each at a multiple of 16, never over the end. A frame is 16 bytes of header and the payload, filled
// up to 16 again. What is left before the end and too short for a frame is one pad record, whose payload reaches to the
// end; its frame follows at the start, and both are published together. So a frame is contiguous wherever it lies, and
// its longest is half the ring.
//
//   0        4        8                 16                 16 + length
//   | length | kind   | zero, not read  | payload          | not read
//     u32      u32      8 B
//   kind: 0 a frame, 1 a pad.
//
// head and tail only grow and are multiples of 16; head - tail is at most the capacity. A side that sees anything else
// has a violation: problem() says which, and the connection is closed. Payload bytes may still change after Borrow():
// copy once, then validate.
//
// Sleeping (ring.pml is the model): the sleeper stores how it sleeps, then looks again, then sleeps. The other side
// stores head or tail, then looks whether somebody sleeps, and clears that before it wakes. Both orders are
// sequentially consistent, so one of the two sees the other.
//
//   RingWriter writer(words, bytes, capacity);                       // producer
//   if (writer.Reserve(5, &space) == RingWriter::Room::kYes) {
//     memcpy(space.data(), "hello", 5);
//     writer.Commit(5);
//     Wake(writer.Publish());
//   }
//   RingReader reader(words, bytes, capacity, max_frame);            // consumer
//   if (reader.Borrow(&frame) == RingReader::Found::kFrame) {
//     Use(frame);
//     Wake(reader.Release());
//   }
//
// Thread safety: each object belongs to one role. Lifetime: as the mapping; the state of a side is in its object, not
// in the memory. Errors: violations.
#ifndef NEARCALL_TRANSPORTS_RING_RING_H_
#define NEARCALL_TRANSPORTS_RING_RING_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>

#include "absl/types/span.h"
#include "nearcall/transports/ring/shared_word.h"

namespace nearcall::internal {

inline constexpr size_t kRingAlign = 16;
inline constexpr size_t kRecordHeader = 16;

// How a side sleeps. Others than these, read from the memory, count as kPolls.
enum class Sleep : uint32_t { kAwake = 0, kPolls = 1, kFutex = 2 };

struct RingWords {
  alignas(64) SharedWord<uint64_t> head;
  SharedWord<uint32_t> producer_closed;
  alignas(64) SharedWord<uint64_t> tail;
  alignas(64) SharedWord<uint32_t> producer_sleeps;
  alignas(64) SharedWord<uint32_t> consumer_sleeps;
  SharedWord<uint32_t> consumer_closed;
};
static_assert(sizeof(RingWords) == 256);

// Clears `word` if somebody sleeps on it and says how to wake it. One look.
Sleep TakeSleeper(SharedWord<uint32_t>& word);

class RingWriter {
 public:
  enum class Room { kYes, kNo, kViolation };

  // REQUIRES: capacity is a power of two.
  RingWriter(RingWords* words, char* bytes, size_t capacity);

  // REQUIRES: a frame of that size with its header is at most half of the capacity. The space is valid until Commit()
  // or the next Reserve().
  Room Reserve(size_t size, absl::Span<char>* space);
  bool CanCommit(size_t size) const { return reserved_ != kNothing && size <= reserved_; }
  void Commit(size_t size);  // REQUIRES: CanCommit(size)
  bool HasReservation() const { return reserved_ != kNothing; }

  bool HasUnpublished() const { return committed_ != published_; }
  uint64_t committed() const { return committed_; }
  // Gives the consumer all that was committed. How to wake it, if it sleeps.
  [[nodiscard]] Sleep Publish();
  // The same before a sleep for room, which nobody asked for: the next flush must not say that nothing was seen.
  [[nodiscard]] Sleep PublishUnasked() {
    shown_unasked_ = shown_unasked_ || HasUnpublished();
    return Publish();
  }
  bool shown_unasked() const { return shown_unasked_; }
  bool TakeShownUnasked() { return std::exchange(shown_unasked_, false); }

  // Whether the last Reserve() did not find room.
  bool WantsRoom() const { return wanted_ != 0; }
  // Before sleeping for that room. False: it is there now (or something is wrong,
  // which Reserve() will say), or none is missing. REQUIRES: nothing unpublished, or nobody would make room.
  bool Arm();
  void Disarm() { words_->producer_sleeps.Store(static_cast<uint32_t>(Sleep::kAwake)); }

  const std::string& problem() const { return problem_; }

 private:
  static constexpr size_t kNothing = SIZE_MAX;

  bool Fits(uint64_t need) const { return committed_ - tail_ + need <= capacity_; }
  Room LookForRoom(uint64_t need);

  RingWords* words_;
  char* bytes_;
  size_t capacity_;
  uint64_t committed_ = 0;
  uint64_t published_ = 0;
  uint64_t tail_ = 0;  // as last seen
  size_t reserved_ = kNothing;
  size_t pad_ = 0;       // bytes before the reservation that are a pad
  uint64_t wanted_ = 0;  // what the last Reserve() did not find room for
  bool shown_unasked_ = false;
  std::string problem_;
};

class RingReader {
 public:
  enum class Found { kFrame, kNothing, kViolation };

  RingReader(RingWords* words, const char* bytes, size_t capacity, size_t max_frame);

  // The next frame, in place until Release(); asked again, it says the same again.
  Found Borrow(absl::Span<const char>* frame);
  // Gives the borrowed frame's bytes back. The producer is told, and may have to be woken, once that is worth it.
  [[nodiscard]] Sleep Release();
  bool borrowed() const { return borrowed_ != 0; }
  // Without a look: whether more is known to be there behind what is borrowed.
  bool HasMore() const { return tail_ + borrowed_ != head_; }
  // With one: whether Borrow() has something to say. REQUIRES: nothing is borrowed.
  bool Look();

  bool HasUnreturned() const { return tail_ != returned_; }
  // Tells the producer of all that was given back. Before sleeping, and whenever nothing is left to read.
  [[nodiscard]] Sleep Return();

  // Before sleeping. False: Borrow() has something to say. REQUIRES: nothing is borrowed, all is returned.
  bool Arm(Sleep how);
  void Disarm() { words_->consumer_sleeps.Store(static_cast<uint32_t>(Sleep::kAwake)); }

  const std::string& problem() const { return problem_; }

 private:
  Found TakeRecord(absl::Span<const char>* frame);
  Found Violation(std::string text);

  RingWords* words_;
  const char* bytes_;
  size_t capacity_;
  size_t max_frame_;
  uint64_t head_ = 0;  // as last seen and found to be possible
  uint64_t tail_ = 0;
  uint64_t returned_ = 0;
  size_t borrowed_ = 0;  // bytes of the record that is borrowed; 0: none
  absl::Span<const char> frame_;
  std::string problem_;
};

}  // namespace nearcall::internal

#endif  // NEARCALL_TRANSPORTS_RING_RING_H_
