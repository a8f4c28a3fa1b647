// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
#include "nearcall/rpc/session/id_table.h"

#include <gtest/gtest.h>

#include <map>
#include <random>

#include "nearcall/rpc/session/session_call.h"

namespace nearcall::internal {
namespace {

// Against a map, with ids in order, at random, and all on the same place.
TEST(IdTableTest, HoldsWhatAMapHolds) {
  std::mt19937_64 random(1);
  for (const uint32_t step : {1u, 64u, 4096u, 0x9e3779b9u}) {
    IdTable table;
    std::map<uint32_t, SessionCall*> expected;
    std::vector<SessionCall> calls(16);
    uint32_t next = 0x7fffff00;
    for (int round = 0; round < 20'000; ++round) {
      if (random() % 2 == 0 || expected.empty()) {
        next += step;
        if (next == 0 || expected.count(next) != 0) continue;
        SessionCall* call = &calls[random() % calls.size()];
        table.Insert(next, call);
        expected[next] = call;
      } else {
        auto it = expected.lower_bound(static_cast<uint32_t>(random()));
        if (it == expected.end()) it = expected.begin();
        table.Erase(it->first);
        EXPECT_EQ(table.Find(it->first), nullptr);
        expected.erase(it);
      }
      ASSERT_EQ(table.size(), expected.size());
      if (round % 100 == 0) {
        for (const auto& [id, call] : expected) ASSERT_EQ(table.Find(id), call);
      }
    }
    size_t seen = 0;
    table.ForEach([&](uint32_t id, SessionCall* call) {
      ++seen;
      EXPECT_EQ(expected[id], call);
    });
    EXPECT_EQ(seen, expected.size());
    EXPECT_EQ(table.Find(0), nullptr);
  }
}

}  // namespace
}  // namespace nearcall::internal
