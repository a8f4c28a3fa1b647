// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// Two sessions, a medium that holds back as it likes, frames of random size, owners that do anything they may: whatever
// happens, the promises that SessionWorld watches hold, and all comes to an end.
#include <gtest/gtest.h>

#include <random>
#include <string>

#include "nearcall/tests/session/session_world.h"

namespace nearcall::internal {
namespace {

class Chance {
 public:
  explicit Chance(uint64_t seed) : random_(seed) {}
  size_t Below(size_t bound) { return static_cast<size_t>(random_() % bound); }
  bool OneIn(size_t n) { return Below(n) == 0; }
  template <class T>
  T Of(std::initializer_list<T> choices) {
    return *(choices.begin() + Below(choices.size()));
  }

 private:
  std::mt19937_64 random_;
};

SessionOptions RandomOptions(Chance* chance) {
  SessionOptions options;
  options.max_receive_message = chance->Of<uint64_t>({1000, 70'000, 4 << 20});
  options.max_concurrent_calls = chance->Of<uint32_t>({1, 3, 20, 1000});
  options.initial_credit = chance->Of<uint32_t>({64 << 10, 256 << 10});
  options.max_pending_bytes = chance->Of<uint64_t>({100'000, 1 << 30});
  options.first_call_id = chance->Of<uint32_t>({1, 0x7ffffff0, 0x7fffffff, 0});
  return options;
}

SessionWorld::Content RandomContent(Chance* chance) {
  SessionWorld::Content content;
  content.with_message = chance->OneIn(2);
  content.direct = chance->OneIn(2);
  content.message = chance->Below(chance->Of<size_t>({1, 100, 5000, 90'000}));
  content.metadata = chance->OneIn(4) ? chance->Below(chance->Of<size_t>({100, 63 << 10})) : 0;
  return content;
}

void RandomStep(SessionWorld* world, Chance* chance) {
  const int side = static_cast<int>(chance->Below(2));
  const size_t which = chance->Below(64);
  const SessionWorld::Content content = RandomContent(chance);
  switch (chance->Below(16)) {
    case 0:
      world->NewCall(chance->OneIn(4) ? side : 0, content);
      break;
    case 1:
    case 2:
      world->SendMessage(side, which, content);
      break;
    case 3:
      world->HalfClose(side, which);
      break;
    case 4:
      world->SendInitialMetadata(side, which, content);
      break;
    case 5:
      world->Finish(side, which, chance->OneIn(3) ? 13 : 0, content);
      break;
    case 6:
      if (chance->OneIn(4)) world->Cancel(side, which);
      break;
    case 7:
      if (chance->OneIn(2)) world->Release(side, which);
      break;
    case 8:
      world->TakeMessage(side, which);
      break;
    case 9:
      if (chance->OneIn(4)) world->Ping(side, which);
      break;
    default:
      // The medium moves in bursts, or is full and does not.
      for (size_t i = chance->Below(6); i > 0; --i)
        world->Plan(side, 256 + chance->Below(chance->OneIn(4) ? 65'000 : 4000));
      for (size_t i = chance->Below(6); i > 0; --i) world->Deliver(static_cast<int>(chance->Below(2)));
      break;
  }
}

TEST(SessionPropertyTest, PromisesHoldAndAllComesToAnEnd) {
  SessionCoverage coverage;
  for (uint64_t seed = 1; seed <= 400; ++seed) {
    Chance chance(seed);
    SessionWorld::Options options;
    options.side[0] = RandomOptions(&chance);
    options.side[1] = RandomOptions(&chance);
    SessionWorld world(options, &coverage);
    const size_t steps = 50 + chance.Below(500);
    const size_t drain_at = chance.OneIn(4) ? chance.Below(steps) : steps;
    for (size_t step = 0; step < steps && world.failure().empty(); ++step) {
      if (step == drain_at) world.StartDrain(static_cast<int>(chance.Below(2)));
      RandomStep(&world, &chance);
    }
    if (world.failure().empty()) world.Settle();
    ASSERT_EQ(world.failure(), "") << "seed " << seed;
    ASSERT_TRUE(world.clean());
  }
  std::string missing;
  const std::string table = coverage.Table(&missing);
  EXPECT_GT(coverage.accepted[static_cast<size_t>(FrameKind::kStatus)], 1000u) << table;
}

TEST(SessionPropertyTest, ALostConnectionIsHeardOfOnceByEveryOwner) {
  SessionCoverage coverage;
  for (uint64_t seed = 1; seed <= 200; ++seed) {
    Chance chance(seed * 7919);
    SessionWorld world({}, &coverage);
    for (size_t step = chance.Below(300); step > 0; --step) RandomStep(&world, &chance);
    world.Lose();
    ASSERT_EQ(world.failure(), "") << "seed " << seed;
  }
}

}  // namespace
}  // namespace nearcall::internal
