// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0

#include "nearcall/transports/conformance/conformance.h"

#include <stdlib.h>

#include <cstdio>
#include <filesystem>
#include <random>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "nearcall/transports/conformance/drive.h"

namespace nearcall {
namespace {

// Sockets' paths are limited to 107 bytes, and Bazel's own directory for tests is longer than that.
std::string NewDirectory() {
  const char* base = ::getenv("TMPDIR");
  std::string name = absl::StrCat(base != nullptr && *base != '\0' ? base : "/tmp", "/nearcall-XXXXXX");
  return ::mkdtemp(name.data()) == nullptr ? "" : name;
}

// NEARCALL_SEED repeats a run.
uint64_t Seed() {
  uint64_t seed = 0;
  const char* given = ::getenv("NEARCALL_SEED");
  if (given == nullptr || !absl::SimpleAtoi(given, &seed)) seed = std::random_device()();
  return seed;
}

}  // namespace

std::vector<ConformanceCase> ConformanceCases(const ConformanceSubject& subject) {
  if (!subject.byte_stream) return {{subject, IoMode::kNormal}};
  return {{subject, IoMode::kNormal}, {subject, IoMode::kOneByte}, {subject, IoMode::kRandom}};
}

void ConformanceTest::SetUp() {
  seed_ = Seed();
  directory_ = NewDirectory();
  ASSERT_NE(directory_, "") << "no directory could be made";
  transport_ = subject().transport();
  address_ = subject().address(directory_);
  LeakAudit::Options options;
  options.directory = directory_;
  options.may_remain = subject().may_remain;
  audit_ = std::make_unique<LeakAudit>(options);
  if (subject().byte_stream) {
    internal::SetByteIoDecoratorForTest([this](std::unique_ptr<ByteIo> io) { return Decorate(std::move(io)); });
  }
}

void ConformanceTest::TearDown() {
  internal::SetByteIoDecoratorForTest(nullptr);
  if (audit_ != nullptr) {
    EXPECT_EQ(audit_->Compare(), "") << "left over";
  }
  if (!directory_.empty()) std::filesystem::remove_all(directory_);
  if (HasFailure() && GetParam().mode == IoMode::kRandom) {
    std::printf("repeat with NEARCALL_SEED=%llu\n", static_cast<unsigned long long>(seed_));
  }
}

std::unique_ptr<ByteIo> ConformanceTest::Decorate(std::unique_ptr<ByteIo> io) {
  // Called under the hook's lock: one at a time.
  return SplitIo(std::move(io), GetParam().mode, seed_ + 1000 * ++decorated_);
}

std::unique_ptr<Listener> ConformanceTest::Listen() {
  absl::StatusOr<std::unique_ptr<Listener>> listener = transport().Listen(address());
  if (!listener.ok()) {
    ADD_FAILURE() << "Listen: " << listener.status();
    return nullptr;
  }
  return *std::move(listener);
}

ConformancePair ConformanceTest::Establish(Listener& listener) {
  ConformancePair pair;
  absl::StatusOr<std::unique_ptr<Endpoint>> client = transport().Connect(listener.address());
  if (!client.ok()) {
    ADD_FAILURE() << "Connect: " << client.status();
    return pair;
  }
  pair.client = *std::move(client);
  // The first frame travels with whatever the transport's handshake sends, so Accept() may need it. And a client that
  // was here before and left may be the first to be accepted.
  const std::string hello = absl::StrCat("hello ", ++established_);
  std::vector<std::unique_ptr<Endpoint>> accepted;
  bool committed = false;
  const bool met = Eventually([&] {
    absl::Span<char> space;
    if (!committed && pair.client->Reserve(hello.size(), &space) == Io::kOk) {
      std::copy(hello.begin(), hello.end(), space.begin());
      committed = pair.client->Commit(hello.size(), {}) == Io::kOk;
    }
    if (committed) static_cast<void>(pair.client->Flush());
    absl::StatusOr<std::unique_ptr<Endpoint>> next = listener.Accept();
    if (!next.ok()) ADD_FAILURE() << "Accept: " << next.status();
    if (next.ok() && *next != nullptr) accepted.push_back(*std::move(next));
    for (std::unique_ptr<Endpoint>& end : accepted) {
      Frame frame;
      if (end->Borrow(&frame) != Io::kOk) continue;
      const bool ours = absl::string_view(frame.bytes.data(), frame.bytes.size()) == hello;
      end->Release();
      if (!ours) continue;
      pair.server = std::move(end);
      return true;
    }
    return !next.ok() || !pair.client->status().ok();
  });
  if (!met || pair.server == nullptr) {
    ADD_FAILURE() << "not accepted; the client says: " << pair.client->status();
    return ConformancePair();
  }
  EXPECT_TRUE(Transfer(*pair.server, *pair.client, {"welcome"}));
  return pair;
}

ConformancePair ConformanceTest::EstablishForging(Listener& listener, std::shared_ptr<Forgery> forgery) {
  // The hook sees both ends and cannot tell them apart, but Connect() makes the first.
  internal::SetByteIoDecoratorForTest([this, forgery, first = true](std::unique_ptr<ByteIo> io) mutable {
    io = Decorate(std::move(io));
    return std::exchange(first, false) ? ForgingIo(std::move(io), forgery) : std::move(io);
  });
  ConformancePair pair = Establish(listener);
  internal::SetByteIoDecoratorForTest([this](std::unique_ptr<ByteIo> io) { return Decorate(std::move(io)); });
  return pair;
}

}  // namespace nearcall
