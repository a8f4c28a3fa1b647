// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
#include "nearcall/rpc/wire/blocks.h"

#include <gtest/gtest.h>

#include <functional>
#include <random>
#include <string>

#include "nearcall/rpc/wire/bytes.h"
#include "nearcall/rpc/wire/frame.h"

namespace nearcall::internal {
namespace {

// Each reader gets a copy that ends where the block ends: one byte too far is seen by a sanitizer.
template <class F>
bool Reading(const std::string& block, F read) {
  const Bytes exact(block.size());
  if (!block.empty()) std::memcpy(const_cast<char*>(exact.data()), block.data(), block.size());
  return read(exact.span());
}

HelloBlock SomeHello() {
  HelloBlock hello;
  hello.min_version = 1;
  hello.max_version = 7;
  hello.features = 0x8000000000000001;
  hello.max_concurrent_calls = 12;
  hello.initial_credit = 1 << 20;
  hello.max_message = UINT64_MAX;
  hello.clock_ns = -5;
  return hello;
}

// Every block with its reader: what the reader accepts, and from how many bytes on.
struct Case {
  std::string name;
  std::string block;
  std::function<bool(absl::Span<const char>)> read;
};

std::vector<Case> Cases() {
  std::vector<Case> cases;
  const MetadataEntries metadata = {{"a", "1"}, {"", ""}, {"b-bin", std::string("\0\xff", 2)}};
  std::string block;
  AppendHello(SomeHello(), &block);
  cases.push_back({"hello", block, [](absl::Span<const char> b) {
                     HelloBlock hello;
                     return ReadHello(b, &hello);
                   }});
  block.clear();
  AppendCall("/a.B/C", 1234, metadata, &block);
  cases.push_back({"call", block, [](absl::Span<const char> b) {
                     CallBlock call;
                     return ReadCall(b, &call);
                   }});
  block.clear();
  absl::Status status = absl::AbortedError("why");
  status.SetPayload("url", absl::Cord("payload"));
  AppendStatus(status, metadata, &block);
  cases.push_back({"status", block, [](absl::Span<const char> b) {
                     absl::Status got;
                     absl::Span<const char> trailing;
                     return ReadStatus(b, &got, &trailing) && !b.empty();
                   }});
  block.clear();
  AppendU64(77, &block);
  cases.push_back({"number", block, [](absl::Span<const char> b) {
                     uint64_t value;
                     return ReadU64(b, &value);
                   }});
  block.clear();
  AppendDrain(5, "maintenance", &block);
  cases.push_back({"drain", block, [](absl::Span<const char> b) {
                     uint32_t last;
                     absl::string_view why;
                     return ReadDrain(b, &last, &why);
                   }});
  return cases;
}

TEST(BlocksTest, CutShortAnywhereIsRefusedLongerIsNot) {
  for (const Case& c : Cases()) {
    SCOPED_TRACE(c.name);
    for (size_t size = 0; size < c.block.size(); ++size) {
      EXPECT_FALSE(Reading(c.block.substr(0, size), c.read)) << "cut to " << size;
    }
    EXPECT_TRUE(Reading(c.block, c.read));
    EXPECT_TRUE(Reading(c.block + "what a later version appends", c.read));
  }
}

TEST(BlocksTest, AnyBytesAreReadWithinBounds) {
  std::mt19937_64 random(1);
  for (int round = 0; round < 20'000; ++round) {
    for (const Case& c : Cases()) {
      std::string block = c.block;
      for (uint64_t flips = 1 + random() % 4; flips > 0; --flips) {
        block[random() % block.size()] = static_cast<char>(random() % 3 == 0 ? 0xff : random());
      }
      Reading(block, c.read);  // whatever it says, within bounds
    }
  }
}

TEST(BlocksTest, Hello) {
  std::string block;
  AppendHello(SomeHello(), &block);
  HelloBlock got;
  ASSERT_TRUE(ReadHello(block, &got));
  EXPECT_EQ(got.min_version, 1);
  EXPECT_EQ(got.max_version, 7);
  EXPECT_EQ(got.features, 0x8000000000000001);
  EXPECT_EQ(got.max_concurrent_calls, 12u);
  EXPECT_EQ(got.initial_credit, 1u << 20);
  EXPECT_EQ(got.max_message, UINT64_MAX);
  EXPECT_EQ(got.clock_ns, -5);
  uint16_t min = 0, max = 0;
  EXPECT_TRUE(ReadHelloVersions(absl::MakeConstSpan(block).subspan(0, 8), &min, &max));
  block[0] = 'N';
  EXPECT_FALSE(ReadHello(block, &got));
}

TEST(BlocksTest, CallsOfRandomContent) {
  std::mt19937_64 random(2);
  const auto text = [&random](size_t most) {
    std::string bytes(random() % (most + 1), '\0');
    for (char& byte : bytes) byte = static_cast<char>(random());
    return bytes;
  };
  for (int round = 0; round < 2000; ++round) {
    MetadataEntries metadata(random() % 5);
    for (auto& [key, value] : metadata) {
      key = text(20);
      value = text(round % 50 == 0 ? 5000 : 50);
    }
    const std::string path = "/" + text(100);
    const int64_t deadline = static_cast<int64_t>(random());
    std::string block = "before";  // what is there stays
    AppendCall(path, deadline, metadata, &block);
    ASSERT_EQ(block.substr(0, 6), "before");
    CallBlock call;
    ASSERT_TRUE(ReadCall(absl::MakeConstSpan(block).subspan(6), &call));
    EXPECT_EQ(call.path, path);
    EXPECT_EQ(call.deadline_ns, deadline);
    MetadataEntries got = {{"kept", ""}};
    ASSERT_TRUE(ReadMetadata(call.metadata, &got));
    got.erase(got.begin());
    EXPECT_EQ(got, metadata);
  }
}

TEST(BlocksTest, NothingIsZeroBytes) {
  std::string block;
  AppendMetadata({}, &block);
  AppendStatus(absl::OkStatus(), {}, &block);
  EXPECT_TRUE(block.empty());
  MetadataEntries metadata;
  EXPECT_TRUE(ReadMetadata({}, &metadata));
  absl::Status status = absl::AbortedError("before");
  absl::Span<const char> trailing;
  EXPECT_TRUE(ReadStatus({}, &status, &trailing));
  EXPECT_TRUE(status.ok());
  EXPECT_TRUE(trailing.empty());
}

TEST(BlocksTest, StatusWithAllItsParts) {
  for (int code = 0; code <= 16; ++code) {
    absl::Status status(static_cast<absl::StatusCode>(code), std::string("zero \0 inside", 13));
    if (!status.ok()) {
      status.SetPayload("type.googleapis.com/a", absl::Cord(std::string("\0\1", 2)));
      status.SetPayload("type.googleapis.com/b", absl::Cord(""));
    }
    const MetadataEntries trailing = {{"k", std::string(code, 'x')}};
    std::string block;
    AppendStatus(status, trailing, &block);
    absl::Status got;
    absl::Span<const char> encoded;
    ASSERT_TRUE(ReadStatus(block, &got, &encoded));
    EXPECT_EQ(got, status);
    MetadataEntries read;
    ASSERT_TRUE(ReadMetadata(encoded, &read));
    EXPECT_EQ(read, trailing);
  }
}

TEST(BlocksTest, AnUnknownCodeIsUnknown) {
  for (const uint32_t code : {17u, 100u, 0xffffffffu}) {
    std::string block;
    AppendStatus(absl::AbortedError("text"), {}, &block);
    std::memcpy(block.data(), &code, 4);
    absl::Status got;
    absl::Span<const char> trailing;
    ASSERT_TRUE(ReadStatus(block, &got, &trailing));
    EXPECT_EQ(got, absl::UnknownError("text"));
  }
}

TEST(BlocksTest, PayloadsAreBounded) {
  absl::Status status = absl::AbortedError("");
  for (int i = 0; i < 200; ++i) status.SetPayload("url" + std::to_string(i), absl::Cord("x"));
  std::string block;
  AppendStatus(status, {}, &block);
  absl::Status got;
  absl::Span<const char> trailing;
  ASSERT_TRUE(ReadStatus(block, &got, &trailing));
  size_t count = 0;
  got.ForEachPayload([&count](absl::string_view, const absl::Cord&) { ++count; });
  EXPECT_EQ(count, 128u);
}

TEST(BlocksTest, AMetadataListOfTheLargestBlockIsReadInOneGo) {
  const std::string many(kMaxBlockSize, '\0');  // 16,384 pairs of nothing
  MetadataEntries metadata;
  EXPECT_TRUE(ReadMetadata(many, &metadata));
  EXPECT_EQ(metadata.size(), kMaxBlockSize / 8);
}

TEST(FrameTest, TheHeaderIsSixteenBytesLittleEndian) {
  FrameHeader header;
  header.kind = FrameKind::kStatus;
  header.flags = kMore | kWithMessage;
  header.call_id = 0x80000102;
  header.block_size = 0x03040506;
  header.total_size = 0x0708090a;
  char bytes[kFrameHeaderSize];
  EncodeFrameHeader(header, bytes);
  EXPECT_EQ(std::string(bytes, sizeof(bytes)),
            std::string("\x06\x05\x00\x00\x02\x01\x00\x80\x06\x05\x04\x03\x0a\x09\x08\x07", 16));
  FrameHeader got;
  ASSERT_TRUE(DecodeFrameHeader(bytes, &got));
  EXPECT_EQ(got.kind, header.kind);
  EXPECT_EQ(got.flags, header.flags);
  EXPECT_EQ(got.call_id, header.call_id);
  EXPECT_EQ(got.block_size, header.block_size);
  EXPECT_EQ(got.total_size, header.total_size);
  bytes[3] = 1;
  EXPECT_FALSE(DecodeFrameHeader(bytes, &got));
}

TEST(BytesTest, OwnsWhatItIsGiven) {
  Bytes bytes;
  EXPECT_TRUE(bytes.empty());
  ASSERT_TRUE(Bytes::TryAllocate(5, &bytes));
  std::memcpy(bytes.data(), "12345", 5);
  Bytes moved = std::move(bytes);
  EXPECT_EQ(std::string(moved.span().data(), 5), "12345");
  ASSERT_TRUE(Bytes::TryAllocate(0, &moved));
  EXPECT_TRUE(moved.span().empty());
}

}  // namespace
}  // namespace nearcall::internal
