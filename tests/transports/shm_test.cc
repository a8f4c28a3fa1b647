// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// What is shm's and local:'s own: the memory that a client offers, limits, addresses, which medium it became, sleeping
// in the futex.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>
#include <fstream>
#include <functional>
#include <thread>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "nearcall/tests/transports/process_util.h"
#include "nearcall/tests/transports/rendezvous_util.h"
#include "nearcall/transports/conformance/drive.h"
#include "nearcall/transports/local/local.h"
#include "nearcall/transports/rendezvous/listener.h"
#include "nearcall/transports/ring/memory_limits.h"
#include "nearcall/transports/ring/ring_memory.h"
#include "nearcall/transports/shm_ring/shm_medium.h"
#include "nearcall/transports/shm_ring/shm_ring.h"
#include "nearcall/transports/unix_socket/unix_socket.h"

namespace nearcall::internal {
namespace {

using test::Child;
using test::ChildIo;
using test::TempDir;

#define EXPECT_HAS(text, part) EXPECT_TRUE(absl::StrContains(text, part)) << (text) << "\nhas not: " << (part)

constexpr uint32_t kRing = kMinRing;
constexpr size_t kSize = RingMemory::SizeFor(kRing);
constexpr int kSeals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;

Greeting Proposal(uint32_t ring = kRing) {
  Greeting greeting = test::ClientGreeting();
  greeting.media = greeting.medium = kMediumShm;
  greeting.max_frame = MaxFrameOf(ring);
  greeting.parameters[0] = 1;
  for (int i = 0; i < 4; ++i) greeting.parameters[4 + i] = static_cast<char>(ring >> (8 * i));
  return greeting;
}

UniqueFd Memfd(size_t size, int seals, unsigned flags = 0, bool allocate = true) {
  UniqueFd file(::memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING | flags));
  if (file.valid() && (allocate ? ::fallocate(file.get(), 0, 0, static_cast<off_t>(size))
                                : ::ftruncate(file.get(), static_cast<off_t>(size))) != 0) {
    file.Reset();
  }
  if (file.valid() && seals != 0) ::fcntl(file.get(), F_ADD_SEALS, seals);
  return file;
}

struct Offer {
  const char* what;
  std::function<UniqueFd()> file;
  const char* refusal;
};

// What the server notes about a client that offers this; "(accepted)" where it does not refuse.
std::string Refusal(RendezvousListener& listener, const std::string& path, const Greeting& proposal,
                    const std::vector<int>& fds) {
  const int64_t failures = listener.failures();
  UniqueFd client = test::RawConnect(path);
  Greeting greeting = proposal;
  greeting.descriptors = static_cast<uint8_t>(fds.size());
  EXPECT_TRUE(test::RawSend(client.get(), test::Encoded(greeting), fds));
  std::string said = "(nothing)";
  Eventually([&] {
    auto accepted = listener.Accept();
    if (accepted.ok() && *accepted != nullptr) said = "(accepted)";
    if (listener.failures() != failures) said = listener.last_failure();
    return said != "(nothing)";
  });
  if (said == "(accepted)") return said;
  bool ended = false;
  const std::string answer = test::RawReceive(client.get(), &ended);
  EXPECT_TRUE(ended);
  EXPECT_EQ(answer.size(), kGreetingSize);
  if (answer.size() == kGreetingSize) {
    EXPECT_EQ(answer[12], static_cast<char>(GreetingKind::kRefusal));
  }
  return said;
}

class Offers : public ::testing::Test {
 protected:
  void SetUp() override {
    auto made = ShmTransport().Listen(*ParseAddress("shm:" + path_));
    ASSERT_TRUE(made.ok()) << made.status();
    listener_ = *std::move(made);
  }
  RendezvousListener& listener() { return dynamic_cast<RendezvousListener&>(*listener_); }

