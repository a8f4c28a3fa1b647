// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// The ring alone: boundaries, the wrap, pushing back, waking, and every shared word set to what a hostile peer may set.
#include "nearcall/transports/ring/ring.h"

#include <gtest/gtest.h>

#include <cstring>
#include <deque>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "nearcall/transports/conformance/drive.h"
#include "nearcall/transports/ring/ring_memory.h"
#include "nearcall/transports/shm_ring/memfd.h"

namespace nearcall::internal {
namespace {

using Room = RingWriter::Room;
using Found = RingReader::Found;

constexpr uint32_t kRing = kMinRing;
constexpr size_t kMax = MaxFrameOf(kRing);

struct Pair {
  Pair()
      : memory(Made()),
        words(memory.words(RingMemory::kToServer)),
        bytes(memory.bytes(RingMemory::kToServer)),
        writer(words, bytes, kRing),
        reader(words, bytes, kRing, kMax) {}

  static RingMemory Made() {
    absl::StatusOr<UniqueFd> file = MakeMemfd(RingMemory::SizeFor(kRing));
    if (!file.ok()) ::abort();
    absl::StatusOr<RingMemory> memory = RingMemory::Map(file->get(), kRing);
    if (!memory.ok()) ::abort();
    return *std::move(memory);
  }
  Room Write(const std::string& frame) {
    absl::Span<char> space;
    const Room room = writer.Reserve(frame.size(), &space);
    if (room != Room::kYes) return room;
    std::memcpy(space.data(), frame.data(), frame.size());
    writer.Commit(frame.size());
    return room;
  }
  std::string Read() {
    absl::Span<const char> frame;
    if (const Found found = reader.Borrow(&frame); found != Found::kFrame) {
      return found == Found::kNothing ? "(nothing)" : "(violation) " + reader.problem();
    }
    std::string text(frame.begin(), frame.end());
    EXPECT_EQ(reader.Release(), Sleep::kAwake);
    return text;
  }
  uint64_t& Header(size_t at) { return *reinterpret_cast<uint64_t*>(bytes + at); }

