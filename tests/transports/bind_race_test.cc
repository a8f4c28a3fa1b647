// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// Safe bind against real processes: fifty that race for a name, a live server that nobody disturbs, a winner killed
// between any two system calls, and a forked child that outlives its killed server.
#include <errno.h>
#include <gtest/gtest.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include <set>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "nearcall/tests/transports/process_util.h"
#include "nearcall/transports/rendezvous/safe_bind.h"

namespace nearcall::internal {
namespace {

using nearcall::test::Child;
using nearcall::test::ChildIo;
using nearcall::test::FilesIn;
using nearcall::test::TempDir;

using Files = std::vector<std::string>;

// The pid of whoever called listen() on the socket at `path`; -1 if nobody listens.
pid_t ListenerPid(const std::string& path) {
  UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  const sockaddr_un address = SocketAddress(path);
  if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) return -1;
  ucred peer;
  socklen_t size = sizeof(peer);
  return ::getsockopt(fd.get(), SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 ? peer.pid : -1;
}

ino_t InodeOf(const std::string& path) {
  struct stat found;
  return ::lstat(path.c_str(), &found) == 0 ? found.st_ino : 0;
}

// The bind of a child process: says "won" or the error, then waits.
void BindAndHold(ChildIo& io, const std::string& path) {
  auto socket = SafeBind(path, {});
  io.Say(socket.ok() ? "won" : socket.status().ToString());
  io.AwaitRelease();
}

TEST(BindRace, FiftyServersOneWins) {
  TempDir dir;
  const std::string path = dir / "name";
  for (int round = 0; round < 6; ++round) {
    std::vector<Child> servers;
    for (int i = 0; i < 50; ++i) {
      servers.push_back(Child::Run([&](ChildIo& io) {
        io.Say("ready");
        io.Hear();
        BindAndHold(io, path);
      }));
    }
    for (Child& server : servers) ASSERT_EQ(server.Hear(), "ready");
    for (Child& server : servers) server.Say("go");
    std::vector<std::string> said;
    for (Child& server : servers) said.push_back(server.Hear());

    pid_t winner = 0;
    for (size_t i = 0; i < said.size(); ++i) {
      if (said[i] != "won") continue;
      EXPECT_EQ(winner, 0) << "two winners in round " << round;
      winner = servers[i].pid();
    }
    ASSERT_NE(winner, 0) << "no winner in round " << round << ": " << said[0];
    for (const std::string& text : said) {
      if (text == "won") continue;
      EXPECT_EQ(text, absl::StrCat("ALREADY_EXISTS: another server is live at ", path, " (pid ", winner, ")"));
    }
    EXPECT_EQ(ListenerPid(path), winner);
    EXPECT_EQ(FilesIn(dir.path()), (Files{"name", "name.lock"}));
    // Even rounds end well and leave nothing; odd ones by SIGKILL, and the next round takes the leftovers over.
    for (Child& server : servers) round % 2 == 0 ? static_cast<void>(server.Finish()) : server.Kill();
    EXPECT_EQ(FilesIn(dir.path()), round % 2 == 0 ? Files{} : (Files{"name", "name.lock"}));
  }
}

TEST(BindRace, ALiveServerIsNeverDisturbed) {
  TempDir dir;
  const std::string path = dir / "name";
  Child server = Child::Run([&](ChildIo& io) { BindAndHold(io, path); });
  ASSERT_EQ(server.Hear(), "won");
  const ino_t inode = InodeOf(path);
  std::vector<Child> rivals;
  for (int i = 0; i < 4; ++i) {
    rivals.push_back(Child::Run([&](ChildIo& io) {
      int refused = 0;
      for (int attempt = 0; attempt < 200; ++attempt) refused += SafeBind(path, {}).ok() ? 0 : 1;
      io.Say(absl::StrCat(refused));
    }));
  }
  for (int i = 0; i < 500; ++i) ASSERT_EQ(ListenerPid(path), server.pid());
  for (Child& rival : rivals) EXPECT_EQ(rival.Hear(), "200");
  EXPECT_EQ(InodeOf(path), inode);
  EXPECT_EQ(ListenerPid(path), server.pid());
  server.Finish();
  EXPECT_EQ(FilesIn(dir.path()), Files{});
}

// Servers that come, serve and go at one name all the time, some by SIGKILL: never two at once, never nothing left
// over.
TEST(BindRace, ServersComeAndGo) {
  TempDir dir;
  const std::string path = dir / "name";
  std::vector<Child> servers;
  for (int i = 0; i < 8; ++i) {
    servers.push_back(Child::Run([&, i](ChildIo& io) {
      int won = 0;
      for (int attempt = 0; attempt < 300; ++attempt) {
        auto socket = SafeBind(path, {});
        if (!socket.ok()) {
          if (socket.status().code() != absl::StatusCode::kAlreadyExists) io.Say(socket.status().ToString());
          continue;
        }
        ++won;
        if (ListenerPid(path) != ::getpid()) io.Say("a rival stands at my name");
        if (i % 2 == 1 && attempt > 100) ::kill(::getpid(), SIGKILL);
      }
      io.Say(absl::StrCat("wins: ", won));
    }));
  }
  int finished = 0;
  for (Child& server : servers) {
    const std::string said = server.Hear(20'000);
    EXPECT_TRUE(said.empty() || absl::StartsWith(said, "wins: ")) << said;  // empty: it killed itself
    finished += said.empty() ? 0 : 1;
    server.Finish();
  }
  EXPECT_GE(finished, 4);
  ASSERT_TRUE(SafeBind(path, {}).ok());
  EXPECT_EQ(FilesIn(dir.path()), Files{});
}

enum class Stop { kKilled, kFinished, kNoPtrace };

// Runs `body` in a traced child between two getppid() marks and kills it at the `stop`-th entry to or exit from a
// system call after the first mark. Returns kFinished if it came to the second mark before.
Stop KillAtStop(int stop, const std::function<void()>& body) {
  const pid_t pid = ::fork();
  if (pid == 0) {
    if (::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr) != 0) ::_exit(1);
    ::raise(SIGSTOP);
    ::syscall(SYS_getppid);
    body();
    ::syscall(SYS_getppid);
    ::_exit(0);
  }
  int status;
  ::waitpid(pid, &status, 0);
  if (!WIFSTOPPED(status)) return Stop::kNoPtrace;
  ::ptrace(PTRACE_SETOPTIONS, pid, nullptr, PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL);
  int marks = 0;
  int seen = 0;
  int signal = 0;
  for (;;) {
    ::ptrace(PTRACE_SYSCALL, pid, nullptr, signal);
    signal = 0;
    ::waitpid(pid, &status, 0);
    if (WIFEXITED(status) || WIFSIGNALED(status)) return Stop::kFinished;
    if (WSTOPSIG(status) != (SIGTRAP | 0x80)) {
      signal = WSTOPSIG(status) == SIGSTOP ? 0 : WSTOPSIG(status);
      continue;
    }
    __ptrace_syscall_info info = {};
    ::ptrace(static_cast<__ptrace_request>(PTRACE_GET_SYSCALL_INFO), pid, sizeof(info), &info);
    if (info.op == PTRACE_SYSCALL_INFO_ENTRY && info.entry.nr == SYS_getppid) ++marks;
    const bool over = marks == 2;
    if (!over && marks == 1 && seen++ != stop) continue;
    if (marks == 0) continue;
    ::kill(pid, SIGKILL);
    ::waitpid(pid, &status, 0);
    return over ? Stop::kFinished : Stop::kKilled;
  }
}

// Kills `body` at every stop in turn; after each, the next bind must work and leave nothing.
void KillEverywhere(const std::string& what, int at_least, const std::function<void(const std::string&)>& body) {
  TempDir dir;
  const std::string path = dir / "name";
  std::set<Files> leftovers;
  int stop = 0;
  for (;; ++stop) {
    const Stop result = KillAtStop(stop, [&] { body(path); });
    if (result == Stop::kNoPtrace) GTEST_SKIP() << "ptrace is not allowed here";
    leftovers.insert(FilesIn(dir.path()));
    auto next = SafeBind(path, {});
    ASSERT_TRUE(next.ok()) << what << ", killed at stop " << stop << ": " << next.status();
    EXPECT_EQ(ListenerPid(path), ::getpid());
    EXPECT_EQ(FilesIn(dir.path()), (Files{"name", "name.lock"})) << what << ", killed at stop " << stop;
    next->reset();
    ASSERT_EQ(FilesIn(dir.path()), Files{}) << what << ", killed at stop " << stop;
    if (result == Stop::kFinished) break;
  }
  EXPECT_GE(stop, at_least) << what;
  std::string seen;
  for (const Files& files : leftovers) {
    absl::StrAppend(&seen, " {");
    for (const std::string& file : files) absl::StrAppend(&seen, " ", file);
    absl::StrAppend(&seen, " }");
  }
  std::printf("%s: killed at %d stops; left over:%s\n", what.c_str(), stop, seen.c_str());
}

TEST(BindRace, KilledBetweenAnyTwoSystemCallsOfTheBind) {
  KillEverywhere("bind at a free name", 30, [](const std::string& path) {
    auto socket = SafeBind(path, {});
    if (!socket.ok()) ::_exit(3);
    static std::unique_ptr<BoundSocket> kept;  // no clean end
    kept = *std::move(socket);
  });
}

TEST(BindRace, KilledBetweenAnyTwoSystemCallsOfATakeover) {
  KillEverywhere("bind over leftovers", 40, [](const std::string& path) {
    // A dead server's socket, lock and temporary name, made here so that the kills hit their making too.
    for (const char* suffix : {"", ".new"}) {
      UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
      const sockaddr_un address = SocketAddress(path + suffix);
      if (::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) ::_exit(3);
    }
    auto socket = SafeBind(path, {.mode = 0666});
    if (!socket.ok()) ::_exit(3);
    static std::unique_ptr<BoundSocket> kept;
    kept = *std::move(socket);
  });
}

TEST(BindRace, KilledBetweenAnyTwoSystemCallsOfTheClose) {
  KillEverywhere("bind and close", 40, [](const std::string& path) {
    auto socket = SafeBind(path, {});
    if (!socket.ok()) ::_exit(3);
  });
}

TEST(BindRace, AForkedChildOfAKilledServerKeepsNothing) {
  TempDir dir;
  const std::string path = dir / "name";
  for (const bool reap : {true, false}) {
    Child server = Child::Run([&](ChildIo& io) {
      auto socket = SafeBind(path, {});
      const pid_t child = ::fork();
      if (child == 0) {
        for (;;) ::pause();  // holds the listening socket and the lock file, and lives on
      }
      io.Say(absl::StrCat(socket.ok() ? child : -1));
      io.AwaitRelease();
    });
    int grandchild = 0;
    ASSERT_TRUE(absl::SimpleAtoi(server.Hear(), &grandchild));
    ASSERT_GT(grandchild, 0);
    const pid_t dead = server.pid();
    server.Kill(reap);
    EXPECT_EQ(ListenerPid(path), dead);  // the child's copy still takes connections
    auto next = SafeBind(path, {});
    EXPECT_TRUE(next.ok()) << next.status();
    EXPECT_EQ(ListenerPid(path), ::getpid());
    EXPECT_EQ(::kill(grandchild, 0), 0);
    ::kill(grandchild, SIGKILL);
    next->reset();
    EXPECT_EQ(FilesIn(dir.path()), Files{});
  }
}

TEST(BindRace, AForkedChildDisturbsNothingOfALiveServer) {
  TempDir dir;
  const std::string path = dir / "name";
  auto socket = SafeBind(path, {});
  ASSERT_TRUE(socket.ok()) << socket.status();
  const pid_t parent = ::getpid();
  Child child = Child::Run([&](ChildIo& io) {
    auto second = SafeBind(path, {});
    io.Say(second.ok() ? "won" : second.status().ToString());
    socket->reset();  // the inherited object: no name goes, no lock
    io.Say(absl::StrCat(HeldNameLocks()));
  });
  EXPECT_EQ(child.Hear(), absl::StrCat("ALREADY_EXISTS: another server is live at ", path, " (pid ", parent, ")"));
  EXPECT_EQ(child.Hear(), "0");
  child.Finish();
  EXPECT_EQ(FilesIn(dir.path()), (Files{"name", "name.lock"}));
  Child other = Child::Run([&](ChildIo& io) { BindAndHold(io, path); });
  EXPECT_TRUE(absl::StrContains(other.Hear(), absl::StrCat("(pid ", parent, ")")));
}

// The child takes the name over after its parent was killed; what it inherited must not lose it the lock.
TEST(BindRace, AForkedChildMayTakeOver) {
  TempDir dir;
  const std::string path = dir / "name";
  int go[2];
  ASSERT_EQ(::pipe2(go, O_CLOEXEC), 0);
  Child server = Child::Run([&](ChildIo& io) {
    ::close(go[1]);
    auto inherited = SafeBind(path, {});
    if (::fork() == 0) {
      char c;
      if (::read(go[0], &c, 1) != 1) ::_exit(1);
      auto taken = SafeBind(path, {});
      inherited->reset();
      io.Say(taken.ok() ? "won" : taken.status().ToString());
      if (::read(go[0], &c, 1) < 0) ::_exit(1);
      taken->reset();
      io.Say("gone");
      ::_exit(0);
    }
    io.Say("ready");
    io.AwaitRelease();
  });
  ASSERT_EQ(server.Hear(), "ready");
  server.Kill();
  ASSERT_EQ(::write(go[1], "g", 1), 1);
  EXPECT_EQ(server.Hear(), "won");
  EXPECT_EQ(SafeBind(path, {}).status().code(), absl::StatusCode::kAlreadyExists);
  ::close(go[1]);
  EXPECT_EQ(server.Hear(), "gone");
  EXPECT_EQ(FilesIn(dir.path()), Files{});
  ::close(go[0]);
}

}  // namespace
}  // namespace nearcall::internal
