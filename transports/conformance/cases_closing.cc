// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// Conformance: how connections end.

#include <algorithm>

#include "nearcall/transports/conformance/conformance.h"
#include "nearcall/transports/conformance/drive.h"

namespace nearcall {
namespace {

TEST_P(NearcallConformanceTest, WhatWasFlushedArrivesBeforeTheEnd) {
  auto listener = Listen();
  ASSERT_NE(listener, nullptr);
  for (const bool by_client : {true, false}) {
    for (const bool unread : {false, true}) {
      SCOPED_TRACE(by_client ? "the client closes" : "the server closes");
      ConformancePair pair = Establish(*listener);
      ASSERT_NE(pair.server, nullptr);
      std::unique_ptr<Endpoint>& closing = by_client ? pair.client : pair.server;
      std::unique_ptr<Endpoint>& other = by_client ? pair.server : pair.client;
      // Bytes that the closing end never reads must not cost the other end what it was sent, unless its info says so.
      if (unread && other->info().may_lose_last) continue;
      if (unread) {
        ASSERT_EQ(SendFrame(*other, "never read"), Io::kOk);
      }
      const int count = std::min(5, subject().holds);
      for (int i = 0; i < count; ++i) ASSERT_EQ(SendFrame(*closing, Pattern(i * 7, i)), Io::kOk);
      closing.reset();
      // A send that fails must not either.
      absl::Span<char> space;
      EXPECT_TRUE(other->info().may_lose_last || Eventually([&] {
                    const Io io = other->Reserve(10, &space);
                    if (io == Io::kWouldBlock) return other->Wait(Side::kSend, After(kMillisecond)) == Io::kClosed;
                    return io == Io::kClosed || other->Commit(10, {}) == Io::kClosed || other->Flush() == Io::kClosed;
                  }));
      std::string frame;
      for (int i = 0; i < count; ++i) {
        ASSERT_EQ(ReceiveFrame(*other, &frame), Io::kOk) << i << ": " << other->status();
        EXPECT_EQ(frame, Pattern(i * 7, i));
      }
      EXPECT_EQ(ReceiveFrame(*other, &frame), Io::kClosed);
      EXPECT_EQ(ReceiveFrame(*other, &frame), Io::kClosed) << "for ever";
      EXPECT_EQ(other->status().code(), absl::StatusCode::kUnavailable) << other->status();
      EXPECT_NE(std::string(other->status().message()).find("peer"), std::string::npos) << other->status();
    }
  }
}

TEST_P(NearcallConformanceTest, CommittedButNotFlushedIsNotPromised) {
  auto listener = Listen();
  ASSERT_NE(listener, nullptr);
  ConformancePair pair = Establish(*listener);
  ASSERT_NE(pair.server, nullptr);
  ASSERT_EQ(SendFrame(*pair.client, "flushed"), Io::kOk);
  ASSERT_EQ(CommitFrame(*pair.client, "not flushed"), Io::kOk);
  absl::Span<char> space;
  ASSERT_EQ(pair.client->Reserve(100, &space), Io::kOk);
  pair.client.reset();
  std::string frame;
  ASSERT_EQ(ReceiveFrame(*pair.server, &frame), Io::kOk);
  EXPECT_EQ(frame, "flushed");
  EXPECT_LE(ReceiveToTheEnd(*pair.server), 1) << "whole or not at all";
}

TEST_P(NearcallConformanceTest, OwnCloseEndsBothSidesAtOnceAndTheFirstReasonStays) {
  auto listener = Listen();
  ASSERT_NE(listener, nullptr);
  ConformancePair pair = Establish(*listener);
  ASSERT_NE(pair.server, nullptr);
  EXPECT_TRUE(pair.client->status().ok());
  ASSERT_EQ(SendFrame(*pair.server, "never borrowed"), Io::kOk);
  pair.client->Close(absl::DataLossError("the first reason"));
  pair.client->Close(absl::InternalError("the second reason"));
  EXPECT_EQ(pair.client->status(), absl::DataLossError("the first reason"));
  absl::Span<char> space;
  Frame frame;
  EXPECT_EQ(pair.client->Reserve(1, &space), Io::kClosed);
  EXPECT_EQ(pair.client->Flush(), Io::kClosed);
  EXPECT_EQ(pair.client->Borrow(&frame), Io::kClosed);
  EXPECT_FALSE(pair.client->Arm(Side::kReceive));
  EXPECT_EQ(ReceiveToTheEnd(*pair.server), 0);
  EXPECT_EQ(pair.server->status().code(), absl::StatusCode::kUnavailable) << pair.server->status();
}

TEST_P(NearcallConformanceTest, ThePeerClosesAtEveryStage) {
  auto listener = Listen();
  ASSERT_NE(listener, nullptr);
  {
    SCOPED_TRACE("the client, before it sent anything");
    auto client = transport().Connect(listener->address());
    ASSERT_TRUE(client.ok()) << client.status();
    client->reset();
  }
  {
    SCOPED_TRACE("the client, with a frame reserved, then with one sent and not accepted");
    auto client = transport().Connect(listener->address());
    ASSERT_TRUE(client.ok()) << client.status();
    absl::Span<char> space;
    if (subject().answers_first) {
      EXPECT_EQ((*client)->Reserve(10, &space), Io::kWouldBlock);
    } else {
      EXPECT_TRUE(Eventually([&] { return (*client)->Reserve(10, &space) != Io::kWouldBlock; }));
      client->reset();
      client = transport().Connect(listener->address());
      ASSERT_TRUE(client.ok()) << client.status();
      EXPECT_EQ(SendFrame(**client, "gone before it is accepted"), Io::kOk) << (*client)->status();
    }
    client->reset();
  }
  {
    SCOPED_TRACE("the server, right after accepting");
    ConformancePair pair = Establish(*listener);
    ASSERT_NE(pair.server, nullptr);
    pair.server.reset();
    EXPECT_EQ(ReceiveToTheEnd(*pair.client), 0);
    EXPECT_EQ(pair.client->status().code(), absl::StatusCode::kUnavailable) << pair.client->status();
  }
  {
    SCOPED_TRACE("the server, with a frame borrowed");
    ConformancePair pair = Establish(*listener);
    ASSERT_NE(pair.server, nullptr);
    ASSERT_EQ(SendFrame(*pair.client, "borrowed"), Io::kOk);
    Frame frame;
    EXPECT_TRUE(Eventually([&] { return pair.server->Borrow(&frame) == Io::kOk; }));
    pair.server.reset();
    EXPECT_EQ(ReceiveToTheEnd(*pair.client), 0);
  }
  {
    SCOPED_TRACE("the listener, with a client that was not accepted");
    auto client = transport().Connect(listener->address());
    ASSERT_TRUE(client.ok()) << client.status();
    if (!subject().answers_first) {
      EXPECT_EQ(SendFrame(**client, "is anybody there"), Io::kOk) << (*client)->status();
    }
    listener.reset();
    EXPECT_EQ(ReceiveToTheEnd(**client), 0);
    EXPECT_EQ((*client)->status().code(), absl::StatusCode::kUnavailable) << (*client)->status();
  }
}

TEST_P(NearcallConformanceTest, OneConnectionsEndIsItsOwn) {
  auto listener = Listen();
  ASSERT_NE(listener, nullptr);
  ConformancePair stays = Establish(*listener);
  ASSERT_NE(stays.server, nullptr);
  for (int i = 0; i < 10; ++i) {
    ConformancePair goes = Establish(*listener);
    ASSERT_NE(goes.server, nullptr);
    if (i % 2 == 0) goes.client->Close(absl::AbortedError("enough"));
    if (i % 3 == 0) goes.server->Close(absl::AbortedError("enough"));
  }
  EXPECT_TRUE(Transfer(*stays.client, *stays.server, {"still", "here"}));
  listener.reset();
  EXPECT_TRUE(Transfer(*stays.server, *stays.client, {"without", "the", "listener"}));
}

}  // namespace
}  // namespace nearcall
