// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// What mq: and mmap: do beside moving frames: hostile queues and files, limits, what is left over.
#include <fcntl.h>
#include <mqueue.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "nearcall/tests/transports/process_util.h"
#include "nearcall/tests/transports/rendezvous_util.h"
#include "nearcall/transports/conformance/drive.h"
#include "nearcall/transports/mapped_file/mapped_file.h"
#include "nearcall/transports/mapped_file/sigbus_guard.h"
#include "nearcall/transports/message_queue/message_queue.h"
#include "nearcall/transports/message_queue/queue.h"
#include "nearcall/transports/rendezvous/listener.h"
#include "nearcall/transports/ring/ring_memory.h"

namespace nearcall::internal {
namespace {

using test::Child;
using test::ChildIo;
using test::TempDir;

#define EXPECT_HAS(text, part) EXPECT_TRUE(absl::StrContains(text, part)) << (text) << "\nhas not: " << (part)

constexpr uint32_t kRing = kMinRing;
constexpr size_t kSize = RingMemory::SizeFor(kRing);

Greeting Proposal(MediumBit medium, uint32_t max_frame, uint32_t parameter) {
  Greeting greeting = test::ClientGreeting();
  greeting.media = greeting.medium = medium;
  greeting.max_frame = max_frame;
  greeting.parameters[0] = 1;
  for (int i = 0; i < 4; ++i) greeting.parameters[4 + i] = static_cast<char>(parameter >> (8 * i));
  return greeting;
}
Greeting FileProposal() { return Proposal(kMediumFile, MaxFrameOf(kRing), kRing); }
Greeting QueueProposal() { return Proposal(kMediumQueue, kQueueMessage - 4, kDefaultMessages); }

bool Greet(int socket, Greeting greeting, const std::vector<int>& fds) {
  greeting.descriptors = static_cast<uint8_t>(fds.size());
  return test::RawSend(socket, test::Encoded(greeting), fds);
}

// What the server notes about a client that offers this; "(accepted)" where it does not refuse.
std::string Refusal(Listener& listener, const Greeting& proposal, const std::vector<int>& fds) {
  auto& rendezvous = dynamic_cast<RendezvousListener&>(listener);
  const int64_t failures = rendezvous.failures();
  UniqueFd client = test::RawConnect(listener.address().rest);
  EXPECT_TRUE(Greet(client.get(), proposal, fds));
  std::string said = "(nothing)";
  Eventually([&] {
    auto accepted = listener.Accept();
    if (accepted.ok() && *accepted != nullptr) said = "(accepted)";
    if (rendezvous.failures() != failures) said = rendezvous.last_failure();
    return said != "(nothing)";
  });
  return said;
}

template <class T>
std::unique_ptr<Listener> ListenAt(const std::string& address) {
  auto listener = T().Listen(*ParseAddress(address));
  EXPECT_TRUE(listener.ok()) << listener.status();
  return listener.ok() ? *std::move(listener) : nullptr;
}

template <class T>
std::unique_ptr<Endpoint> DialAndSend(Listener& listener, std::unique_ptr<Endpoint>* server) {
  auto client = T().Connect(listener.address());
  EXPECT_TRUE(client.ok()) << client.status();
  static_cast<void>((*client)->Flush());
  *server = AcceptOne(listener);
  EXPECT_NE(*server, nullptr);
  EXPECT_TRUE(Transfer(**client, **server, {"hello"}));
  return *std::move(client);
}

// ---- mmap

TEST(MappedFile, APeerThatTruncatesEndsItsOwnConnectionOnly) {
  const TempDir dir;
  auto listener = ListenAt<MappedFileTransport>("mmap:" + dir / "socket");
  std::unique_ptr<Endpoint> good_server;
  auto good = DialAndSend<MappedFileTransport>(*listener, &good_server);
  // What the server is about to do when the file goes.
  const struct {
    const char* what;
    std::function<Io(Endpoint&)> act;
  } kCases[] = {
      {"look for a frame",
       [](Endpoint& end) {
         Frame frame;
         return end.Borrow(&frame);
       }},
      {"send",
       [](Endpoint& end) {
         absl::Span<char> space;
         Io io = end.Reserve(1000, &space);
         if (io == Io::kOk) std::memset(space.data(), 'x', space.size());
         if (io == Io::kOk) io = end.Commit(1000, {});
         return io == Io::kOk ? end.Flush() : io;
       }},
      {"sleep", [](Endpoint& end) { return end.Wait(Side::kReceive, After(10 * kMillisecond)); }},
  };
  for (const auto& each : kCases) {
    SCOPED_TRACE(each.what);
    UniqueFd file(::open(dir.path().c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
    ASSERT_EQ(::ftruncate(file.get(), kSize), 0);
    UniqueFd client = test::RawConnect(dir / "socket");
    ASSERT_TRUE(Greet(client.get(), FileProposal(), {file.get()}));
    auto server = AcceptOne(*listener);
    ASSERT_NE(server, nullptr);
    ASSERT_EQ(::ftruncate(file.get(), 0), 0);
    EXPECT_TRUE(Eventually([&] { return each.act(*server) == Io::kClosed; }));
    EXPECT_EQ(server->status().code(), absl::StatusCode::kInternal) << server->status();
    EXPECT_HAS(std::string(server->status().message()), "truncated");
  }
  EXPECT_TRUE(Transfer(*good, *good_server, {"undisturbed", ""}));
}

TEST(MappedFile, FilesThatAreNotAsTheyMustBeAreRefused) {
  const TempDir dir;
  auto listener = ListenAt<MappedFileTransport>("mmap:" + dir / "socket");
  const auto file = [&](int flags, off_t size) {
    UniqueFd made(::open(dir.path().c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
    EXPECT_EQ(::ftruncate(made.get(), size), 0);
    if (flags == O_RDWR) return made;
    return UniqueFd(::open(absl::StrCat("/proc/self/fd/", made.get()).c_str(), flags | O_CLOEXEC));
  };
  UniqueFd small = file(O_RDWR, 4096), read_only = file(O_RDONLY, kSize), good = file(O_RDWR, kSize);
  UniqueFd zero(::open("/dev/zero", O_RDWR | O_CLOEXEC)), proc(::open("/proc/self/comm", O_RDWR | O_CLOEXEC));
  EXPECT_HAS(Refusal(*listener, FileProposal(), {small.get()}), "has 4096 bytes instead of");
  EXPECT_HAS(Refusal(*listener, FileProposal(), {read_only.get()}), "not open for reading and writing");
  EXPECT_HAS(Refusal(*listener, FileProposal(), {zero.get()}), "not a regular file");
  EXPECT_HAS(Refusal(*listener, FileProposal(), {proc.get()}), "pages may never come");
  EXPECT_HAS(Refusal(*listener, FileProposal(), {}), "0 descriptors");
  EXPECT_EQ(Refusal(*listener, FileProposal(), {good.get()}), "(accepted)");
}

TEST(MappedFile, ALimitOfFileSizesIsReadAndNotExceeded) {
  const TempDir dir;
  auto listener = ListenAt<MappedFileTransport>("mmap:" + dir / "socket");
  Child child = Child::Run([&](ChildIo& io) {
    const rlimit limit = {4096, 4096};
    ::setrlimit(RLIMIT_FSIZE, &limit);
    io.Say(MappedFileTransport().Connect(listener->address()).status().ToString());
  });
  const std::string said = child.Hear();
  EXPECT_HAS(said, "RESOURCE_EXHAUSTED");
  EXPECT_HAS(said, "RLIMIT_FSIZE, which is 4096");
  EXPECT_EQ(child.Finish(), 0) << "no SIGXFSZ";
}

// A page of a file that is gone, in nobody's ring.
volatile char* Missing() {
  UniqueFd file(::memfd_create("missing", MFD_CLOEXEC));
  EXPECT_EQ(::ftruncate(file.get(), 4096), 0);
  void* const page = ::mmap(nullptr, 4096, PROT_READ, MAP_SHARED, file.get(), 0);
  EXPECT_EQ(::ftruncate(file.get(), 0), 0);
  return static_cast<volatile char*>(page);
}

std::unique_ptr<MappingGuard> SomeGuard() {
  void* const page = ::mmap(nullptr, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  auto guard = NewSigbusGuard(page, 4096);
  EXPECT_TRUE(guard.ok()) << guard.status();
  return *std::move(guard);
}

TEST(SigbusGuard, WhatIsNotGuardedGoesToTheHandlerThatWasThere) {
  Child child = Child::Run([](ChildIo& io) {
    static ChildIo* to = &io;
    struct sigaction own = {};
    own.sa_sigaction = [](int, siginfo_t*, void*) {
      to->Say("the other handler");
      ::_exit(7);
    };
    own.sa_flags = SA_SIGINFO;
    ::sigaction(SIGBUS, &own, nullptr);
    const auto guard = SomeGuard();
    io.Say(std::string(1, *Missing()));
  });
  EXPECT_EQ(child.Hear(), "the other handler");
  EXPECT_EQ(WEXITSTATUS(child.Finish()), 7);
}

TEST(SigbusGuard, WithoutOneItIsTheEndAsEver) {
  Child child = Child::Run([](ChildIo& io) {
    ::signal(SIGBUS, SIG_DFL);
    const auto guard = SomeGuard();
    io.Say(std::string(1, *Missing()));
  });
  EXPECT_EQ(child.Hear(), "");
  const int status = child.Finish();
  EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGBUS) << status;
}

// ---- mq

TEST(MessageQueue, QueuesThatAreNotAsTheyMustBeAreRefused) {
  const TempDir dir;
  auto listener = ListenAt<MessageQueueTransport>("mq:" + dir / "socket");
  auto two = MakeQueue(kDefaultMessages), other = MakeQueue(kDefaultMessages), four = MakeQueue(4);
  ASSERT_TRUE(two.ok() && other.ok() && four.ok());
  UniqueFd zero(::open("/dev/zero", O_RDWR | O_CLOEXEC));
  EXPECT_HAS(Refusal(*listener, QueueProposal(), {two->get(), zero.get()}), "its message queue is not one");
  EXPECT_HAS(Refusal(*listener, QueueProposal(), {two->get(), four->get()}), "holds 4 messages of 4100 bytes instead");
  EXPECT_HAS(Refusal(*listener, QueueProposal(), {two->get()}), "1 descriptors instead of two queues");
  EXPECT_HAS(Refusal(*listener, Proposal(kMediumQueue, kQueueMessage - 4, 1), {two->get(), other->get()}),
             "1 messages");
  EXPECT_EQ(Refusal(*listener, QueueProposal(), {two->get(), other->get()}), "(accepted)");
}

TEST(MessageQueue, BadMessagesEndTheirOwnConnectionOnly) {
  const TempDir dir;
  auto listener = ListenAt<MessageQueueTransport>("mq:" + dir / "socket");
  std::unique_ptr<Endpoint> good_server;
  auto good = DialAndSend<MessageQueueTransport>(*listener, &good_server);
  for (const std::string& message : {std::string("abc"), std::string("\xff\xff\0\0abcd", 8), std::string()}) {
    auto up = MakeQueue(kDefaultMessages), down = MakeQueue(kDefaultMessages);
    ASSERT_TRUE(up.ok() && down.ok());
    UniqueFd client = test::RawConnect(dir / "socket");
    ASSERT_TRUE(Greet(client.get(), QueueProposal(), {up->get(), down->get()}));
    auto server = AcceptOne(*listener);
    ASSERT_NE(server, nullptr);
    ASSERT_EQ(::mq_send(up->get(), message.data(), message.size(), 0), 0);
    EXPECT_EQ(ReceiveToTheEnd(*server), 0);
    EXPECT_EQ(server->status().code(), message.empty() ? absl::StatusCode::kUnavailable : absl::StatusCode::kInternal)
        << server->status();
  }
  EXPECT_TRUE(Transfer(*good, *good_server, {"undisturbed", ""}));
}

// The flags are of what both sides share: a peer that clears O_NONBLOCK, or sets it, changes nothing.
TEST(MessageQueue, APeerCannotMakeTheOtherBlock) {
  const TempDir dir;
  auto listener = ListenAt<MessageQueueTransport>("mq:" + dir / "socket");
  auto up = MakeQueue(kDefaultMessages), down = MakeQueue(kDefaultMessages);
  ASSERT_TRUE(up.ok() && down.ok());
  UniqueFd client = test::RawConnect(dir / "socket");
  ASSERT_TRUE(Greet(client.get(), QueueProposal(), {up->get(), down->get()}));
  auto server = AcceptOne(*listener);
  ASSERT_NE(server, nullptr);
  for (const long flags : {0L, long{O_NONBLOCK}}) {
    const mq_attr attributes = {flags, 0, 0, 0, {}};
    ASSERT_EQ(::mq_setattr(up->get(), &attributes, nullptr), 0);
    ASSERT_EQ(::mq_setattr(down->get(), &attributes, nullptr), 0);
    const int64_t begun = MonotonicNanos();
    Frame frame;
    EXPECT_EQ(server->Borrow(&frame), Io::kWouldBlock);
    absl::Span<char> space;
    Io io = Io::kOk;
    for (int i = 0; i < 20 && io == Io::kOk; ++i) {
      io = server->Reserve(4000, &space);
      if (io == Io::kOk) io = server->Commit(4000, {});
      if (io == Io::kOk) io = server->Flush();
    }
    EXPECT_EQ(io, Io::kWouldBlock) << "it is full";
    EXPECT_EQ(server->Wait(Side::kReceive, After(20 * kMillisecond)), Io::kWouldBlock);
    EXPECT_LT(MonotonicNanos() - begun, 5000 * kMillisecond);
  }
}

TEST(MessageQueue, TheLimitOfQueuesIsNamed) {
  const TempDir dir;
  auto listener = ListenAt<MessageQueueTransport>("mq:" + dir / "socket");
  Child child = Child::Run([&](ChildIo& io) {
    const rlimit limit = {10'000, 10'000};
    ::setrlimit(RLIMIT_MSGQUEUE, &limit);
    io.Say(MessageQueueTransport().Connect(listener->address()).status().ToString());
  });
  const std::string said = child.Hear();
  EXPECT_HAS(said, "RESOURCE_EXHAUSTED");
  EXPECT_HAS(said, "RLIMIT_MSGQUEUE is 10000 bytes");
  EXPECT_EQ(child.Finish(), 0);
}

TEST(MessageQueue, WhatAKilledClientLeftGoesWithTheNextBind) {
  const std::string name = absl::StrCat("/nearcall-", ::geteuid(), "-63");
  mq_attr attributes = {};
  attributes.mq_maxmsg = 1;
  attributes.mq_msgsize = 16;
  UniqueFd left(::mq_open(name.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600, &attributes));
  ASSERT_TRUE(left.valid());
  const TempDir dir;
  auto listener = ListenAt<MessageQueueTransport>("mq:" + dir / "socket");
  UniqueFd again(::mq_open(name.c_str(), O_RDWR | O_CLOEXEC));
  EXPECT_FALSE(again.valid());
}

}  // namespace
}  // namespace nearcall::internal