  TempDir dir_;
  const std::string path_ = dir_ / "socket";
  std::unique_ptr<Listener> listener_;
};

TEST_F(Offers, MemoryThatIsNotAsItMustBeIsRefused) {
  const std::string disk = dir_ / "file";
  const Offer offers[] = {
      {"as it must be", [] { return Memfd(kSize, kSeals); }, "(accepted)"},
      {"not sealed", [] { return Memfd(kSize, 0); }, "is not sealed"},
      {"may shrink", [] { return Memfd(kSize, F_SEAL_GROW | F_SEAL_SEAL); }, "is not sealed"},
      {"may grow", [] { return Memfd(kSize, F_SEAL_SHRINK | F_SEAL_SEAL); }, "is not sealed"},
      {"may be sealed further", [] { return Memfd(kSize, F_SEAL_SHRINK | F_SEAL_GROW); }, "is not sealed"},
      {"read-only by seal", [] { return Memfd(kSize, kSeals | F_SEAL_WRITE); }, "sealed against writing"},
      {"a page too short", [] { return Memfd(kSize - 4096, kSeals); }, "bytes instead of"},
      {"a byte too long", [] { return Memfd(kSize + 1, kSeals); }, "bytes instead of"},
      {"empty", [] { return Memfd(0, kSeals, 0, false); }, "has 0 bytes"},
      {"sparse", [] { return Memfd(kSize, kSeals, 0, false); }, "is not allocated"},
      {"a regular file",
       [&] {
         UniqueFd file(::open(disk.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
         EXPECT_EQ(::ftruncate(file.get(), kSize), 0);
         return file;
       },
       "its shared memory is not"},
      {"/dev/zero", [] { return UniqueFd(::open("/dev/zero", O_RDWR | O_CLOEXEC)); }, "not a memfd"},
      {"a socket", [] { return UniqueFd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)); }, "not a memfd"},
      {"a directory", [] { return UniqueFd(::open("/", O_RDONLY | O_CLOEXEC)); }, "not a memfd"},
      {"opened for reading",
       [] {
         UniqueFd file = Memfd(kSize, kSeals);
         return UniqueFd(::open(absl::StrCat("/proc/self/fd/", file.get()).c_str(), O_RDONLY | O_CLOEXEC));
       },
       "is not open for reading and writing"},
  };
  for (const Offer& offer : offers) {
    SCOPED_TRACE(offer.what);
    const UniqueFd file = offer.file();
    ASSERT_TRUE(file.valid());
    EXPECT_HAS(Refusal(listener(), path_, Proposal(), {file.get()}), offer.refusal);
  }
}

TEST_F(Offers, HugePagesAreRefused) {
  UniqueFd file(::memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_HUGETLB));
  if (!file.valid() || ::ftruncate(file.get(), 2 << 20) != 0) GTEST_SKIP() << "no huge pages here";
  ::fcntl(file.get(), F_ADD_SEALS, kSeals);
  EXPECT_HAS(Refusal(listener(), path_, Proposal(), {file.get()}), "is not a memfd of plain pages");
}

TEST_F(Offers, GreetingsThatDoNotFit) {
  const UniqueFd file = Memfd(kSize, kSeals);
  EXPECT_HAS(Refusal(listener(), path_, Proposal(), {}), "came with 0 descriptors");
  EXPECT_HAS(Refusal(listener(), path_, Proposal(), {file.get(), file.get()}), "came with 2 descriptors");
  Greeting other = Proposal();
  other.parameters[0] = 2;
  EXPECT_HAS(Refusal(listener(), path_, other, {file.get()}), "has layout 2");
  other = Proposal();
  other.parameters[31] = 1;
  EXPECT_HAS(Refusal(listener(), path_, other, {file.get()}), "it proposes rings of");
  for (const uint32_t ring : {0u, 1u, kMinRing / 2, kMinRing + 1, kMinRing * 3 / 2, kMaxRing * 2, 0x80000000u, ~0u}) {
    other = Proposal(ring);
    other.max_frame = MaxFrameOf(kMinRing);
    EXPECT_HAS(Refusal(listener(), path_, other, {file.get()}), "it proposes rings of") << ring;
  }
  for (const uint32_t frame : {0u, 1u, MaxFrameOf(kMinRing) - 1, MaxFrameOf(kMinRing) + 1, ~0u}) {
    other = Proposal();
    other.max_frame = frame;
    EXPECT_HAS(Refusal(listener(), path_, other, {file.get()}), "it proposes") << frame;
  }
}

// ---- limits

// In a child: the limit stays its own.
std::string ConnectUnder(rlim_t file_size, const Address& address, Transport& transport) {
  Child child = Child::Run([&](ChildIo& io) {
    const rlimit limit = {file_size, file_size};
    ::setrlimit(RLIMIT_FSIZE, &limit);
    ::signal(SIGXFSZ, SIG_DFL);
    auto client = transport.Connect(address);
    if (!client.ok()) return io.Say(client.status().ToString());
    static_cast<void>(SendFrame(**client, "hello"));
    std::string frame;
    const Io io_result = ReceiveFrame(**client, &frame);
    io.Say(absl::StrCat((*client)->info().transport, " ", frame, io_result == Io::kOk ? "" : " closed ",
                        (*client)->status().ToString()));
    std::string end;
    static_cast<void>(ReceiveFrame(**client, &end));
    io.Say((*client)->status().ToString());
  });
  const std::string first = child.Hear();
  return absl::StrCat(first, "; ", child.Hear());
}