  RingMemory memory;
  RingWords* words;
  char* bytes;
  RingWriter writer;
  RingReader reader;
};

TEST(Ring, FramesOfEverySizeFromEveryPlace) {
  for (const size_t size : {size_t{0}, size_t{1}, size_t{15}, size_t{16}, size_t{17}, kMax - 17, kMax - 1, kMax}) {
    Pair pair;
    // The first frame moves the start on by 16 or 32; so the big ones meet the end of the ring at every distance.
    for (size_t round = 0; round < 2 * kRing / kRingAlign; ++round) {
      ASSERT_EQ(pair.Write(std::string(round % 17, 'x')), Room::kYes) << size << " in round " << round;
      ASSERT_EQ(pair.Write(Pattern(size, round)), Room::kYes) << size << " in round " << round;
      EXPECT_EQ(pair.writer.Publish(), Sleep::kAwake);
      ASSERT_EQ(pair.Read(), std::string(round % 17, 'x'));
      ASSERT_EQ(pair.Read(), Pattern(size, round)) << size << " in round " << round;
      ASSERT_EQ(pair.Read(), "(nothing)");
      EXPECT_EQ(pair.reader.Return(), Sleep::kAwake);
    }
  }
}

TEST(Ring, NothingIsSeenBeforeItIsPublished) {
  Pair pair;
  ASSERT_EQ(pair.Write("a"), Room::kYes);
  ASSERT_EQ(pair.Write("b"), Room::kYes);
  EXPECT_TRUE(pair.writer.HasUnpublished());
  EXPECT_EQ(pair.Read(), "(nothing)");
  EXPECT_EQ(pair.writer.Publish(), Sleep::kAwake);
  EXPECT_EQ(pair.Read(), "a");
  EXPECT_TRUE(pair.reader.HasMore());
  EXPECT_EQ(pair.Read(), "b");
  EXPECT_FALSE(pair.reader.HasMore());
}

TEST(Ring, PayloadsAreAligned) {
  Pair pair;
  for (const size_t size : {1, 5, 16, 100}) {
    absl::Span<char> space;
    ASSERT_EQ(pair.writer.Reserve(size, &space), Room::kYes);
    EXPECT_EQ(reinterpret_cast<uintptr_t>(space.data()) % kRingAlign, 0u) << size;
    pair.writer.Commit(size);
  }
}

TEST(Ring, AReservationIsDroppedByTheNextAndCommitsMayBeShorter) {
  Pair pair;
  absl::Span<char> space;
  EXPECT_FALSE(pair.writer.CanCommit(0));
  ASSERT_EQ(pair.writer.Reserve(1000, &space), Room::kYes);
  ASSERT_EQ(pair.writer.Reserve(10, &space), Room::kYes);
  EXPECT_FALSE(pair.writer.CanCommit(11));
  space[0] = 'y';
  pair.writer.Commit(1);
  EXPECT_FALSE(pair.writer.CanCommit(0));
  EXPECT_EQ(pair.writer.Publish(), Sleep::kAwake);
  EXPECT_EQ(pair.Read(), "y");
}

TEST(Ring, FullIsFullAndRoomComesBack) {
  Pair pair;
  EXPECT_FALSE(pair.writer.Arm()) << "no room is missing";
  size_t sent = 0;
  while (pair.Write(Pattern(1000, sent)) == Room::kYes) ++sent;
  EXPECT_EQ(sent, kRing / 1024);
  EXPECT_EQ(pair.writer.Publish(), Sleep::kAwake);
  EXPECT_TRUE(pair.writer.WantsRoom());
  EXPECT_TRUE(pair.writer.Arm());
  // A quarter is given back at a time, and that wakes the producer once.
  int wakes = 0;
  absl::Span<const char> frame;
  for (size_t i = 0; i < sent; ++i) {
    ASSERT_EQ(pair.reader.Borrow(&frame), Found::kFrame);
    EXPECT_EQ(std::string(frame.begin(), frame.end()), Pattern(1000, i));
    const Sleep how = pair.reader.Release();
    if (how == Sleep::kPolls) ++wakes;
    EXPECT_NE(how, Sleep::kFutex);
  }
  EXPECT_EQ(wakes, 1);
  EXPECT_EQ(pair.Write("fits"), Room::kYes);
  EXPECT_FALSE(pair.writer.WantsRoom());
}

TEST(Ring, OnlySleepersAreWokenAndOnce) {
  Pair pair;
  for (const Sleep how : {Sleep::kPolls, Sleep::kFutex}) {
    EXPECT_TRUE(pair.reader.Arm(how));
    ASSERT_EQ(pair.Write("a"), Room::kYes);
    EXPECT_EQ(pair.writer.Publish(), how);
    EXPECT_EQ(pair.writer.Publish(), Sleep::kAwake);
    EXPECT_FALSE(pair.reader.Arm(how)) << "there is something";
    EXPECT_EQ(pair.Read(), "a");
    EXPECT_TRUE(pair.reader.Arm(how));
    pair.reader.Disarm();
    ASSERT_EQ(pair.Write("b"), Room::kYes);
    EXPECT_EQ(pair.writer.Publish(), Sleep::kAwake);
    EXPECT_EQ(pair.Read(), "b");
  }
}

TEST(Ring, AWordThatSaysNonsenseCountsAsPolling) {
  Pair pair;
  pair.words->consumer_sleeps.Store(77);
  ASSERT_EQ(pair.Write("a"), Room::kYes);
  EXPECT_EQ(pair.writer.Publish(), Sleep::kPolls);
}

TEST(Ring, HeadsThatAreImpossible) {
  for (const uint64_t head : {uint64_t{8}, uint64_t{1}, uint64_t{kRing} + 16, uint64_t{kRing} + 1, uint64_t{1} << 32,
                              uint64_t{1} << 63, ~uint64_t{0}, ~uint64_t{15}}) {
    Pair pair;
    pair.words->head.Store(head);
    EXPECT_TRUE(absl::StartsWith(pair.Read(), "(violation) the peer says that it has written up to")) << head;
  }
  // And back, after something was read.
  Pair pair;
  ASSERT_EQ(pair.Write("a"), Room::kYes);
  EXPECT_EQ(pair.writer.Publish(), Sleep::kAwake);
  EXPECT_EQ(pair.Read(), "a");
  pair.words->head.Store(16);
  EXPECT_TRUE(absl::StartsWith(pair.Read(), "(violation)"));
}

TEST(Ring, TailsThatAreImpossible) {
  for (const uint64_t tail :
       {uint64_t{8}, uint64_t{1}, uint64_t{kRing} + 16, uint64_t{1} << 32, ~uint64_t{15}, uint64_t{1} << 63}) {
    Pair pair;
    while (pair.Write(std::string(1000, 'x')) == Room::kYes) {
    }
    EXPECT_EQ(pair.writer.Publish(), Sleep::kAwake);
    pair.words->tail.Store(tail);
    EXPECT_EQ(pair.Write(std::string(1000, 'x')), Room::kViolation) << tail;
    EXPECT_TRUE(absl::StrContains(pair.writer.problem(), "it has read up to")) << pair.writer.problem();
  }
}

TEST(Ring, RecordsThatAreImpossible) {
  struct Bad {
    const char* what;
    uint64_t head;
    uint64_t header;
    const char* problem;
  };
  const uint64_t pad = uint64_t{1} << 32;
  const Bad bads[] = {
      {"over the limit by one", kRing, kMax + 1, "announced a frame of"},
      {"4 GiB", kRing, 0xffffffff, "announced a frame of"},
      {"after what was published", 16, 1, "ends after what was published"},
      {"after what was published, by much", 32, kMax, "ends after what was published"},
      {"a pad that is too short", kRing, pad | 16, "does not reach to the end"},
      {"a pad that is too long", kRing, pad | kRing, "does not reach to the end"},
      {"a pad of 4 GiB", kRing, pad | 0xffffffff, "does not reach to the end"},
      {"a pad that was not all published", 32, pad | (kRing - 16), "does not reach to the end"},
      {"an unknown kind", kRing, uint64_t{2} << 32, "of kind 2"},
      {"another unknown kind", kRing, uint64_t{0xffffffff} << 32, "which does not exist"},
  };
  for (const Bad& bad : bads) {
    Pair pair;
    pair.Header(0) = bad.header;
    pair.words->head.Store(bad.head);
    const std::string read = pair.Read();
    EXPECT_TRUE(absl::StartsWith(read, "(violation)") && absl::StrContains(read, bad.problem))
        << bad.what << ": " << read;
  }
}

TEST(Ring, AFrameMayNotReachOverTheEnd) {
  Pair pair;
  for (int i = 0; i < 15; ++i) {
    ASSERT_EQ(pair.Write(std::string(1000, 'x')), Room::kYes);
    EXPECT_EQ(pair.writer.Publish(), Sleep::kAwake);
    pair.Read();
  }
  pair.Header(15 * 1024) = 2000;  // 1024 are left
  pair.words->head.Store(15 * 1024 + 4096);
  EXPECT_TRUE(absl::StrContains(pair.Read(), "end of the ring"));
}

TEST(Ring, PadsAloneKeepNobodyBusy) {
  Pair pair;
  // The whole ring as one pad, over and over: each Borrow() goes round once and comes back.
  pair.Header(0) = uint64_t{1} << 32 | (kRing - 16);
  for (uint64_t round = 1; round < 5; ++round) {
    pair.words->head.Store(round * kRing);
    EXPECT_EQ(pair.Read(), "(nothing)");
  }
}

TEST(Ring, WhatIsBorrowedStaysTheSameFrame) {
  Pair pair;
  ASSERT_EQ(pair.Write("first"), Room::kYes);
  ASSERT_EQ(pair.Write("second"), Room::kYes);
  EXPECT_EQ(pair.writer.Publish(), Sleep::kAwake);
  absl::Span<const char> frame;
  ASSERT_EQ(pair.reader.Borrow(&frame), Found::kFrame);
  const char* const at = frame.data();
  pair.Header(0) = kMax;  // a peer that rewrites the header of what is borrowed
  pair.words->head.Store(~uint64_t{0});
  ASSERT_EQ(pair.reader.Borrow(&frame), Found::kFrame);
  EXPECT_EQ(frame.data(), at);
  EXPECT_EQ(frame.size(), 5u);
  EXPECT_EQ(pair.reader.Release(), Sleep::kAwake);
  EXPECT_EQ(pair.Read(), "second");
}

TEST(Ring, RandomSizesAgainstAModel) {
  Pair pair;
  std::mt19937_64 random(1);
  std::deque<std::string> model;
  for (int step = 0; step < 20'000; ++step) {
    if (random() % 2 == 0) {
      const std::string frame = Pattern(random() % (random() % 4 == 0 ? kMax + 1 : 200), random());
      if (pair.Write(frame) == Room::kYes) model.push_back(frame);
      static_cast<void>(pair.writer.Publish());
    } else if (model.empty()) {
      ASSERT_EQ(pair.Read(), "(nothing)");
      static_cast<void>(pair.reader.Return());
    } else {
      ASSERT_EQ(pair.Read(), model.front());
      model.pop_front();
    }
  }
}

#ifdef NEARCALL_CHECK_SHARED_LOADS
TEST(SharedWordDeathTest, ASecondLoadInOneOperationAborts) {
  SharedWord<uint32_t> word;
  word.Store(1);
  const auto twice = [&] {
    OneLook look;
    static_cast<void>(word.Load());
    static_cast<void>(word.Load());
  };
  EXPECT_DEATH(twice(), "");
  EXPECT_DEATH(static_cast<void>(word.Load()), "") << "outside of any operation";
}
#endif

}  // namespace
}  // namespace nearcall::internal
