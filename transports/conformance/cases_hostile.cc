// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// Conformance: a hostile peer on a byte stream ends its own connection and nothing else.

#include <memory>
#include <random>

#include "nearcall/transports/byte_stream/frame_buffers.h"
#include "nearcall/transports/conformance/conformance.h"
#include "nearcall/transports/conformance/drive.h"

namespace nearcall {
namespace {

std::string Header(uint32_t length, int changed_byte = -1) {
  char header[kFrameHeaderSize];
  StoreFrameHeader(length, header);
  if (changed_byte >= 0) header[changed_byte] = 1;
  return std::string(header, sizeof(header));
}

struct Attack {
  const char* what;
  std::string bytes;
  int good_frames;  // before the violation
  absl::StatusCode code;
};

std::vector<Attack> Attacks(size_t max_frame) {
  const auto limit = static_cast<uint32_t>(max_frame);
  constexpr absl::StatusCode kViolation = absl::StatusCode::kInternal;
  std::vector<Attack> attacks = {
      {"one byte over the limit", Header(limit + 1), 0, kViolation},
      {"4 GiB", Header(0xffffffffu), 0, kViolation},
      {"2 GiB", Header(0x80000000u) + "data", 0, kViolation},
      {"a descriptor", Header(1, 4) + "x", 0, kViolation},
      {"good frames, then a bad one", Header(1) + "x" + Header(0) + Header(limit + 1), 2, kViolation},
      {"half a header", Header(5).substr(0, 4), 0, absl::StatusCode::kUnavailable},
      {"half a frame", Header(100) + "only this", 0, absl::StatusCode::kUnavailable},
      {"a frame, then half a large one", Header(2) + "ok" + Header(limit) + "begins", 1,
       absl::StatusCode::kUnavailable},
  };
  for (const int byte : {5, 6, 7}) attacks.push_back({"a reserved byte", Header(3, byte) + "abc", 0, kViolation});
  return attacks;
}

TEST_P(NearcallConformanceTest, HostileBytesEndTheirOwnConnectionOnly) {
  if (!subject().byte_stream) GTEST_SKIP() << "not a byte stream";
  auto listener = Listen();
  ASSERT_NE(listener, nullptr);
  ConformancePair bystander = Establish(*listener);
  ASSERT_NE(bystander.server, nullptr);
  for (const Attack& attack : Attacks(bystander.client->info().max_frame)) {
    SCOPED_TRACE(attack.what);
    auto forgery = std::make_shared<Forgery>();
    ConformancePair pair = EstablishForging(*listener, forgery);
    ASSERT_NE(pair.server, nullptr);
    forgery->Set(attack.bytes);
    SendFrame(*pair.client, "replaced");
    pair.client.reset();
    EXPECT_EQ(ReceiveToTheEnd(*pair.server), attack.good_frames);
    EXPECT_EQ(pair.server->status().code(), attack.code) << pair.server->status();
    EXPECT_TRUE(Transfer(*bystander.client, *bystander.server, {"unharmed"}));
  }
}

TEST_P(NearcallConformanceTest, RandomBytesEndTheirOwnConnectionOnly) {
  if (!subject().byte_stream) GTEST_SKIP() << "not a byte stream";
  auto listener = Listen();
  ASSERT_NE(listener, nullptr);
  ConformancePair bystander = Establish(*listener);
  ASSERT_NE(bystander.server, nullptr);
  std::mt19937_64 random(seed());
  for (int i = 0; i < 50; ++i) {
    auto forgery = std::make_shared<Forgery>();
    ConformancePair pair = EstablishForging(*listener, forgery);
    ASSERT_NE(pair.server, nullptr);
    std::string bytes = Pattern(1 + random() % 200, random());
    if (i % 2 == 0) bytes = Header(static_cast<uint32_t>(random() % 100)) + bytes;  // gets a little further
    forgery->Set(bytes);
    SendFrame(*pair.client, "replaced");
    pair.client.reset();
    EXPECT_GE(ReceiveToTheEnd(*pair.server), 0) << "it ends; seed " << seed();
    EXPECT_FALSE(pair.server->status().ok());
  }
  EXPECT_TRUE(Transfer(*bystander.client, *bystander.server, {"unharmed"}));
}

TEST_P(NearcallConformanceTest, AViolationIsSeenAtOnceAndClosesBothDirections) {
  if (!subject().byte_stream) GTEST_SKIP() << "not a byte stream";
  auto listener = Listen();
  ASSERT_NE(listener, nullptr);
  auto forgery = std::make_shared<Forgery>();
  ConformancePair pair = EstablishForging(*listener, forgery);
  ASSERT_NE(pair.server, nullptr);
  forgery->Set(Header(0xffffffffu));
  ASSERT_NE(SendFrame(*pair.client, "replaced"), Io::kClosed);
  std::string frame;
  EXPECT_EQ(ReceiveFrame(*pair.server, &frame), Io::kClosed) << "although the peer is still there";
  absl::Span<char> space;
  EXPECT_EQ(pair.server->Reserve(1, &space), Io::kClosed);
  EXPECT_EQ(ReceiveToTheEnd(*pair.client), 0);
  EXPECT_EQ(pair.client->status().code(), absl::StatusCode::kUnavailable) << pair.client->status();
}

}  // namespace
}  // namespace nearcall
