// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// Litmus: the real ring between two threads, who sleep and wake as two processes do. Once in one mapping, where TSan
// sees every access, and once with the memory mapped twice, as it is between processes. A lost wake-up, a torn frame or
// a frame out of order fails; a sleep that nobody ends times out.
#include <gtest/gtest.h>

#include <atomic>
#include <cstring>
#include <memory>
#include <thread>

#include "nearcall/transports/api/clock.h"
#include "nearcall/transports/conformance/drive.h"
#include "nearcall/transports/ring/futex.h"
#include "nearcall/transports/ring/ring.h"
#include "nearcall/transports/ring/ring_memory.h"
#include "nearcall/transports/shm_ring/memfd.h"

namespace nearcall::internal {
namespace {

constexpr uint32_t kRing = kMinRing;
constexpr size_t kMax = MaxFrameOf(kRing);

// Frame i: its size and its bytes follow from i.
size_t SizeOf(uint32_t i) { return i % 97 == 0 ? kMax - i % 50 : 5 + i * 7 % 300; }

void Fill(absl::Span<char> space, uint32_t i) {
  std::memset(space.data(), static_cast<char>(i * 31), space.size());
  std::memcpy(space.data(), &i, sizeof(i));
}
bool IsFrame(absl::Span<const char> frame, uint32_t i) {
  uint32_t number;
  if (frame.size() != SizeOf(i)) return false;
  std::memcpy(&number, frame.data(), sizeof(number));
  return number == i && frame.back() == static_cast<char>(i * 31) && frame[4 + (frame.size() - 4) / 2] == frame.back();
}

// In place of the socket: a sleeper that polls waits for a count to change.
struct Bell {
  std::atomic<uint32_t> rung{0};
  void Ring() { ++rung; }
};

void Wake(SharedWord<uint32_t>& word, Sleep how, Bell& bell) {
  if (how == Sleep::kFutex) FutexWake(word);
  if (how == Sleep::kPolls) bell.Ring();
}

template <class Ready>
bool AwaitBell(const Bell& bell, uint32_t before, Ready gone) {
  const int64_t deadline = After(kPatience);
  while (bell.rung == before && !gone()) {
    if (MonotonicNanos() > deadline) return false;
    std::this_thread::yield();
  }
  return true;
}

void Produce(RingWords* words, char* bytes, uint32_t frames, Bell& own, Bell& consumers, std::atomic<bool>& over) {
  RingWriter writer(words, bytes, kRing);
  for (uint32_t i = 0; i < frames && !over;) {
    absl::Span<char> space;
    const RingWriter::Room room = writer.Reserve(SizeOf(i), &space);
    ASSERT_NE(room, RingWriter::Room::kViolation) << writer.problem();
    if (room == RingWriter::Room::kYes) {
      Fill(space, i);
      writer.Commit(SizeOf(i));
      if (++i % 3 == 0 || i == frames) Wake(words->consumer_sleeps, writer.Publish(), consumers);
      continue;
    }
    Wake(words->consumer_sleeps, writer.Publish(), consumers);
    const uint32_t before = own.rung;
    if (!writer.Arm()) continue;
    EXPECT_TRUE(AwaitBell(own, before, [&] { return over.load(); })) << "nobody woke the producer at frame " << i;
    if (own.rung == before) over = true;
    writer.Disarm();
  }
}

void Consume(RingWords* words, const char* bytes, uint32_t frames, Bell& own, Bell& producers,
             std::atomic<bool>& over) {
  RingReader reader(words, bytes, kRing, kMax);
  for (uint32_t i = 0; i < frames && !over;) {
    absl::Span<const char> frame;
    const RingReader::Found found = reader.Borrow(&frame);
    if (found == RingReader::Found::kFrame) {
      if (!IsFrame(frame, i)) {
        ADD_FAILURE() << "frame " << i << " is not what was sent";
        over = true;
      }
      ++i;
      Wake(words->producer_sleeps, reader.Release(), producers);
      continue;
    }
    ASSERT_EQ(found, RingReader::Found::kNothing) << reader.problem();
    Wake(words->producer_sleeps, reader.Return(), producers);
    const Sleep how = i % 2 == 0 ? Sleep::kFutex : Sleep::kPolls;
    const uint32_t before = own.rung;
    if (!reader.Arm(how)) continue;
    if (how == Sleep::kFutex) {
      const int64_t deadline = After(kPatience);
      FutexWait(words->consumer_sleeps, how, deadline);
      EXPECT_LT(MonotonicNanos(), deadline) << "nobody woke the consumer at frame " << i;
    } else {
      EXPECT_TRUE(AwaitBell(own, before, [&] { return over.load(); })) << "nobody rang at frame " << i;
    }
    reader.Disarm();
  }
  over = true;
}

void Stress(const RingMemory& producers, const RingMemory& consumers, uint32_t frames) {
  Bell producer_bell;
  Bell consumer_bell;
  std::atomic<bool> consumed{false};
  std::thread producer([&] {
    Produce(producers.words(RingMemory::kToServer), producers.bytes(RingMemory::kToServer), frames, producer_bell,
            consumer_bell, consumed);
  });
  Consume(consumers.words(RingMemory::kToServer), consumers.bytes(RingMemory::kToServer), frames, consumer_bell,
          producer_bell, consumed);
  producer.join();
}

constexpr uint32_t kFrames = 20'000;

TEST(RingStress, OneMapping) {
  absl::StatusOr<UniqueFd> file = MakeMemfd(RingMemory::SizeFor(kRing));
  ASSERT_TRUE(file.ok()) << file.status();
  absl::StatusOr<RingMemory> memory = RingMemory::Map(file->get(), kRing);
  ASSERT_TRUE(memory.ok()) << memory.status();
  Stress(*memory, *memory, kFrames);
}

TEST(RingStress, MappedTwice) {
  absl::StatusOr<UniqueFd> file = MakeMemfd(RingMemory::SizeFor(kRing));
  ASSERT_TRUE(file.ok()) << file.status();
  absl::StatusOr<RingMemory> one = RingMemory::Map(file->get(), kRing);
  ASSERT_TRUE(one.ok()) << one.status();
  absl::StatusOr<RingMemory> other = RingMemory::Map(file->get(), kRing);
  ASSERT_TRUE(other.ok()) << other.status();
  Stress(*one, *other, kFrames);
}

}  // namespace
}  // namespace nearcall::internal