TEST(Limits, FileSizeIsAskedBeforeItIsASignal) {
  TempDir dir;
  ShmTransport shm;
  const std::string said = ConnectUnder(100'000, *ParseAddress("shm:" + (dir / "nobody")), shm);
  EXPECT_HAS(said, "RESOURCE_EXHAUSTED: shm:" + (dir / "nobody"));
  EXPECT_HAS(said, "over RLIMIT_FSIZE, which is 100000");
}

TEST(Limits, LocalGoesOnOverTheSocketAndSaysWhy) {
  TempDir dir;
  LocalTransport local;
  auto listener = local.Listen(*ParseAddress("local:" + (dir / "socket")));
  ASSERT_TRUE(listener.ok()) << listener.status();
  std::thread serving([&] {
    auto server = AcceptOne(**listener);
    std::string frame;
    if (server == nullptr || ReceiveFrame(*server, &frame) != Io::kOk) return;
    EXPECT_EQ(server->info().transport, "unix");
    EXPECT_EQ(SendFrame(*server, "welcome"), Io::kOk);
    server.reset();
  });
  // A child forked beside a thread: it only uses what is its own.
  const std::string said = ConnectUnder(100'000, (*listener)->address(), local);
  serving.join();
  EXPECT_HAS(said, "unix welcome");
  EXPECT_HAS(said, "(without shm: ");
  EXPECT_HAS(said, "RLIMIT_FSIZE");
}

void WriteFile(const std::string& path, const std::string& text) { std::ofstream(path) << text; }

TEST(Limits, MemoryCgroupsOfBothVersions) {
  TempDir dir;
  for (const std::string group : {"/a", "/a/b", "/memory", "/memory/x"}) {
    ASSERT_EQ(::mkdir((dir.path() + group).c_str(), 0700), 0);
  }
  const std::string v2 = "0::/a/b\n";
  const std::string v1 = "11:cpu,cpuacct:/x\n4:memory:/x\n0::/\n";
  EXPECT_EQ(CheckMemoryCgroups(v2, dir.path(), 1 << 30), absl::OkStatus()) << "nothing can be read";
  WriteFile(dir / "a/b/memory.max", "max\n");
  WriteFile(dir / "a/b/memory.current", "5000\n");
  EXPECT_EQ(CheckMemoryCgroups(v2, dir.path(), 1 << 30), absl::OkStatus()) << "no limit";
  // The parent's limit counts, and page cache does not.
  WriteFile(dir / "a/memory.max", "100000\n");
  WriteFile(dir / "a/memory.current", "90000\n");
  EXPECT_EQ(CheckMemoryCgroups(v2, dir.path(), 10'000), absl::OkStatus());
  absl::Status status = CheckMemoryCgroups(v2, dir.path(), 10'001);
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_HAS(std::string(status.message()), (dir / "a/memory.max") + " is 100000, of which 90000 are in use");
  WriteFile(dir / "a/memory.stat", "anon 10000\nfile 80000\ninactive_file 30000\nactive_file 40000\n");
  EXPECT_EQ(CheckMemoryCgroups(v2, dir.path(), 80'000), absl::OkStatus());
  EXPECT_NE(CheckMemoryCgroups(v2, dir.path(), 80'001), absl::OkStatus());
  EXPECT_NE(CheckMemoryCgroups(v2, dir.path(), ~uint64_t{0}), absl::OkStatus());
  WriteFile(dir / "memory/x/memory.limit_in_bytes", "50000\n");
  WriteFile(dir / "memory/x/memory.usage_in_bytes", "60000\n");
  status = CheckMemoryCgroups(v1, dir.path(), 1);
  EXPECT_HAS(std::string(status.message()), dir / "memory/x/memory.limit_in_bytes");
}

// ---- addresses

TEST(Addresses, SizesOfRings) {
  const auto size = [](const std::string& text) { return RingSizeOf(*ParseAddress("shm:x" + text)); };
  EXPECT_EQ(*size(""), kDefaultRing);
  EXPECT_EQ(*size("?size=16K"), 16u << 10);
  EXPECT_EQ(*size("?size=16M"), 16u << 20);
  EXPECT_EQ(*size("?size=65536"), 65536u);
  EXPECT_EQ(*size("?size=65537"), 131072u) << "rounded up";
  EXPECT_EQ(*size("?size=100K"), 128u << 10);
  for (const char* bad :
       {"", "K", "-1", "1", "15K", "17M", "4G", "64k", "0x10000", "18446744073709551615", "4294967295M"}) {
    const auto result = size(absl::StrCat("?size=", bad));
    ASSERT_FALSE(result.ok()) << bad;
    EXPECT_EQ(result.status().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_HAS(std::string(result.status().message()), absl::StrCat("size=", bad));
  }
  EXPECT_HAS(UnixTransport().Connect(*ParseAddress("unix:/x?size=64K")).status().ToString(), "size");
  EXPECT_HAS(LocalTransport().Connect(*ParseAddress("local:/x?size=1")).status().ToString(), "INVALID_ARGUMENT");
}

// ---- which medium

struct Meeting {
  std::unique_ptr<Listener> listener;
  std::unique_ptr<Endpoint> client, server;
};

Meeting Meet(Transport& serves, Transport& connects, const std::string& path) {
  Meeting met;
  auto listener = serves.Listen(*ParseAddress(absl::StrCat(serves.scheme(), ":", path)));
  EXPECT_TRUE(listener.ok()) << listener.status();
  met.listener = *std::move(listener);
  auto client = connects.Connect(*ParseAddress(absl::StrCat(connects.scheme(), ":", path)));
  EXPECT_TRUE(client.ok()) << client.status();
  met.client = *std::move(client);
  EXPECT_EQ(SendFrame(*met.client, "hello"), Io::kOk) << met.client->status();
  met.server = AcceptOne(*met.listener, 2'000 * kMillisecond, [&] { static_cast<void>(met.client->Flush()); });
  if (met.server != nullptr) {
    EXPECT_TRUE(Transfer(*met.server, *met.client, {"welcome"}));
  }
  return met;
}

TEST(Media, EveryPairOfSchemesMeetsOverTheBestThatBothHave) {
  UnixTransport plain;
  ShmTransport shm;
  LocalTransport local;
  const struct {
    Transport& serves;
    Transport& connects;
    const char* over;  // null: nothing in common
  } pairs[] = {{local, local, "shm"},  {local, shm, "shm"},   {local, plain, "unix"},
               {shm, local, "shm"},    {shm, shm, "shm"},     {plain, local, "unix"},
               {plain, plain, "unix"}, {shm, plain, nullptr}, {plain, shm, nullptr}};
  for (const auto& pair : pairs) {
    SCOPED_TRACE(absl::StrCat(pair.connects.scheme(), " to ", pair.serves.scheme()));
    TempDir dir;
    Meeting met = Meet(pair.serves, pair.connects, dir / "socket");
    if (pair.over == nullptr) {
      EXPECT_EQ(met.server, nullptr);
      EXPECT_EQ(ReceiveToTheEnd(*met.client), 0);
      EXPECT_EQ(met.client->status().code(), absl::StatusCode::kUnavailable);
      EXPECT_HAS(met.client->status().ToString(), "no common medium: the server allows ");
      continue;
    }
    ASSERT_NE(met.server, nullptr);
    EXPECT_EQ(met.client->info().transport, pair.over);
    EXPECT_EQ(met.server->info().transport, pair.over);
    std::string frame;
    EXPECT_EQ(ReceiveFrame(*met.server, &frame), Io::kOk);
    EXPECT_EQ(frame, "hello");
  }
}

TEST(Media, FirstFramesAreSentAgainInOrderOverTheSocket) {
  TempDir dir;
  UnixTransport plain;
  LocalTransport local;
  auto listener = plain.Listen(*ParseAddress("unix:" + (dir / "socket")));
  auto client = local.Connect(*ParseAddress("local:" + (dir / "socket")));
  ASSERT_TRUE(listener.ok() && client.ok());
  Endpoint& end = **client;
  for (int i = 0; i < 20; ++i) ASSERT_EQ(SendFrame(end, Pattern(1000, i)), Io::kOk);
  ASSERT_EQ(CommitFrame(end, "committed"), Io::kOk);
  absl::Span<char> space;
  ASSERT_EQ(end.Reserve(8, &space), Io::kOk);
  auto server = AcceptOne(**listener);
  ASSERT_NE(server, nullptr);
  Frame nothing;
  EXPECT_EQ(end.Borrow(&nothing), Io::kWouldBlock);  // reads the greeting and changes over
  EXPECT_EQ(end.info().transport, "unix");
  std::string frame;
  for (int i = 0; i < 20; ++i) {
    ASSERT_EQ(ReceiveFrame(*server, &frame), Io::kOk);
    ASSERT_EQ(frame, Pattern(1000, i));
  }
  EXPECT_EQ(ReceiveFrame(*server, &frame, After(10 * kMillisecond)), Io::kWouldBlock) << "was not flushed";
  std::memcpy(space.data(), "reserved", 8);
  ASSERT_EQ(end.Commit(8, {}), Io::kOk) << end.status();
  ASSERT_EQ(SendFrame(end, "last"), Io::kOk);
  for (const char* expected : {"committed", "reserved", "last"}) {
    ASSERT_EQ(ReceiveFrame(*server, &frame), Io::kOk);
    EXPECT_EQ(frame, expected);
  }
  server.reset();
  EXPECT_EQ(ReceiveToTheEnd(end), 0);
  EXPECT_HAS(end.status().ToString(), "over unix, the server did not take shm");
}

// ---- sleeping and flushing

TEST(Sleeping, ShortWaitsInTheFutexLoseNoFrame) {
  TempDir dir;
  ShmTransport shm;
  Meeting met = Meet(shm, shm, dir / "socket");
  ASSERT_NE(met.server, nullptr);
  std::string frame;
  ASSERT_EQ(ReceiveFrame(*met.server, &frame), Io::kOk);
  ASSERT_GE(met.client->TakeDeathWatch(), 0);
  ASSERT_GE(met.server->TakeDeathWatch(), 0);
  constexpr int kRounds = 3000;
  std::thread echo([&] {
    std::string got;
    for (int i = 0; i < kRounds; ++i) {
      ASSERT_EQ(ReceiveFrame(*met.server, &got), Io::kOk) << met.server->status();
      ASSERT_EQ(SendFrame(*met.server, got), Io::kOk);
    }
  });
  for (int i = 0; i < kRounds; ++i) {
    ASSERT_EQ(SendFrame(*met.client, Pattern(50, i)), Io::kOk);
    Frame borrowed;
    while (met.client->Borrow(&borrowed) == Io::kWouldBlock) {
      ASSERT_NE(met.client->Wait(Side::kReceive, After(kPatience)), Io::kWouldBlock) << i;
    }
    ASSERT_EQ(std::string(borrowed.bytes.data(), borrowed.bytes.size()), Pattern(50, i));
    met.client->Release();
  }
  echo.join();
  // The death, told by who watches for it, wakes a futex sleeper; what has come is still read.
  ASSERT_EQ(SendFrame(*met.server, "last"), Io::kOk);
  met.client->PeerDied();
  ASSERT_EQ(ReceiveFrame(*met.client, &frame), Io::kOk);
  EXPECT_EQ(frame, "last");
  EXPECT_EQ(ReceiveFrame(*met.client, &frame), Io::kClosed);
  EXPECT_HAS(met.client->status().ToString(), "the peer's process died");
}

TEST(Flushing, ClosedMeansThatNothingWasShown) {
  TempDir dir;
  ShmTransport shm;
  Meeting met = Meet(shm, shm, dir / "socket");
  ASSERT_NE(met.server, nullptr);
  absl::Span<char> space;
  // Room is awaited with frames that nobody flushed: they are shown, and the next flush does not deny it.
  while (met.client->Reserve(1000, &space) == Io::kOk) ASSERT_EQ(met.client->Commit(1000, {}), Io::kOk);
  std::string frame;
  ASSERT_EQ(ReceiveFrame(*met.server, &frame), Io::kOk);
  EXPECT_EQ(ReceiveFrame(*met.server, &frame, After(kMillisecond)), Io::kWouldBlock) << "not shown yet";
  EXPECT_EQ(met.client->Wait(Side::kSend, After(kMillisecond)), Io::kWouldBlock);
  EXPECT_EQ(ReceiveFrame(*met.server, &frame), Io::kOk);
  met.server.reset();
  EXPECT_EQ(met.client->Flush(), Io::kWouldBlock);
  EXPECT_EQ(met.client->Flush(), Io::kClosed);
  EXPECT_EQ(met.client->Reserve(1, &space), Io::kClosed);
}

}  // namespace
}  // namespace nearcall::internal
