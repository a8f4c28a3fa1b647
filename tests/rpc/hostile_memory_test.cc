// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// A process that rewrites every shared byte without pause, as client of a real server and as server of a real channel:
// no crash, no call that outlives its deadline by a second, and nobody else's calls disturbed.
#include <gtest/gtest.h>
#include <poll.h>

#include <atomic>
#include <cstring>
#include <memory>
#include <random>
#include <thread>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "nearcall/tests/rpc/rpc_test_util.h"
#include "nearcall/tests/transports/process_util.h"
#include "nearcall/tests/transports/rendezvous_util.h"
#include "nearcall/transports/rendezvous/greeting.h"
#include "nearcall/transports/rendezvous/process_fd.h"
#include "nearcall/transports/ring/futex.h"
#include "nearcall/transports/ring/ring_memory.h"
#include "nearcall/transports/shm_ring/memfd.h"

namespace nearcall::test {
namespace {

using internal::Greeting;
using internal::GreetingKind;
using internal::GreetingReader;
using internal::GreetingWriter;
using internal::RingMemory;
using internal::RingWords;

constexpr int64_t kFor = 1'000'000'000;
constexpr int64_t kOneConnection = 30'000'000;  // at most; most are closed much sooner

// Every byte that the other side reads, over and over, until it closes or the time is up: noise, and now and then what
// is nearly right, so that it gets further than the first check.
void Scribble(const RingMemory& memory, int socket, std::mt19937_64& random, int64_t end) {
  const size_t all = RingMemory::SizeFor(memory.capacity());
  char* const base = reinterpret_cast<char*>(memory.words(RingMemory::kToServer));
  auto* const numbers = reinterpret_cast<volatile uint64_t*>(base);
  for (uint64_t round = random(); MonotonicNanos() < end; ++round) {
    pollfd gone = {socket, POLLRDHUP, 0};
    if (::poll(&gone, 1, 0) > 0) return;
    const uint64_t pick = random();
    for (const auto way : {RingMemory::kToServer, RingMemory::kToClient}) {
      RingWords* const words = memory.words(way);
      // Records of a plausible length, then a head that publishes some of them.
      if (round % 4 != 0) {
        char* const bytes = memory.bytes(way);
        for (size_t at = 0; at < memory.capacity(); at += 64) {
          const uint64_t header = round % 3 == 0 ? 48 : (pick >> (at % 32)) % 4096;
          std::memcpy(bytes + at, &header, sizeof(header));
        }
        words->head.Store(pick % memory.capacity() / 64 * 64);
      } else {
        words->head.Store(pick);
      }
      words->tail.Store(round % 2 == 0 ? 0 : pick / 16 * 16);
      words->consumer_sleeps.Store(static_cast<uint32_t>(pick % 4));
      words->producer_sleeps.Store(static_cast<uint32_t>(pick >> 8) % 4);
      words->consumer_closed.Store(round % 61 == 0 ? 1 : 0);
      internal::FutexWake(words->consumer_sleeps);
    }
    if (round % 16 == 0) {
      for (size_t i = 0; i < all / sizeof(uint64_t); ++i) numbers[i] = random();
    }
    const char wake[] = {'F', 'R', static_cast<char>(pick)};
    static_cast<void>(::send(socket, wake, sizeof(wake), MSG_DONTWAIT | MSG_NOSIGNAL) < 0);
  }
}

Greeting ShmGreeting(uint32_t ring) {
  Greeting greeting;
  greeting.media = greeting.medium = internal::kMediumShm;
  greeting.max_frame = internal::MaxFrameOf(ring);
  greeting.parameters[0] = 1;
  for (int i = 0; i < 4; ++i) greeting.parameters[4 + i] = static_cast<char>(ring >> (8 * i));
  return greeting;
}

// In a process of its own.
void HostileClient(ChildIo& io, const std::string& path) {
  std::mt19937_64 random(1);
  const int64_t end = MonotonicNanos() + kFor;
  int connections = 0;
  for (; MonotonicNanos() < end; ++connections) {
    UniqueFd socket = RawConnect(path);
    auto file = internal::MakeMemfd(RingMemory::SizeFor(internal::kMinRing));
    if (!socket.valid() || !file.ok()) break;
    auto memory = RingMemory::Map(file->get(), internal::kMinRing);
    if (!memory.ok()) break;
    Greeting greeting = ShmGreeting(internal::kMinRing);
    greeting.kind = GreetingKind::kClient;
    greeting.descriptors = 1;
    if (!RawSend(socket.get(), Encoded(greeting), {file->get()})) break;
    Scribble(*memory, socket.get(), random, std::min(end, MonotonicNanos() + kOneConnection));
  }
  io.Say(absl::StrCat(connections));
}

void HostileServer(ChildIo& io, const std::string& path) {
  std::mt19937_64 random(2);
  UniqueFd listener = RawListen(path);
  io.Say("listening");
  for (;;) {
    UniqueFd socket(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
    const int on = 1;
    ::setsockopt(socket.get(), SOL_SOCKET, SO_PASSCRED, &on, sizeof(on));
    const int fd = socket.get();
    std::unique_ptr<ByteIo> stream = NewSocketIo(std::move(socket));
    GreetingReader reader;
    GreetingReader::Result result;
    while ((result = reader.Read(*stream)) == GreetingReader::kMore) {
      pollfd readable = {fd, POLLIN, 0};
      ::poll(&readable, 1, 1000);
    }
    if (result != GreetingReader::kDone || reader.descriptors().empty()) continue;
    auto memory = RingMemory::Map(reader.descriptors().back().get(), internal::kDefaultRing);
    if (!memory.ok()) continue;
    Greeting welcome = ShmGreeting(internal::kDefaultRing);
    welcome.kind = GreetingKind::kWelcome;
    welcome.parameters = {};
    GreetingWriter writer(welcome, {});
    size_t sent;
    int error;
    static_cast<void>(writer.Write(*stream, {}, &sent, &error));
    Scribble(*memory, fd, random, MonotonicNanos() + kOneConnection);
  }
}

class HostileMemoryTest : public RpcTest {};

TEST_F(HostileMemoryTest, AClientThatRewritesEverythingDisturbsNobodyElse) {
  const std::string address = AddressOf("shm");
  // Forked before the server's threads are there; it waits for the word.
  Child hostile = Child::Run([&](ChildIo& io) {
    io.AwaitRelease();
    HostileClient(io, directory() / "server");
  });
  ProbeService service;
  auto server = Serve(service, address);
  const ProbeStub stub(Dial(address));
  hostile.Say("go");
  const int64_t end = MonotonicNanos() + kFor;
  int calls = 0;
  for (; MonotonicNanos() < end; ++calls) {
    Message message;
    message.set_number(calls);
    message.set_body(std::string(static_cast<size_t>(calls) * 37 % 5000, static_cast<char>(calls)));
    CallOptions options;
    options.set_timeout(absl::Seconds(10));
    absl::StatusOr<Message> reply = stub.Unary(message, options).Wait();
    ASSERT_TRUE(reply.ok()) << reply.status();
    ASSERT_EQ(reply->number(), message.number());
    ASSERT_EQ(reply->body(), message.body());
  }
  EXPECT_GT(calls, 0);
  int connections = 0;
  EXPECT_TRUE(absl::SimpleAtoi(hostile.Hear(), &connections));
  EXPECT_GT(connections, 1);
}

TEST_F(HostileMemoryTest, AServerThatRewritesEverythingEndsItsOwnCallsOnly) {
  const std::string path = directory() / "hostile";
  Child hostile = Child::Run([&](ChildIo& io) { HostileServer(io, path); });
  ASSERT_EQ(hostile.Hear(), "listening");
  ProbeService service;
  auto server = Serve(service, AddressOf("shm", "good"));
  const ProbeStub good(Dial(AddressOf("shm", "good")));
  const ProbeStub bad(Dial("shm:" + path));
  const int64_t end = MonotonicNanos() + kFor;
  int attempts = 0;
  for (; MonotonicNanos() < end; ++attempts) {
    CallOptions options;
    options.set_timeout(absl::Milliseconds(50));
    Message message;
    message.set_body(std::string(20'000, 'x'));
    const Stopwatch watch;
    static_cast<void>(bad.Unary(message, options).Wait());  // whatever it says
    EXPECT_LT(watch.elapsed(), absl::Milliseconds(1050));
    message.set_number(attempts);
    absl::StatusOr<Message> reply = good.Unary(message).Wait();
    ASSERT_TRUE(reply.ok()) << reply.status();
    ASSERT_EQ(reply->number(), attempts);
  }
  EXPECT_GT(attempts, 1);
}

}  // namespace
}  // namespace nearcall::test
