// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// Conformance: listening, connecting, who is at the other end.

#include <unistd.h>

#include <atomic>
#include <thread>

#include "absl/strings/match.h"
#include "nearcall/transports/api/poll.h"
#include "nearcall/transports/conformance/conformance.h"
#include "nearcall/transports/conformance/drive.h"

namespace nearcall {
namespace {

TEST_P(NearcallConformanceTest, InfoSaysWhoAndWhat) {
  auto listener = Listen();
  ASSERT_NE(listener, nullptr);
  EXPECT_TRUE(address().scheme == transport().scheme() || !transport().scheme().empty());
  EXPECT_EQ(listener->address().scheme, address().scheme);
  EXPECT_GE(listener->fd(), 0);
  ConformancePair pair = Establish(*listener);
  ASSERT_NE(pair.server, nullptr);
  for (const Endpoint* end : {pair.client.get(), pair.server.get()}) {
    const EndpointInfo& info = end->info();
    EXPECT_FALSE(info.transport.empty());
    EXPECT_GE(info.max_fds, 0);
    EXPECT_LE(info.max_fds, 16);
    // Both ends are this process. Identity is what the kernel says, or absent.
    if (!info.peer.has_value()) continue;
    EXPECT_EQ(info.peer->uid, ::geteuid());
    EXPECT_EQ(info.peer->gid, ::getegid());
    EXPECT_EQ(info.peer->pid, ::getpid());
  }
  EXPECT_EQ(pair.client->info().peer.has_value(), pair.server->info().peer.has_value());
}

TEST_P(NearcallConformanceTest, ConnectingToNobodyShowsAsClosed) {
  for (int i = 0; i < 2; ++i) {
    absl::StatusOr<std::unique_ptr<Endpoint>> client = transport().Connect(address());
    ASSERT_TRUE(client.ok()) << "no peer shows as kClosed: " << client.status();
    std::string frame;
    EXPECT_EQ(ReceiveFrame(**client, &frame), Io::kClosed);
    absl::Span<char> space;
    EXPECT_EQ((*client)->Reserve(1, &space), Io::kClosed);
    EXPECT_EQ((*client)->status().code(), absl::StatusCode::kUnavailable) << (*client)->status();
    EXPECT_TRUE(absl::StrContains((*client)->status().message(), address().rest))
        << "names the address: " << (*client)->status();
    // The second time after a listener was there and left.
    auto listener = Listen();
    ASSERT_NE(listener, nullptr);
    ASSERT_NE(Establish(*listener).server, nullptr);
  }
}

TEST_P(NearcallConformanceTest, ASecondListenerIsRefusedAndDisturbsNobody) {
  auto listener = Listen();
  ASSERT_NE(listener, nullptr);
  ConformancePair pair = Establish(*listener);
  ASSERT_NE(pair.server, nullptr);
  for (int i = 0; i < 3; ++i) {
    absl::StatusOr<std::unique_ptr<Listener>> second = transport().Listen(listener->address());
    ASSERT_FALSE(second.ok());
    EXPECT_TRUE(second.status().code() == absl::StatusCode::kAlreadyExists ||
                second.status().code() == absl::StatusCode::kFailedPrecondition)
        << second.status();
    EXPECT_TRUE(absl::StrContains(second.status().message(), listener->address().rest)) << second.status();
  }
  EXPECT_TRUE(Transfer(*pair.client, *pair.server, {"undisturbed"}));
  ConformancePair another = Establish(*listener);
  ASSERT_NE(another.server, nullptr);
  listener.reset();
  auto again = Listen();
  ASSERT_NE(again, nullptr) << "free again once the first has gone";
  EXPECT_NE(Establish(*again).server, nullptr);
}

TEST_P(NearcallConformanceTest, AcceptWithNobodyThereIsNull) {
  auto listener = Listen();
  ASSERT_NE(listener, nullptr);
  pollfd readable = {listener->fd(), POLLIN, 0};
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(PollUntil(absl::MakeSpan(&readable, 1), 0), 0) << "readable only when Accept() is worth a try";
    auto nobody = listener->Accept();
    ASSERT_TRUE(nobody.ok()) << nobody.status();
    EXPECT_EQ(*nobody, nullptr);
    ASSERT_NE(Establish(*listener).server, nullptr);
    static_cast<void>(listener->Accept());
  }
}

TEST_P(NearcallConformanceTest, AHundredConnections) {
  const int count = subject().connections;
  auto listener = Listen();
  ASSERT_NE(listener, nullptr);
  std::vector<ConformancePair> pairs;
  for (int i = 0; i < count; ++i) {
    pairs.push_back(Establish(*listener));
    ASSERT_NE(pairs.back().server, nullptr) << i;
  }
  for (int i = 0; i < count; ++i) {
    ASSERT_EQ(SendFrame(*pairs[i].client, Pattern(20, i)), Io::kOk);
    ASSERT_EQ(SendFrame(*pairs[i].server, Pattern(30, i)), Io::kOk);
  }
  std::string frame;
  for (int i = count - 1; i >= 0; --i) {
    ASSERT_EQ(ReceiveFrame(*pairs[i].client, &frame), Io::kOk);
    EXPECT_EQ(frame, Pattern(30, i));
    ASSERT_EQ(ReceiveFrame(*pairs[i].server, &frame), Io::kOk);
    EXPECT_EQ(frame, Pattern(20, i));
  }
}

TEST_P(NearcallConformanceTest, AStormOfConnects) {
  constexpr int kThreads = 8;
  const int each = one_byte() ? 5 : 25;
  auto listener = Listen();
  ASSERT_NE(listener, nullptr);
  std::atomic<int> answered{0};
  std::atomic<int> ended{0};
  std::vector<std::thread> clients;
  for (int t = 0; t < kThreads; ++t) {
    clients.emplace_back([&, t] {
      for (int i = 0; i < each; ++i) {
        auto client = transport().Connect(listener->address());
        std::string frame;
        if (client.ok() && SendFrame(**client, Pattern(10, t)) == Io::kOk &&
            ReceiveFrame(**client, &frame) == Io::kOk && frame == Pattern(10, t)) {
          ++answered;
        } else {
          ADD_FAILURE() << (client.ok() ? (*client)->status() : client.status());
        }
      }
      ++ended;
    });
  }
  // Echoes, one thread for all, until the clients have gone.
  std::vector<std::unique_ptr<Endpoint>> servers;
  EXPECT_TRUE(Eventually([&] {
    for (;;) {
      auto accepted = listener->Accept();
      if (!accepted.ok()) ADD_FAILURE() << accepted.status();
      if (!accepted.ok() || *accepted == nullptr) break;
      servers.push_back(*std::move(accepted));
    }
    for (auto& server : servers) {
      Frame frame;
      while (server->Borrow(&frame) == Io::kOk) {
        static_cast<void>(CommitFrame(*server, absl::string_view(frame.bytes.data(), frame.bytes.size())));
        server->Release();
      }
      if (server->status().ok()) static_cast<void>(server->Flush());
    }
    std::erase_if(servers, [](const auto& server) { return !server->status().ok(); });
    return ended == kThreads;
  }));
  for (std::thread& client : clients) client.join();
  EXPECT_EQ(answered, kThreads * each);
}

}  // namespace
}  // namespace nearcall
