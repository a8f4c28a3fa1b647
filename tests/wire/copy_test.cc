// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
#include "nearcall/rpc/wire/copy.h"

#include <cstdint>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "nearcall/rpc/wire/bytes.h"

namespace nearcall::internal {
namespace {

// Around the size where it works in pieces, and at every distance of the two within a page that matters.
TEST(CopyTest, CopiesEveryByteAndNoOther) {
  std::string from(9000, '\0');
  for (size_t i = 0; i < from.size(); ++i) from[i] = static_cast<char>(i * 7 + i / 256);
  for (const size_t size : {0, 1, 31, 2047, 2048, 2049, 4096, 4097, 6144, 8191}) {
    for (size_t distance = 0; distance < 40; ++distance) {
      std::vector<char> to(2 * 4096 + 9000, '#');
      const size_t page = (reinterpret_cast<uintptr_t>(from.data()) - reinterpret_cast<uintptr_t>(to.data())) % 4096;
      const size_t at = page + distance;
      CopyBytes(to.data() + at, from.data(), size);
      ASSERT_EQ(std::string(to.data() + at, size), from.substr(0, size)) << size << " bytes, " << distance << " ahead";
      ASSERT_EQ(std::string(to.data(), at).find_first_not_of('#'), std::string::npos);
      ASSERT_EQ(std::string(to.data() + at + size, to.size() - at - size).find_first_not_of('#'), std::string::npos);
    }
  }
  CopyBytes(nullptr, nullptr, 0);
}

TEST(CopyTest, BytesOfAllSizesAreWhollyTheirOwn) {
  for (const size_t size : {0, 1, 4095, 4096, 4097, 1 << 20}) {
    Bytes bytes(size);
    Bytes other;
    ASSERT_TRUE(Bytes::TryAllocate(size, &other));
    EXPECT_EQ(bytes.size(), size);
    EXPECT_EQ(bytes.span().size(), size);
    if (size == 0) continue;
    std::memset(bytes.data(), 1, size);
    std::memset(other.data(), 2, size);
    Bytes moved = std::move(bytes);
    EXPECT_TRUE(bytes.empty());  // NOLINT: what a moved-from one is
    EXPECT_EQ(moved.data()[0], 1);
    EXPECT_EQ(moved.data()[size - 1], 1);
  }
}

}  // namespace
}  // namespace nearcall::internal
