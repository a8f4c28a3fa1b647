// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// Many channels and what they leave behind: nothing. Idle ones that are used again.
#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "nearcall/tests/rpc/rpc_test_util.h"

namespace nearcall::test {
namespace {

int Threads() { return static_cast<int>(FilesIn("/proc/self/task").size()); }

class ConnectionsTest : public EachTransport {};
NEARCALL_EACH_TRANSPORT(ConnectionsTest);

TEST_P(ConnectionsTest, HundredChannelsComeAndGo) {
  ProbeService service;
  auto server = Serve(service, Address());
  const ProbeStub keeper(Dial(Address()));
  ASSERT_TRUE(keeper.Unary(Message()).Wait().ok());
  const int descriptors = OpenDescriptors();
  for (int round = 0; round < 2; ++round) {
    std::vector<Channel> channels;
    for (int i = 0; i < 100; ++i) channels.push_back(Dial(Address()));
    std::vector<Call<Message>> calls;
    for (const Channel& channel : channels) calls.push_back(ProbeStub(channel).Unary(Text("x")));
    for (Call<Message>& call : calls) {
      absl::StatusOr<Message> reply = call.Wait();
      ASSERT_TRUE(reply.ok()) << reply.status();
    }
    // Idle, then used again, in another order.
    for (size_t i = channels.size(); i-- > 0;) EXPECT_TRUE(ProbeStub(channels[i]).Unary(Text("y")).Wait().ok());
    EXPECT_LT(Threads(), 60) << "threads do not grow with connections";
    calls.clear();
    channels.clear();
    EXPECT_TRUE(Eventually([&] { return OpenDescriptors() <= descriptors; }))
        << OpenDescriptors() << " descriptors are open, " << descriptors << " were before";
  }
  EXPECT_TRUE(keeper.Unary(Message()).Wait().ok());
}

TEST_P(ConnectionsTest, CopiesShareTheConnection) {
  ProbeService service;
  auto server = Serve(service, Address());
  const Channel channel = Dial(Address());
  ASSERT_TRUE(ProbeStub(channel).Unary(Message()).Wait().ok());
  const int descriptors = OpenDescriptors();
  std::vector<Channel> copies(50, channel);
  for (const Channel& copy : copies) {
    EXPECT_NE(copy.transport(), "");
    EXPECT_TRUE(ProbeStub(copy).Unary(Message()).Wait().ok());
  }
  // Each end makes one more when it first sleeps in a poll instead of its receive call.
  EXPECT_LE(OpenDescriptors(), descriptors + 2);
}

TEST_P(ConnectionsTest, ServersLeaveNothingBehind) {
  {
    ProbeService service;
    auto server = Serve(service, Address());
    ASSERT_TRUE(ProbeStub(Dial(Address())).Unary(Message()).Wait().ok());
  }
  const int descriptors = OpenDescriptors();
  const int threads = Threads();
  for (int i = 0; i < 20; ++i) {
    ProbeService service;
    auto server = Serve(service, Address());
    const ProbeStub stub(Dial(Address()));
    ASSERT_TRUE(stub.Unary(Message()).Wait().ok());
    auto duplex = stub.Duplex();  // left open
    if (i % 2 == 0) server.reset();
  }
  EXPECT_TRUE(Eventually([&] { return OpenDescriptors() <= descriptors; }))
      << OpenDescriptors() << " after " << descriptors;
  EXPECT_TRUE(Eventually([&] { return Threads() <= threads; })) << Threads() << " after " << threads;
  EXPECT_THAT(FilesIn(directory().path()), ::testing::IsEmpty());
}

TEST_P(ConnectionsTest, ThreadsThatEachHaveAChannel) {
  ProbeService service;
  auto server = Serve(service, Address());
  std::vector<std::thread> threads;
  std::atomic<int> failed{0};
  for (int t = 0; t < 10; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 20; ++i) {
        const ProbeStub stub(Dial(Address()));
        if (!stub.Unary(Message()).Wait().ok()) ++failed;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(failed, 0);
}

TEST_P(ConnectionsTest, WaitForConnected) {
  ProbeService service;
  auto server = Serve(service, Address());
  Channel channel = Dial(Address());
  EXPECT_EQ(channel.transport(), "");
  EXPECT_TRUE(channel.WaitForConnected(absl::Seconds(10)));
  EXPECT_NE(channel.transport(), "");
  server.reset();
  EXPECT_TRUE(Eventually([&] { return channel.transport().empty(); }));
  EXPECT_FALSE(channel.WaitForConnected(absl::Milliseconds(20)));
}

}  // namespace
}  // namespace nearcall::test
