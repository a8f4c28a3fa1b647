// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// fd: and systemd:: sockets that somebody else has made, and who then answers.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "nearcall/tests/transports/process_util.h"
#include "nearcall/tests/transports/rendezvous_util.h"
#include "nearcall/transports/inherited/inherited.h"
#include "nearcall/transports/local/local.h"

namespace nearcall::internal {
namespace {

using test::AcceptWithin;
using test::Child;
using test::ChildIo;
using test::RawListen;
using test::ReceiveFrame;
using test::SendFrame;
using test::TempDir;

#define EXPECT_HAS(text, part)                                         \
  EXPECT_TRUE(absl::StrContains(std::string(text), std::string(part))) \
      << "\"" << (text) << "\"\nlacks \"" << (part) << "\""

std::string FdError(int fd) { return FdTransport().Listen(*ParseAddress(absl::StrCat("fd:", fd))).status().ToString(); }

std::unique_ptr<Endpoint> Connect(const std::string& scheme, const std::string& path) {
  const Address address = *ParseAddress(scheme + ":" + path);
  return scheme == "local" ? *LocalTransport().Connect(address) : *UnixTransport().Connect(address);
}

TEST(Fd, ServesAtASocketThatItWasGiven) {
  TempDir dir;
  const int before = test::OpenDescriptors();
  {
    UniqueFd socket = RawListen(dir / "name");
    ::fcntl(socket.get(), F_SETFD, 0);
    auto listener = FdTransport().Listen(*ParseAddress(absl::StrCat("fd:", socket.get())));
    ASSERT_TRUE(listener.ok()) << listener.status();
    EXPECT_EQ(::fcntl(socket.get(), F_GETFD), FD_CLOEXEC);
    EXPECT_NE(::fcntl(socket.get(), F_GETFL) & O_NONBLOCK, 0);
    for (const char* scheme : {"unix", "local"}) {
      auto client = Connect(scheme, dir / "name");
      ASSERT_EQ(SendFrame(*client, "hello"), Io::kOk) << client->status();
      auto server = AcceptWithin(**listener);
      ASSERT_NE(server, nullptr);
      EXPECT_EQ(ReceiveFrame(*server), "hello");
      EXPECT_EQ(SendFrame(*server, "welcome"), Io::kOk);
      EXPECT_EQ(ReceiveFrame(*client), "welcome");
      EXPECT_EQ(client->info().transport, std::string(scheme) == "local" ? "shm" : "unix");
      EXPECT_EQ(client->info().peer->pid, ::getpid());
    }
  }
  EXPECT_EQ(test::OpenDescriptors(), before);
  EXPECT_EQ(test::FilesIn(dir.path()), std::vector<std::string>{"name"}) << "the path is whoever's who made it";
}

// One who connected before the server had the socket: what the kernel then set up had no SO_PASSCRED.
TEST(Fd, WhoWaitedInTheBacklogIsServed) {
  TempDir dir;
  UniqueFd socket = RawListen(dir / "name");
  auto client = Connect("local", dir / "name");
  ASSERT_EQ(SendFrame(*client, "early"), Io::kOk) << client->status();
  auto listener = FdTransport().Listen(*ParseAddress(absl::StrCat("fd:", socket.get())));
  ASSERT_TRUE(listener.ok()) << listener.status();
  auto server = AcceptWithin(**listener);
  ASSERT_NE(server, nullptr);
  EXPECT_EQ(ReceiveFrame(*server), "early");
}

// As with a service manager: SO_PEERCRED tells the client who made the socket, the greeting who serves there.
TEST(Fd, TheClientKnowsWhoServesAndSeesItsDeath) {
  TempDir dir;
  UniqueFd socket = RawListen(dir / "name");
  for (const char* scheme : {"unix", "local"}) {
    Child server = Child::Run([&](ChildIo& io) {
      auto listener = FdTransport().Listen(*ParseAddress(absl::StrCat("fd:", socket.get())));
      io.Say(listener.ok() ? "ready" : listener.status().ToString());
      if (listener.ok()) test::EchoForever(**listener);
    });
    ASSERT_EQ(server.Hear(), "ready");
    auto client = Connect(scheme, dir / "name");
    ASSERT_EQ(SendFrame(*client, "hello"), Io::kOk) << client->status();
    ASSERT_EQ(ReceiveFrame(*client), "hello");
    EXPECT_EQ(client->info().peer->pid, server.pid());
    EXPECT_TRUE(client->info().sees_death);
    server.Kill();
    EXPECT_HAS(ReceiveFrame(*client), "UNAVAILABLE");
  }
  // Nobody serves for a moment: who comes now waits for the next server.
  auto client = Connect("local", dir / "name");
  ASSERT_EQ(SendFrame(*client, "to the next"), Io::kOk) << client->status();
  auto listener = FdTransport().Listen(*ParseAddress(absl::StrCat("fd:", socket.get())));
  ASSERT_TRUE(listener.ok());
  auto server = AcceptWithin(**listener);
  ASSERT_NE(server, nullptr);
  EXPECT_EQ(ReceiveFrame(*server), "to the next");
}

TEST(Fd, ASocketWhoseMakerHasDiedIsTheServers) {
  TempDir dir;
  Child maker = Child::Run([&](ChildIo& io) {
    UniqueFd socket = RawListen(dir / "name");
    const pid_t server = ::fork();
    if (server == 0) {
      test::Eventually([&] { return ::access((dir / "go").c_str(), F_OK) == 0; });  // the maker is dead by then
      auto listener = FdTransport().Listen(*ParseAddress(absl::StrCat("fd:", socket.get())));
      io.Say(listener.ok() ? "ready" : listener.status().ToString());
      if (listener.ok()) test::EchoForever(**listener);
      ::_exit(1);
    }
    io.Say(absl::StrCat(server));
    io.AwaitRelease();
  });
  int server = 0;
  ASSERT_TRUE(absl::SimpleAtoi(maker.Hear(), &server));
  maker.Kill();
  UniqueFd go(::open((dir / "go").c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
  ASSERT_EQ(maker.Hear(), "ready");
  auto client = Connect("local", dir / "name");
  ASSERT_EQ(SendFrame(*client, "hello"), Io::kOk) << client->status();
  EXPECT_EQ(ReceiveFrame(*client), "hello");
  EXPECT_EQ(client->info().peer->pid, server);
  EXPECT_EQ(::kill(server, SIGKILL), 0);
}

TEST(Fd, WhatIsNoListeningUnixStreamSocketIsNamed) {
  TempDir dir;
  for (const char* bad : {"fd:", "fd:x", "fd:-1", "fd:0", "fd:2", "fd:99999999999"}) {
    const absl::Status status = FdTransport().Listen(*ParseAddress(bad)).status();
    EXPECT_HAS(status.ToString(), absl::StrCat("INVALID_ARGUMENT: ", bad, ": write fd:N"));
  }
  EXPECT_HAS(FdError(900), "FAILED_PRECONDITION: fd:900: descriptor 900 is not open: Bad file descriptor (EBADF)");
  UniqueFd file(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  EXPECT_HAS(FdError(file.get()), "is a device, not a listening Unix stream socket");
  UniqueFd tcp(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  EXPECT_HAS(FdError(tcp.get()), "is a socket that is no Unix socket");
  UniqueFd datagram(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  const sockaddr_un at = SocketAddress(dir / "datagram");
  ASSERT_EQ(::bind(datagram.get(), reinterpret_cast<const sockaddr*>(&at), sizeof(at)), 0);
  EXPECT_HAS(FdError(datagram.get()), "is a Unix socket of another type");
  UniqueFd abstract(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const sockaddr family = {.sa_family = AF_UNIX, .sa_data = {}};
  ASSERT_EQ(::bind(abstract.get(), &family, sizeof(sa_family_t)), 0);
  ASSERT_EQ(::listen(abstract.get(), 1), 0);
  EXPECT_HAS(FdError(abstract.get()), "is a Unix socket at no path (everybody could connect to it)");
  UniqueFd listens = RawListen(dir / "name");
  UniqueFd connected = test::RawConnect(dir / "name");
  EXPECT_HAS(FdError(connected.get()), "is a Unix socket that does not listen");
  EXPECT_HAS(FdTransport().Listen(*ParseAddress("fd:3?mode=0666")).status().ToString(), "mode");
  for (const Address& address : {*ParseAddress("fd:3"), *ParseAddress("systemd:rpc")}) {
    const absl::Status status =
        address.scheme == "fd" ? FdTransport().Connect(address).status() : SystemdTransport().Connect(address).status();
    EXPECT_HAS(status.ToString(), "INVALID_ARGUMENT: " + address.ToString() + ": only a server listens");
  }
}

// A process that a service manager has passed sockets to, as descriptors 3, 4, ...
class Systemd : public ::testing::Test {
 protected:
  static constexpr int kFirst = 3;
  static constexpr int kReserved = 8;

  // So that nothing of the test itself is where the passed ones go.
  void SetUp() override {
    do {
      reserved_.emplace_back(::open("/dev/null", O_RDONLY | O_CLOEXEC));
    } while (reserved_.back().get() < kReserved);
  }

  // Listens at `address` there and says how it went, then serves. LISTEN_PID is the process's own unless given.
  Child Serve(int sockets, const std::string& names, const std::string& address, const std::string& pid = "",
              const std::string& count = "") {
    return Child::Run([&](ChildIo& io) {
      for (int i = 0; i < sockets; ++i) {
        const UniqueFd made = RawListen(dir_ / absl::StrCat("name", i));
        ::dup2(made.get(), kFirst + i);
      }
      ::setenv("LISTEN_PID", pid.empty() ? absl::StrCat(::getpid()).c_str() : pid.c_str(), 1);
      ::setenv("LISTEN_FDS", count.empty() ? absl::StrCat(sockets).c_str() : count.c_str(), 1);
      if (names.empty()) {
        ::unsetenv("LISTEN_FDNAMES");
      } else {
        ::setenv("LISTEN_FDNAMES", names.c_str(), 1);
      }
      auto listener = SystemdTransport().Listen(*ParseAddress(address));
      io.Say(listener.status().ToString());
      if (listener.ok()) test::EchoForever(**listener);
    });
  }
  std::string Says(int sockets, const std::string& names, const std::string& address, const std::string& pid = "",
                   const std::string& count = "") {
    std::string said = Serve(sockets, names, address, pid, count).Hear();
    for (const std::string& name : test::FilesIn(dir_.path())) ::unlink((dir_ / name).c_str());
    return said;
  }

  TempDir dir_;
  std::vector<UniqueFd> reserved_;
};

TEST_F(Systemd, TheNamedSocketIsServed) {
  for (int i = 0; i < 2; ++i) {
    Child server = Serve(2, "rpc:admin", i == 0 ? "systemd:rpc" : "systemd:admin");
    ASSERT_EQ(server.Hear(), "OK");
    auto client = Connect("local", dir_ / absl::StrCat("name", i));
    ASSERT_EQ(SendFrame(*client, "hello"), Io::kOk) << client->status();
    EXPECT_EQ(ReceiveFrame(*client), "hello");
    EXPECT_EQ(client->info().peer->pid, server.pid());
    server.Kill();
    for (const std::string& name : test::FilesIn(dir_.path())) ::unlink((dir_ / name).c_str());
  }
}

TEST_F(Systemd, TheOnlySocketNeedsNoName) {
  EXPECT_EQ(Says(1, "greeter.socket", "systemd:"), "OK");
  EXPECT_EQ(Says(1, "", "systemd:"), "OK");
  EXPECT_EQ(Says(2, "rpc", "systemd:unknown"), "OK") << "as the manager calls one that it has no name for";
}

TEST_F(Systemd, ErrorsSayWhichThereAre) {
  EXPECT_HAS(Says(2, "rpc:admin", "systemd:web"),
             "FAILED_PRECONDITION: systemd:web: no socket named \"web\" was passed; passed were: rpc, admin");
  EXPECT_HAS(Says(2, "rpc:admin", "systemd:"), "2 sockets were passed (passed were: rpc, admin)");
  EXPECT_HAS(Says(2, "rpc:rpc", "systemd:rpc"), "2 sockets were passed under the name \"rpc\"");
  EXPECT_HAS(Says(2, "rpc:rpc", "systemd:rpc"), "or write fd:3 or fd:4");
  EXPECT_HAS(Says(0, "", "systemd:"), "no socket was passed");
  EXPECT_HAS(Says(1, "rpc", "systemd:rpc", "1"), "the sockets were passed to pid 1 (LISTEN_PID), not to this process");
  EXPECT_HAS(Says(1, "rpc", "systemd:rpc", "", "many"), "LISTEN_FDS=many is not a number");
  EXPECT_HAS(Says(0, "rpc", "systemd:rpc", "", "1"), "descriptor 3 is a device, not a listening Unix stream socket");
  ::unsetenv("LISTEN_PID");
  EXPECT_HAS(SystemdTransport().Listen(*ParseAddress("systemd:rpc")).status().ToString(),
             "LISTEN_PID and LISTEN_FDS are not set");
}

}  // namespace
}  // namespace nearcall::internal
