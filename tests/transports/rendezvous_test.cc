// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// The rendezvous from outside: greetings good and bad, identities true and false, hostile clients and servers, and
// errors that say what to do. Overload, death and real loss of descriptors are in rendezvous_stress_test.cc.
#include <errno.h>
#include <gtest/gtest.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include <fstream>
#include <string>
#include <thread>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "nearcall/tests/transports/process_util.h"
#include "nearcall/tests/transports/rendezvous_util.h"
#include "nearcall/transports/api/errno_status.h"
#include "nearcall/transports/local/local.h"
#include "nearcall/transports/rendezvous/connector.h"
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

class Rendezvous : public ::testing::Test {
 protected:
  void SetUp() override {
    address_ = *ParseAddress("unix:" + path());
    auto listener = ListenRendezvous(address_, Names::kNotAllowed, {&TheSocketMedium()});
    ASSERT_TRUE(listener.ok()) << listener.status();
    listener_ = *std::move(listener);
    descriptors_ = test::OpenDescriptors();
  }
  // Whatever a test did: the server goes on, and has lost nothing.
  void TearDown() override {
    ExpectServes();
    EXPECT_EQ(listener().half_open(), 0);
    EXPECT_EQ(test::OpenDescriptors(), descriptors_);
  }

  std::string path() const { return dir_ / "name"; }
  RendezvousListener& listener() { return static_cast<RendezvousListener&>(*listener_); }

  std::unique_ptr<Endpoint> Connect(const std::string& parameters = "") {
    auto endpoint = UnixTransport().Connect(*ParseAddress("unix:" + path() + parameters));
    EXPECT_TRUE(endpoint.ok()) << endpoint.status();
    return *std::move(endpoint);
  }

  void ExpectServes() {
    auto client = Connect();
    ASSERT_EQ(SendFrame(*client, "ping"), Io::kOk) << client->status();
    auto server = AcceptWithin(*listener_);
    ASSERT_NE(server, nullptr);
    EXPECT_EQ(ReceiveFrame(*server), "ping");
    EXPECT_EQ(SendFrame(*server, "pong"), Io::kOk);
    EXPECT_EQ(ReceiveFrame(*client), "pong");
  }

  // Lets the server work until one more connection has failed there, and returns why.
  std::string NextFailure() {
    const int64_t before = failures_seen_;
    const bool came = test::Eventually([&] {
      auto made = listener_->Accept();
      EXPECT_TRUE(made.ok() && *made == nullptr) << "a connection that should have failed was accepted";
      return listener().failures() > before;
    });
    EXPECT_TRUE(came) << "no connection failed";
    failures_seen_ = listener().failures();
    return listener().last_failure();
  }

  // `bytes` and `fds` instead of a greeting: expects a refusal for `reason`, and returns the server's words.
  std::string ExpectRefused(Refusal reason, const std::string& bytes, const std::vector<int>& fds = {},
                            const ucred* credentials = nullptr) {
    UniqueFd peer = RawConnect(path());
    EXPECT_TRUE(RawSend(peer.get(), bytes, fds, credentials)) << ErrnoText(errno);
    const std::string failure = NextFailure();
    ExpectRefusal(peer.get(), reason);
    return failure;
  }
  void ExpectRefusal(int peer, Refusal reason) {
    bool ended = false;
    const std::string answer = RawReceive(peer, &ended);
    EXPECT_TRUE(ended);
    ASSERT_EQ(answer.size(), kGreetingSize);
    EXPECT_EQ(static_cast<GreetingKind>(answer[12]), GreetingKind::kRefusal);
    EXPECT_EQ(static_cast<int>(answer[13]), static_cast<int>(reason));
  }

  TempDir dir_;
  Address address_;
  std::unique_ptr<Listener> listener_;
  int descriptors_ = 0;
  int64_t failures_seen_ = 0;
};

