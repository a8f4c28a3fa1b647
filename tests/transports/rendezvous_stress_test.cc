// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// The rendezvous under pressure: floods of half-open connections, no descriptors left, full backlogs, killed peers
// whose children hold on to everything, kernels without pidfds.
#include <errno.h>
#include <gtest/gtest.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include <thread>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "nearcall/tests/transports/process_util.h"
#include "nearcall/tests/transports/rendezvous_util.h"
#include "nearcall/transports/rendezvous/listener.h"
#include "nearcall/transports/unix_socket/socket_medium.h"

namespace nearcall::internal {
namespace {

using test::AcceptWithin;
using test::Child;
using test::ChildIo;
using test::Encoded;
using test::RawConnect;
using test::RawListen;
using test::RawReceive;
using test::RawSend;
using test::ReceiveFrame;
using test::SendFrame;
using test::TempDir;

#define EXPECT_HAS(text, part)                                         \
  EXPECT_TRUE(absl::StrContains(std::string(text), std::string(part))) \
      << "\"" << (text) << "\"\nlacks \"" << (part) << "\""

Address UnixAddress(const std::string& path) { return *ParseAddress("unix:" + path); }

std::unique_ptr<Endpoint> Connect(const std::string& path) { return *UnixTransport().Connect(UnixAddress(path)); }

bool Serves(Listener& listener, const std::string& path) {
  auto client = Connect(path);
  if (SendFrame(*client, "ping") != Io::kOk) return false;
  auto server = AcceptWithin(listener);
  return server != nullptr && ReceiveFrame(*server) == "ping";
}

int64_t CpuNanos() {
  timespec now;
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
}

TEST(HalfOpen, AFloodCostsOnlyTheFlooder) {
  TempDir dir;
  auto made = ListenRendezvous(UnixAddress(dir / "name"), Names::kNotAllowed, {&TheSocketMedium()});
  ASSERT_TRUE(made.ok());
  auto& listener = static_cast<RendezvousListener&>(**made);
  std::vector<UniqueFd> silent;
  for (int i = 0; i < 300; ++i) {
    silent.push_back(RawConnect(dir / "name"));
    ASSERT_TRUE(silent.back().valid());
    if (i % 50 == 0) {
      ASSERT_TRUE(Serves(listener, dir / "name")) << i;
    }
  }
  ASSERT_TRUE(test::Eventually([&] {
    auto none = listener.Accept();
    return listener.failures() >= 300 - kMaxHalfOpenPerKey;
  }));
  EXPECT_EQ(listener.half_open(), kMaxHalfOpenPerKey);
  EXPECT_HAS(listener.last_failure(), "half-open connections of its uid");
  EXPECT_TRUE(Serves(listener, dir / "name"));
  // The oldest were refused with a reason; the newest still may greet.
  bool ended = false;
  const std::string refusal = RawReceive(silent.front().get(), &ended);
  ASSERT_EQ(refusal.size(), kGreetingSize);
  EXPECT_EQ(static_cast<Refusal>(refusal[13]), Refusal::kBusy);
  EXPECT_TRUE(ended);
  ASSERT_TRUE(RawSend(silent.back().get(), Encoded(test::ClientGreeting())));
  EXPECT_NE(AcceptWithin(listener), nullptr);
}

TEST(HalfOpen, OneThatNeverGreetsEndsAfterFiveSecondsAndCostsNothingMeanwhile) {
  TempDir dir;
  auto made = ListenRendezvous(UnixAddress(dir / "name"), Names::kNotAllowed, {&TheSocketMedium()});
  ASSERT_TRUE(made.ok());
  auto& listener = static_cast<RendezvousListener&>(**made);
  const int64_t begin = MonotonicNanos();
  UniqueFd silent = RawConnect(dir / "name");
  UniqueFd slow = RawConnect(dir / "name");
  ASSERT_TRUE(RawSend(slow.get(), Encoded(test::ClientGreeting()).substr(0, 30)));
  const int64_t cpu = CpuNanos();
  int wakes = 0;
  while (listener.failures() < 2 && MonotonicNanos() - begin < 15'000'000'000) {
    pollfd entry = {listener.fd(), POLLIN, 0};
    ::poll(&entry, 1, 1000);
    if ((entry.revents & POLLIN) != 0) ++wakes;
    EXPECT_TRUE(listener.Accept().ok());
  }
  EXPECT_EQ(listener.failures(), 2);
  EXPECT_HAS(listener.last_failure(), "no complete greeting within 5 s");
  EXPECT_GE(MonotonicNanos() - begin, kGreetingTimeoutNanos);
  EXPECT_LE(MonotonicNanos() - begin, 8'000'000'000);
  EXPECT_LE(wakes, 8);
  EXPECT_LE(CpuNanos() - cpu, 100'000'000);
  bool ended = false;
  const std::string refusal = RawReceive(slow.get(), &ended);
  ASSERT_EQ(refusal.size(), kGreetingSize);
  EXPECT_EQ(static_cast<Refusal>(refusal[13]), Refusal::kTimeout);
}

// A server at its limit of descriptors says so, does not spin, and serves again as soon as it can.
TEST(NoDescriptors, TheServerPausesAndResumes) {
  TempDir dir;
  const std::string path = dir / "name";
  Child server = Child::Run([&](ChildIo& io) {
    auto listener = UnixTransport().Listen(UnixAddress(path));
    if (!listener.ok()) return;
    const rlimit limit = {static_cast<rlim_t>(test::OpenDescriptors() + 10), 4096};
    ::setrlimit(RLIMIT_NOFILE, &limit);
    io.Say("ready");
    std::vector<std::unique_ptr<Endpoint>> endpoints;
    std::string error;
    const auto accept_for = [&](int64_t nanos) {
      int calls = 0;
      const int64_t end = MonotonicNanos() + nanos;
      while (MonotonicNanos() < end) {
        pollfd entry = {(*listener)->fd(), POLLIN, 0};
        ::poll(&entry, 1, 10);
        if ((entry.revents & POLLIN) == 0) continue;
        ++calls;
        auto made = (*listener)->Accept();
        if (!made.ok()) error = made.status().ToString();
        if (made.ok() && *made != nullptr) endpoints.push_back(*std::move(made));
      }
      return calls;
    };
    while (error.empty()) accept_for(10'000'000);
    const size_t held = endpoints.size();
    const int64_t cpu = CpuNanos();
    const int calls = accept_for(600'000'000);
    io.Say(absl::StrCat(held, "|", calls, "|", CpuNanos() - cpu, "|", error));
    io.Hear();
    endpoints.clear();  // descriptors are free again
    const int64_t begin = MonotonicNanos();
    while (endpoints.empty() && MonotonicNanos() - begin < 10'000'000'000) accept_for(10'000'000);
    io.Say(endpoints.empty() ? "never" : absl::StrCat((MonotonicNanos() - begin) / 1'000'000));
    io.AwaitRelease();
  });
  ASSERT_EQ(server.Hear(), "ready");
  std::vector<std::unique_ptr<Endpoint>> clients;
  for (int i = 0; i < 16; ++i) {
    clients.push_back(Connect(path));
    SendFrame(*clients.back(), "hello");
  }
  const std::vector<std::string> said = absl::StrSplit(server.Hear(), '|');
  ASSERT_EQ(said.size(), 4u) << absl::StrCat(said.front());
  int calls = 0;
  int64_t cpu = 0;
  ASSERT_TRUE(absl::SimpleAtoi(said[1], &calls) && absl::SimpleAtoi(said[2], &cpu));
  EXPECT_GE(calls, 2) << "tries again every 100 ms";
  EXPECT_LE(calls, 20) << "and no more often";
  EXPECT_LE(cpu, 60'000'000) << "nanoseconds of 600 ms";
  EXPECT_HAS(said[3], "RESOURCE_EXHAUSTED: unix:" + path +
                          ": cannot accept a connection: Too many open files (EMFILE) "
                          "(RLIMIT_NOFILE is ");
  server.Say("free");
  const std::string resumed = server.Hear();
  int milliseconds = -1;
  ASSERT_TRUE(absl::SimpleAtoi(resumed, &milliseconds)) << resumed;
  EXPECT_LE(milliseconds, 1000);
}

TEST(NoDescriptors, AConnectionClosedMeanwhileEndsThePauseAtOnce) {
  TempDir dir;
  auto listener = UnixTransport().Listen(UnixAddress(dir / "name"));
  ASSERT_TRUE(listener.ok());
  UniqueFd first = RawConnect(dir / "name");
  ASSERT_TRUE(RawSend(first.get(), Encoded(test::ClientGreeting())));
  rlimit before;
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
  UniqueFd next(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  const rlimit none = {static_cast<rlim_t>(next.get() + 2), before.rlim_max};  // room for one, not for three
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &none), 0);
  EXPECT_EQ((*listener)->Accept().status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ((*listener)->Accept().status().code(), absl::StatusCode::kResourceExhausted);
  pollfd entry = {(*listener)->fd(), POLLIN, 0};
  EXPECT_EQ(::poll(&entry, 1, 0), 0);
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0);
  auto made = (*listener)->Accept();
  ASSERT_TRUE(made.ok()) << made.status();
  EXPECT_NE(*made, nullptr);
}

TEST(NoDescriptors, AClientAtItsLimitSaysSo) {
  TempDir dir;
  auto listener = UnixTransport().Listen(UnixAddress(dir / "name"));
  ASSERT_TRUE(listener.ok());
  rlimit before;
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
  UniqueFd next(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  const rlimit none = {static_cast<rlim_t>(next.get() + 1), before.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &none), 0);
  auto client = UnixTransport().Connect(UnixAddress(dir / "name"));
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0);
  EXPECT_EQ(client.status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_HAS(client.status().message(), "EMFILE");
}

TEST(FullBacklog, TheClientConnectsOnceThereIsRoom) {
  TempDir dir;
  UniqueFd listen = RawListen(dir / "name", 1);
  std::vector<UniqueFd> waiting;
  for (;;) {
    UniqueFd fd = RawConnect(dir / "name");
    if (!fd.valid()) break;
    waiting.push_back(std::move(fd));
  }
  auto client = Connect(dir / "name");
  ASSERT_TRUE(client->status().ok()) << client->status();
  absl::Span<char> space;
  EXPECT_EQ(client->Reserve(5, &space), Io::kWouldBlock);
  Frame frame;
  EXPECT_EQ(client->Borrow(&frame), Io::kWouldBlock);
  EXPECT_EQ(client->Wait(Side::kReceive, MonotonicNanos() + 20'000'000), Io::kWouldBlock);
  const size_t queued = waiting.size();
  for (size_t i = 0; i < queued; ++i) UniqueFd(::accept4(listen.get(), nullptr, nullptr, SOCK_CLOEXEC));
  EXPECT_EQ(SendFrame(*client, "hello"), Io::kOk) << client->status();
  UniqueFd peer(::accept4(listen.get(), nullptr, nullptr, SOCK_CLOEXEC));
  EXPECT_TRUE(peer.valid());
}

TEST(FullBacklog, CloseWakesWhoeverWaits) {
  TempDir dir;
  UniqueFd listen = RawListen(dir / "name", 0);
  std::vector<UniqueFd> waiting;
  do {
    waiting.push_back(RawConnect(dir / "name"));
  } while (waiting.back().valid());
  auto client = Connect(dir / "name");
  std::thread closer([&] {
    ::poll(nullptr, 0, 30);
    client->Close(absl::CancelledError("enough"));
  });
  EXPECT_EQ(ReceiveFrame(*client), "(closed) CANCELLED: enough");
  closer.join();
}

TEST(FullBacklog, AServerThatStopsAcceptingIsGivenUpAfterFiveSeconds) {
  TempDir dir;
  UniqueFd listen = RawListen(dir / "name", 0);
  std::vector<UniqueFd> waiting;
  do {
    waiting.push_back(RawConnect(dir / "name"));
  } while (waiting.back().valid());
  auto client = Connect(dir / "name");
  const int64_t begin = MonotonicNanos();
  EXPECT_HAS(ReceiveFrame(*client, 20'000), "its backlog is full; is it stopped?");
  EXPECT_LE(MonotonicNanos() - begin, 8'000'000'000);
}

// ---- death, with a child that holds everything

// A server process that echoes; its forked child holds every descriptor that `when` it had, and lives on.
enum class Fork { kBeforeAccept, kAfterAccept };
Child ServerWithChild(const std::string& path, Fork when) {
  return Child::Run([&](ChildIo& io) {
    auto listener = UnixTransport().Listen(UnixAddress(path));
    if (!listener.ok()) return;
    io.Say("ready");
    std::unique_ptr<Endpoint> endpoint;
    if (when == Fork::kAfterAccept) {
      endpoint = AcceptWithin(**listener);
      SendFrame(*endpoint, ReceiveFrame(*endpoint));
    }
    const pid_t child = ::fork();
    if (child == 0) {
      for (;;) ::pause();
    }
    io.Say(absl::StrCat(child));
    io.AwaitRelease();
  });
}

TEST(Death, IsSeenAlthoughAForkedChildHoldsTheConnection) {
  for (int round = 0; round < 10; ++round) {
    TempDir dir;
    Child server = ServerWithChild(dir / "name", Fork::kAfterAccept);
    ASSERT_EQ(server.Hear(), "ready");
    auto client = Connect(dir / "name");
    ASSERT_EQ(SendFrame(*client, "hello"), Io::kOk);
    ASSERT_EQ(ReceiveFrame(*client), "hello");
    ASSERT_TRUE(client->info().sees_death);
    int grandchild = 0;
    ASSERT_TRUE(absl::SimpleAtoi(server.Hear(), &grandchild));
    const bool blocking = round % 2 == 1;
    const int watch = blocking ? client->TakeDeathWatch() : -1;
    server.Kill(/*reap=*/round % 3 == 0);
    const int64_t dead = MonotonicNanos();
    if (blocking) {  // the caller watches
      pollfd entry = {watch, POLLIN, 0};
      EXPECT_EQ(::poll(&entry, 1, 5000), 1);
    } else {
      EXPECT_HAS(ReceiveFrame(*client), "died");
    }
    EXPECT_LE(MonotonicNanos() - dead, 100'000'000);
    EXPECT_EQ(::kill(grandchild, SIGKILL), 0);
  }
}

TEST(Death, BeforeTheGreetingIsSeenToo) {
  TempDir dir;
  Child server = ServerWithChild(dir / "name", Fork::kBeforeAccept);
  ASSERT_EQ(server.Hear(), "ready");
  int grandchild = 0;
  ASSERT_TRUE(absl::SimpleAtoi(server.Hear(), &grandchild));
  auto client = Connect(dir / "name");  // waits in the backlog that the child will hold
  ASSERT_EQ(SendFrame(*client, "hello"), Io::kOk);
  const pid_t pid = server.pid();
  server.Kill();
  const int64_t dead = MonotonicNanos();
  EXPECT_HAS(ReceiveFrame(*client), "died before its greeting came");
  EXPECT_LE(MonotonicNanos() - dead, 100'000'000);
  // And who connects now learns it at once.
  auto late = Connect(dir / "name");
  EXPECT_HAS(late->status().ToString(), absl::StrCat("its server (pid ", pid, ") has died, a child of it"));
  // The next server takes over.
  auto listener = UnixTransport().Listen(UnixAddress(dir / "name"));
  ASSERT_TRUE(listener.ok()) << listener.status();
  EXPECT_TRUE(Serves(**listener, dir / "name"));
  EXPECT_EQ(::kill(grandchild, SIGKILL), 0);
}

TEST(Death, OfAClientIsSeenByTheServer) {
  TempDir dir;
  auto listener = UnixTransport().Listen(UnixAddress(dir / "name"));
  ASSERT_TRUE(listener.ok());
  Child client = Child::Run([&](ChildIo& io) {
    auto endpoint = Connect(dir / "name");
    SendFrame(*endpoint, "hello");
    const pid_t child = ::fork();
    if (child == 0) {
      for (;;) ::pause();
    }
    io.Say(absl::StrCat(child));
    io.AwaitRelease();
  });
  auto server = AcceptWithin(**listener);
  ASSERT_NE(server, nullptr);
  EXPECT_EQ(ReceiveFrame(*server), "hello");
  int grandchild = 0;
  ASSERT_TRUE(absl::SimpleAtoi(client.Hear(), &grandchild));
  client.Kill();
  const int64_t dead = MonotonicNanos();
  EXPECT_HAS(ReceiveFrame(*server), "died");
  EXPECT_LE(MonotonicNanos() - dead, 100'000'000);
  EXPECT_EQ(::kill(grandchild, SIGKILL), 0);
}

TEST(Fork, AChildsCopiesOfListenerAndConnectionEndNothing) {
  TempDir dir;
  auto listener = UnixTransport().Listen(UnixAddress(dir / "name"));
  ASSERT_TRUE(listener.ok());
  auto client = Connect(dir / "name");
  ASSERT_EQ(SendFrame(*client, "hello"), Io::kOk);
  auto server = AcceptWithin(**listener);
  ASSERT_NE(server, nullptr);
  UniqueFd half = RawConnect(dir / "name");
  ASSERT_TRUE((*listener)->Accept().ok());  // half-open while we fork
  Child child = Child::Run([&](ChildIo& io) {
    server.reset();
    client.reset();
    listener->reset();
    half.Reset();
    io.Say("destroyed");
    io.AwaitRelease();
  });
  ASSERT_EQ(child.Hear(), "destroyed");
  EXPECT_EQ(ReceiveFrame(*server), "hello");
  EXPECT_EQ(SendFrame(*server, "still here"), Io::kOk);
  EXPECT_EQ(ReceiveFrame(*client), "still here");
  EXPECT_TRUE(Serves(**listener, dir / "name"));
  // The child is gone or not: the half-open one that it inherited must not keep fd() ready for ever.
  half.Reset();
  ASSERT_TRUE(test::Eventually([&] {
    EXPECT_TRUE((*listener)->Accept().ok());
    return static_cast<RendezvousListener&>(**listener).half_open() == 0;
  }));
  pollfd entry = {(*listener)->fd(), POLLIN, 0};
  EXPECT_EQ(::poll(&entry, 1, 0), 0);
}

// ---- kernels without pidfds

// From now on pidfd_open() and SO_PEERPIDFD fail as they do on old kernels.
bool ForgetPidfds() {
#if defined(__x86_64__) || defined(__aarch64__)
  constexpr auto kNr = static_cast<uint32_t>(offsetof(seccomp_data, nr));
  constexpr auto kOption = static_cast<uint32_t>(offsetof(seccomp_data, args) + 2 * sizeof(uint64_t));
  sock_filter code[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, kNr),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_pidfd_open, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getsockopt, 0, 3),
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, kOption),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 77, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOPROTOOPT),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  const sock_fprog program = {sizeof(code) / sizeof(code[0]), code};
  return ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
#else
  return false;
#endif
}

TEST(WithoutPidfds, DeathIsTheEndOfTheStreamAndIsSaidSo) {
  TempDir dir;
  Child server = Child::Run([&](ChildIo& io) {
    if (!ForgetPidfds()) return io.Say("no seccomp");
    auto listener = UnixTransport().Listen(UnixAddress(dir / "name"));
    io.Say(listener.ok() ? "ready" : listener.status().ToString());
    test::EchoForever(**listener);
  });
  const std::string said = server.Hear();
  if (said == "no seccomp") GTEST_SKIP() << said;
  ASSERT_EQ(said, "ready");
  // An old client, and below a new one, at an old server.
  Child client = Child::Run([&](ChildIo& io) {
    if (!ForgetPidfds()) return;
    auto endpoint = Connect(dir / "name");
    SendFrame(*endpoint, "hello");
    const std::string answer = ReceiveFrame(*endpoint);
    io.Say(absl::StrCat(answer, " ", endpoint->info().sees_death, " ", endpoint->TakeDeathWatch(), " pid ",
                        endpoint->info().peer->pid));
    io.Say(ReceiveFrame(*endpoint));
  });
  EXPECT_EQ(client.Hear(), absl::StrCat("hello 0 -1 pid ", server.pid()));
  auto endpoint = Connect(dir / "name");
  ASSERT_EQ(SendFrame(*endpoint, "hello"), Io::kOk);
  EXPECT_EQ(ReceiveFrame(*endpoint), "hello");
  EXPECT_TRUE(endpoint->info().sees_death);  // the kernel itself told who listens, and it is who greeted
  server.Kill();
  EXPECT_HAS(client.Hear(), "(closed) UNAVAILABLE");
  EXPECT_HAS(ReceiveFrame(*endpoint), "(closed) UNAVAILABLE");
  client.Finish();
  EXPECT_TRUE(UnixTransport().Listen(UnixAddress(dir / "name")).ok());
}

}  // namespace
}  // namespace nearcall::internal