// Timers of this process that are set, by what the kernel says of each descriptor.
int ArmedTimers() {
  int armed = 0;
  for (const std::string& fd : test::FilesIn("/proc/self/fdinfo")) {
    std::ifstream info("/proc/self/fdinfo/" + fd);
    for (std::string line; std::getline(info, line);) {
      if (absl::StartsWith(line, "it_value:") && line != "it_value: (0, 0)") ++armed;
    }
  }
  return armed;
}

TEST_F(Rendezvous, NoTimerIsLeftToWakeAnIdleServer) {
  UniqueFd peer = RawConnect(path());
  auto none = listener_->Accept();
  ASSERT_TRUE(none.ok() && *none == nullptr);
  ASSERT_EQ(listener().half_open(), 1);
  EXPECT_EQ(ArmedTimers(), 1) << "of the greeting that has not come";
  ASSERT_TRUE(RawSend(peer.get(), Encoded(test::ClientGreeting())));
  EXPECT_NE(AcceptWithin(*listener_), nullptr);
  EXPECT_EQ(ArmedTimers(), 0);
}

TEST_F(Rendezvous, BothSidesKnowWhoTheOtherIs) {
  Child child = Child::Run([&](ChildIo& io) {
    auto client = Connect();
    SendFrame(*client, "hello");
    const std::string answer = ReceiveFrame(*client);
    const EndpointInfo& info = client->info();
    io.Say(absl::StrCat(answer, " from pid ", info.peer.has_value() ? info.peer->pid : -1, " uid ",
                        info.peer.has_value() ? info.peer->uid : 99, " death ", info.sees_death));
  });
  auto server = AcceptWithin(*listener_);
  ASSERT_NE(server, nullptr);
  EXPECT_EQ(server->info().transport, "unix");
  EXPECT_EQ(server->info().max_frame, 65536u);
  EXPECT_EQ(server->info().max_fds, 0);
  ASSERT_TRUE(server->info().peer.has_value());
  EXPECT_EQ(server->info().peer->pid, child.pid());
  EXPECT_EQ(server->info().peer->uid, ::geteuid());
  EXPECT_TRUE(server->info().sees_death);
  EXPECT_EQ(ReceiveFrame(*server), "hello");
  EXPECT_EQ(SendFrame(*server, "welcome"), Io::kOk);
  EXPECT_EQ(child.Hear(), absl::StrCat("welcome from pid ", ::getpid(), " uid ", ::geteuid(), " death 1"));
  child.Finish();
}

TEST_F(Rendezvous, TheGreetingAloneIsEnough) {
  auto client = Connect();
  EXPECT_FALSE(client->info().peer.has_value());
  EXPECT_EQ(client->Flush(), Io::kOk);
  auto server = AcceptWithin(*listener_);
  ASSERT_NE(server, nullptr);
  EXPECT_EQ(SendFrame(*server, "first"), Io::kOk);
  EXPECT_EQ(ReceiveFrame(*client), "first");
  ASSERT_TRUE(client->info().peer.has_value());
  EXPECT_GE(client->TakeDeathWatch(), 0);
  EXPECT_GE(server->TakeDeathWatch(), 0);
}

TEST_F(Rendezvous, AGreetingInPiecesIsOne) {
  UniqueFd peer = RawConnect(path());
  const std::string bytes = Encoded(test::ClientGreeting());
  for (size_t i = 0; i < bytes.size(); ++i) {
    ASSERT_TRUE(RawSend(peer.get(), bytes.substr(i, 1)));
    if (i + 1 == bytes.size()) break;
    auto made = listener_->Accept();
    ASSERT_TRUE(made.ok() && *made == nullptr);
    EXPECT_EQ(listener().half_open(), 1);
  }
  auto server = AcceptWithin(*listener_);
  ASSERT_NE(server, nullptr);
  EXPECT_FALSE(server->info().sees_death);  // it sent no pidfd
}

TEST_F(Rendezvous, GarbageIsRefusedAndNamed) {
  EXPECT_HAS(ExpectRefused(Refusal::kNotAGreeting, "GET / HTTP/1.1\r\n"), "received \"GET / HTTP/1.1\\r\\n\"");
  EXPECT_HAS(ExpectRefused(Refusal::kNotAGreeting, "x"), "received \"x\"");
  EXPECT_HAS(ExpectRefused(Refusal::kNotAGreeting, std::string(100'000, '\0')), "does not begin with a greeting");
  const std::string good = Encoded(test::ClientGreeting());
  for (const size_t at : {10u, 15u, 28u}) {  // size, unknown flag, reserved
    std::string bad = good;
    bad[at] = static_cast<char>(bad[at] ^ 0x80);
    ExpectRefused(Refusal::kNotAGreeting, bad);
  }
  std::string welcome = good;
  welcome[12] = static_cast<char>(GreetingKind::kWelcome);
  EXPECT_HAS(ExpectRefused(Refusal::kNotAGreeting, welcome), "not a client's");
}

TEST_F(Rendezvous, EveryMutatedByteOfAGreetingHarmsNothing) {
  const std::string good = Encoded(test::ClientGreeting());
  for (size_t at = 0; at < kGreetingSize; ++at) {
    for (const int bit : {0, 7}) {
      std::string bytes = good;
      bytes[at] = static_cast<char>(bytes[at] ^ (1 << bit));
      UniqueFd peer = RawConnect(path());
      ASSERT_TRUE(RawSend(peer.get(), bytes));
      ::shutdown(peer.get(), SHUT_WR);
      const int64_t before = listener().failures();
      std::unique_ptr<Endpoint> made;
      ASSERT_TRUE(test::Eventually([&] {
        auto accepted = listener_->Accept();
        if (accepted.ok() && *accepted != nullptr) made = *std::move(accepted);
        return made != nullptr || listener().failures() > before;
      }));
    }
  }
}

TEST_F(Rendezvous, AnEndBeforeTheGreetingIsNoticed) {
  { UniqueFd peer = RawConnect(path()); }
  EXPECT_HAS(NextFailure(), "ended after 0 bytes");
  UniqueFd peer = RawConnect(path());
  ASSERT_TRUE(RawSend(peer.get(), Encoded(test::ClientGreeting()).substr(0, 20)));
  peer.Reset();
  EXPECT_HAS(NextFailure(), "ended after 20 bytes");
}

TEST_F(Rendezvous, AnotherVersionIsRefused) {
  std::string bytes = Encoded(test::ClientGreeting());
  bytes[8] = 7;
  EXPECT_HAS(ExpectRefused(Refusal::kVersion, bytes), "speaks greeting version 7, this server 1");
  // A later version may be shorter or longer than ours: sixteen bytes are enough to tell.
  ExpectRefused(Refusal::kVersion, bytes.substr(0, 16));
}

class FakeMedium : public SocketMedium {
 public:
  MediumBit bit() const override { return kMediumShm; }
  absl::string_view name() const override { return "shm"; }
};

TEST_F(Rendezvous, NoCommonMediumIsRefusedOnBothSidesNamingBoth) {
  FakeMedium shm;
  auto endpoint = ConnectRendezvous(address_, Names::kNotAllowed, {&shm});
  ASSERT_TRUE(endpoint.ok());
  EXPECT_EQ(SendFrame(**endpoint, "hello"), Io::kOk);
  EXPECT_HAS(NextFailure(), "proposes shm with frames of 65536 bytes, this server allows unix");
  EXPECT_EQ(ReceiveFrame(**endpoint),
            absl::StrCat("(closed) UNAVAILABLE: ", address_.ToString(),
                         ": no common medium: the server allows unix, this client accepts shm"));
}

TEST_F(Rendezvous, AMediumThatFailsIsRefused) {
  class Failing : public SocketMedium {
   public:
    absl::StatusOr<std::unique_ptr<Endpoint>> Serve(Meeting&) const override {
      return absl::ResourceExhaustedError("no memory for rings");
    }
  };
  Failing failing;
  const Address address = *ParseAddress("unix:" + (dir_ / "failing"));
  auto failing_listener = ListenRendezvous(address, Names::kNotAllowed, {&failing});
  ASSERT_TRUE(failing_listener.ok());
  auto client = UnixTransport().Connect(address);
  ASSERT_EQ(SendFrame(**client, "hello"), Io::kOk);
  EXPECT_TRUE((*failing_listener)->Accept().ok());
  EXPECT_HAS(static_cast<RendezvousListener&>(**failing_listener).last_failure(), "no memory for rings");
  EXPECT_HAS(ReceiveFrame(**client), "could not set up the connection");
}

// ---- identity

TEST_F(Rendezvous, AGreetingFromAnotherProcessThanTheOneThatConnectedIsRefused) {
  UniqueFd peer = RawConnect(path());
  Child child = Child::Run(
      [&](ChildIo& io) { io.Say(RawSend(peer.get(), Encoded(test::ClientGreeting())) ? "sent" : "failed"); });
  ASSERT_EQ(child.Hear(), "sent");
  EXPECT_HAS(NextFailure(),
             absl::StrCat("came from pid ", child.pid(), " of uid ", ::geteuid(), ", not from pid ", ::getpid()));
  ExpectRefusal(peer.get(), Refusal::kIdentity);
}

TEST_F(Rendezvous, ForgedCredentialsAreRefused) {
  if (::geteuid() != 0) GTEST_SKIP() << "the kernel lets only root forge them";
  const ucred other_pid = {::getppid(), ::geteuid(), ::getegid()};
  ExpectRefused(Refusal::kIdentity, Encoded(test::ClientGreeting()), {}, &other_pid);
  const ucred other_uid = {::getpid(), test::kNobody, ::getegid()};
  EXPECT_HAS(ExpectRefused(Refusal::kIdentity, Encoded(test::ClientGreeting()), {}, &other_uid), "of uid 65534");
}

TEST_F(Rendezvous, AFalsePidfdIsRefused) {
  Greeting greeting = test::ClientGreeting();
  greeting.has_pidfd = true;
  greeting.descriptors = 1;
  UniqueFd others(static_cast<int>(::syscall(SYS_pidfd_open, ::getppid(), 0)));
  UniqueFd file(::open("/dev/null", O_RDWR | O_CLOEXEC));
  EXPECT_HAS(ExpectRefused(Refusal::kIdentity, Encoded(greeting), {file.get()}), "not a pidfd of its sender");
  if (!others.valid()) GTEST_SKIP() << "no pidfd_open here";
  EXPECT_HAS(ExpectRefused(Refusal::kIdentity, Encoded(greeting), {others.get()}), "not a pidfd of its sender");
}

TEST_F(Rendezvous, DescriptorsInTheWrongPlaceAreClosedWithTheirConnection) {
  UniqueFd file(::open("/dev/null", O_RDWR | O_CLOEXEC));
  const int fd = file.get();
  const std::string plain = Encoded(test::ClientGreeting());
  EXPECT_HAS(ExpectRefused(Refusal::kNotAGreeting, plain, {fd}), "announces 0 descriptors came with 1");
  Greeting greeting = test::ClientGreeting();
  greeting.has_pidfd = true;
  greeting.descriptors = 1;
  ExpectRefused(Refusal::kNotAGreeting, Encoded(greeting));            // announced, not sent
  ExpectRefused(Refusal::kNotAGreeting, Encoded(greeting), {fd, fd});  // more than announced
  ExpectRefused(Refusal::kBusy, plain, std::vector<int>(17, fd));      // more than anybody may send
  ExpectRefused(Refusal::kBusy, plain, std::vector<int>(60, fd));
  UniqueFd peer = RawConnect(path());  // in the middle
  ASSERT_TRUE(RawSend(peer.get(), plain.substr(0, 10)));
  EXPECT_TRUE(listener_->Accept().ok());
  ASSERT_TRUE(RawSend(peer.get(), plain.substr(10), {fd, fd}));
  EXPECT_HAS(NextFailure(), "in the middle of the greeting");
}

TEST_F(Rendezvous, DescriptorsBesideFramesNeverReachTheProcess) {
  UniqueFd peer = RawConnect(path());
  ASSERT_TRUE(RawSend(peer.get(), Encoded(test::ClientGreeting())));
  auto server = AcceptWithin(*listener_);
  ASSERT_NE(server, nullptr);
  const int before = test::OpenDescriptors();
  const std::string frame("\2\0\0\0\0\0\0\0hi", 10);
  for (int i = 0; i < 20; ++i) {
    ASSERT_TRUE(RawSend(peer.get(), frame, {0, 1, 2}));
    ASSERT_EQ(ReceiveFrame(*server), "hi");
  }
  EXPECT_EQ(test::OpenDescriptors(), before);
}

// ---- servers that a client must not trust

class FalseServer : public ::testing::Test {
 protected:
  void SetUp() override {
    listen_ = RawListen(dir_ / "name");
    ASSERT_TRUE(listen_.valid());
    address_ = *ParseAddress("unix:" + (dir_ / "name"));
  }
  // Connects, sends a frame, and lets the server answer with `bytes`.
  std::string Answered(const std::string& bytes, const std::vector<int>& fds = {}, const ucred* credentials = nullptr) {
    auto client = UnixTransport().Connect(address_);
    EXPECT_TRUE(client.ok());
    EXPECT_EQ(SendFrame(**client, "hello"), Io::kOk);
    UniqueFd peer(::accept4(listen_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    if (!bytes.empty()) {
      EXPECT_TRUE(RawSend(peer.get(), bytes, fds, credentials));
    }
    ::shutdown(peer.get(), SHUT_WR);
    return ReceiveFrame(**client);
  }
  Greeting Welcome() {
    Greeting greeting = test::ClientGreeting();
    greeting.kind = GreetingKind::kWelcome;
    return greeting;
  }

  TempDir dir_;
  UniqueFd listen_;
  Address address_;
};

TEST_F(FalseServer, Garbage) {
  const std::string said = Answered("HTTP/1.1 400 Bad Request\r\n");
  EXPECT_HAS(said, "UNAVAILABLE: " + address_.ToString() + ": no nearcall server answered");
  EXPECT_HAS(said, "received \"HTTP/1.1 400 Bad Request");
}

TEST_F(FalseServer, Nothing) { EXPECT_HAS(Answered(""), "no greeting came"); }

TEST_F(FalseServer, AnotherVersion) {
  std::string bytes = Encoded(Welcome());
  bytes[8] = 9;
  EXPECT_HAS(Answered(bytes), "the server speaks greeting version 9, this client 1");
}

TEST_F(FalseServer, AnAnswerToAnotherQuestion) {
  Greeting other = Welcome();
  other.medium = kMediumShm;
  EXPECT_HAS(Answered(Encoded(other)), "does not answer ours");
  EXPECT_HAS(Answered(Encoded(test::ClientGreeting())), "does not answer ours");
  Greeting refusal = Welcome();
  refusal.kind = GreetingKind::kRefusal;
  refusal.refusal = static_cast<Refusal>(77);
  EXPECT_HAS(Answered(Encoded(refusal)), "reason 77");
}

TEST_F(FalseServer, AFalsePidfd) {
  Greeting welcome = Welcome();
  welcome.has_pidfd = true;
  welcome.descriptors = 1;
  const int before = test::OpenDescriptors();
  EXPECT_HAS(Answered(Encoded(welcome), {listen_.get()}), "PERMISSION_DENIED: " + address_.ToString());
  EXPECT_HAS(Answered(Encoded(Welcome()), std::vector<int>(40, 0)), "RESOURCE_EXHAUSTED");
  EXPECT_EQ(test::OpenDescriptors(), before);
}

// A frame sent along with false credentials is not delivered.
TEST_F(FalseServer, ForgedCredentials) {
  if (::geteuid() != 0) GTEST_SKIP() << "the kernel lets only root forge them";
  const ucred nobody = {::getpid(), test::kNobody, test::kNobody};
  const std::string said = Answered(Encoded(Welcome()) + std::string("\2\0\0\0\0\0\0\0hi", 10), {}, &nobody);
  EXPECT_HAS(said, "PERMISSION_DENIED: " + address_.ToString() + ": the server runs as " + UidText(test::kNobody));
}

// ---- clear errors

std::string ConnectError(const std::string& address) {
  auto endpoint = UnixTransport().Connect(*ParseAddress(address));
  if (!endpoint.ok()) return "(error) " + endpoint.status().ToString();
  return (*endpoint)->status().ToString();
}

TEST(ConnectErrors, NoServer) {
  TempDir dir;
  const std::string path = dir / "name";
  EXPECT_EQ(ConnectError("unix:" + path),
            "UNAVAILABLE: unix:" + path + ": no server is listening: No such file or directory (ENOENT); start it");
  RawListen(path);
  EXPECT_EQ(ConnectError("unix:" + path),
            "UNAVAILABLE: unix:" + path +
                ": no server is listening: Connection refused (ECONNREFUSED), its server has ended; start it");
  auto local = LocalTransport().Connect(*ParseAddress("local:no-such-server"));
  ASSERT_TRUE(local.ok());
  EXPECT_HAS((*local)->status().ToString(), NamesDirectory() + "/no-such-server");
  EXPECT_HAS((*local)->status().ToString(), "local:no-such-server");
}

TEST(ConnectErrors, NotASocket) {
  TempDir dir;
  ASSERT_EQ(::mkdir((dir / "name").c_str(), 0700), 0);
  EXPECT_HAS(ConnectError("unix:" + (dir / "name")), "there is a directory, not a socket");
  UniqueFd fd(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  const sockaddr_un address = SocketAddress(dir / "datagram");
  ASSERT_EQ(::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)), 0);
  EXPECT_HAS(ConnectError("unix:" + (dir / "datagram")), "a socket of another type");
}

TEST(ConnectErrors, BadAddresses) {
  EXPECT_HAS(ConnectError("unix:/" + std::string(107, 'x')), "the limit is 107");
  EXPECT_HAS(ConnectError("unix://relative"), "INVALID_ARGUMENT: unix://relative");
  EXPECT_HAS(ConnectError("unix:/a?colour=red"), "colour");
}

TEST(ConnectErrors, NoPermission) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root to become somebody else";
  TempDir dir(0755);
  auto listener = UnixTransport().Listen(*ParseAddress("unix:" + (dir / "name")));
  ASSERT_TRUE(listener.ok());
  Child nobody = Child::Run([&](ChildIo& io) {
    test::BecomeNobody();
    io.Say(ConnectError("unix:" + (dir / "name")));
  });
  const std::string said = nobody.Hear();
  EXPECT_HAS(said, "PERMISSION_DENIED: unix:" + (dir / "name") + ": cannot connect: Permission denied (EACCES)");
  EXPECT_HAS(said, "belongs to " + UidText(0) + " and its mode is 0600");
}

TEST(ConnectErrors, AServerOfAnotherUserIsRefusedBeforeAByteIsSent) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root to become somebody else";
  TempDir dir(01777);
  const std::string path = dir / "name";
  // User 12345 serves; nobody and root call. Both are let in by the file system, and refuse the server by themselves.
  Child server = Child::Run([&](ChildIo& io) {
    if (::setresgid(12345, 12345, 12345) != 0 || ::setresuid(12345, 12345, 12345) != 0) return;
    UniqueFd listen = RawListen(path);
    ::chmod(path.c_str(), 0666);
    io.Say("ready");
    for (;;) {
      UniqueFd peer(::accept4(listen.get(), nullptr, nullptr, SOCK_CLOEXEC));
      bool ended = false;
      io.Say(absl::StrCat("received ", RawReceive(peer.get(), &ended).size(), " bytes"));
    }
  });
  ASSERT_EQ(server.Hear(), "ready");
  EXPECT_EQ(ConnectError("unix:" + path), "PERMISSION_DENIED: unix:" + path +
                                              ": the server runs as uid 12345, which is neither " + UidText(0) +
                                              " nor root; if that is right, add ?server_uid=12345 to the address");
  EXPECT_EQ(server.Hear(), "received 0 bytes");
  Child nobody = Child::Run([&](ChildIo& io) {
    test::BecomeNobody();
    io.Say(ConnectError("unix:" + path));
  });
  EXPECT_HAS(nobody.Hear(), "the server runs as uid 12345");
  EXPECT_EQ(server.Hear(), "received 0 bytes");
  EXPECT_EQ(ConnectError("unix:" + path + "?server_uid=1&server_uid=12345"), "OK");
}

TEST(Local, AServerOfEitherSchemeServesClientsOfBoth) {
  TempDir dir;
  ::setenv("XDG_RUNTIME_DIR", dir.path().c_str(), 1);
  LocalTransport local;
  UnixTransport plain;
  {
    auto listener = local.Listen(*ParseAddress("local:greeter"));
    ASSERT_TRUE(listener.ok()) << listener.status();
    for (int i = 0; i < 2; ++i) {
      auto client = i == 0 ? local.Connect(*ParseAddress("local:greeter"))
                           : plain.Connect(*ParseAddress("unix:" + (dir / "nearcall/greeter")));
      ASSERT_EQ(SendFrame(**client, "hello"), Io::kOk) << (*client)->status();
      auto server = AcceptWithin(**listener);
      ASSERT_NE(server, nullptr);
      EXPECT_EQ(ReceiveFrame(*server), "hello");
    }
    auto second = local.Listen(*ParseAddress("local:greeter"));
    EXPECT_HAS(second.status().ToString(),
               "ALREADY_EXISTS: local:greeter: another server is live at " + (dir / "nearcall/greeter"));
  }
  EXPECT_EQ(test::FilesIn(dir / "nearcall"), std::vector<std::string>{});
  auto listener = plain.Listen(*ParseAddress("unix://" + (dir / "name")));
  ASSERT_TRUE(listener.ok()) << listener.status();
  auto client = local.Connect(*ParseAddress("local:" + (dir / "name")));
  ASSERT_EQ(SendFrame(**client, "hello"), Io::kOk);
  EXPECT_NE(AcceptWithin(**listener), nullptr);
  ::unsetenv("XDG_RUNTIME_DIR");
}

TEST(Local, ARelativePathMeansTheWorkingDirectoryAtTheTime) {
  TempDir dir;
  char before[4096];
  ASSERT_NE(::getcwd(before, sizeof(before)), nullptr);
  ASSERT_EQ(::chdir(dir.path().c_str()), 0);
  auto listener = UnixTransport().Listen(*ParseAddress("unix:name"));
  ASSERT_TRUE(listener.ok()) << listener.status();
  EXPECT_EQ(ConnectError("unix:name"), "OK");
  ASSERT_EQ(::chdir("/"), 0);
  listener->reset();  // still removes its own
  EXPECT_EQ(test::FilesIn(dir.path()), std::vector<std::string>{});
  ASSERT_EQ(::chdir(before), 0);
}

}  // namespace
}  // namespace nearcall::internal
