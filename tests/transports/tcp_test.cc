// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// tcp:: addresses, the token and who may read it, servers and squatters that lie, hostile clients, no descriptors left.
#include <errno.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/timerfd.h>

#include <string>
#include <thread>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "nearcall/tests/transports/process_util.h"
#include "nearcall/tests/transports/rendezvous_util.h"
#include "nearcall/tests/transports/tcp_util.h"
#include "nearcall/transports/api/errno_status.h"
#include "nearcall/transports/tcp_socket/tcp_connector.h"
#include "nearcall/transports/tcp_socket/tcp_greeting.h"
#include "nearcall/transports/tcp_socket/tcp_listener.h"
#include "nearcall/transports/tcp_socket/tcp_place.h"
#include "nearcall/transports/tcp_socket/tcp_socket.h"

namespace nearcall::internal {
namespace {

using test::AcceptWithin;
using test::Child;
using test::ChildIo;
using test::RawReceive;
using test::RawSend;
using test::ReceiveFrame;
using test::SendFrame;
using test::TempDir;

#define EXPECT_HAS(text, part)                                         \
  EXPECT_TRUE(absl::StrContains(std::string(text), std::string(part))) \
      << "\"" << (text) << "\"\nlacks \"" << (part) << "\""

constexpr size_t kKindAt = 12, kRefusalAt = 13, kTokenAt = 24;

std::string PlaceText(const std::string& address) {
  absl::StatusOr<TcpPlace> place = TcpPlaceOf(*ParseAddress(address));
  return place.ok() ? place->Text() : std::string(place.status().ToString());
}

TEST(TcpAddress, Spellings) {
  EXPECT_EQ(PlaceText("tcp:4000"), "127.0.0.1:4000");
  EXPECT_EQ(PlaceText("tcp:127.0.0.1:4000"), "127.0.0.1:4000");
  EXPECT_EQ(PlaceText("tcp:127.9.8.7:1"), "127.9.8.7:1");
  EXPECT_EQ(PlaceText("tcp:localhost:65535"), "127.0.0.1:65535");
  EXPECT_EQ(PlaceText("tcp:[::1]:4000"), "[::1]:4000");
  EXPECT_EQ(PlaceText("tcp:10.0.0.1:4000?allow=remote"), "10.0.0.1:4000");
  EXPECT_EQ(PlaceText("tcp:[fe80::1]:4000?allow=remote"), "[fe80::1]:4000");
}

TEST(TcpAddress, WhatIsWrongIsNamed) {
  for (const char* bad :
       {"tcp:", "tcp:0x10", "tcp:65536", "tcp:-1", "tcp:+1", "tcp: 1",
        "tcp:127.0.0.1:", "tcp:127.0.0.1:99999999999999999999", "tcp:::1:4000", "tcp:[127.0.0.1]:4000", "tcp::4000",
        "tcp:[::1]", "tcp:1?token=some", "tcp:1?allow=all", "tcp:1?token_file=", "tcp:1?token=none&token_file=/x",
        "tcp:1?colour=red", "tcp:example.com:80"}) {
    EXPECT_HAS(PlaceText(bad), "INVALID_ARGUMENT");
    EXPECT_HAS(PlaceText(bad), bad);
  }
  for (const char* remote : {"tcp:0.0.0.0:4000", "tcp:10.0.0.1:4000", "tcp:[::]:4000", "tcp:[::ffff:10.0.0.1]:4000"}) {
    EXPECT_HAS(PlaceText(remote), "add ?allow=remote");
    EXPECT_EQ(TcpTransport().Connect(*ParseAddress(remote)).status().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_EQ(TcpTransport().Listen(*ParseAddress(remote)).status().code(), absl::StatusCode::kInvalidArgument);
  }
  EXPECT_EQ(TcpTransport().Connect(*ParseAddress("tcp:0")).status().code(), absl::StatusCode::kInvalidArgument);
}

UniqueFd RawTcpConnect(const std::string& address) {
  const absl::StatusOr<TcpPlace> place = TcpPlaceOf(*ParseAddress(address));
  UniqueFd fd(::socket(place->address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (::connect(fd.get(), place->name(), place->size()) != 0) fd.Reset();
  return fd;
}

UniqueFd RawTcpListen(const std::string& address) {
  const absl::StatusOr<TcpPlace> place = TcpPlaceOf(*ParseAddress(address));
  UniqueFd fd(::socket(place->address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const int on = 1;
  ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  if (::bind(fd.get(), place->name(), place->size()) != 0 || ::listen(fd.get(), 16) != 0) fd.Reset();
  return fd;
}

std::string Encoded(const TcpGreeting& greeting) {
  const auto bytes = EncodeTcpGreeting(greeting);
  return std::string(bytes.data(), bytes.size());
}

// A directory of names of its own, and a server in it.
class Tcp : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_EQ(::setenv("XDG_RUNTIME_DIR", dir_.path().c_str(), 1), 0);
    Start(place());
  }
  void TearDown() override {
    if (listener_ != nullptr) {
      ExpectServes();
      EXPECT_EQ(listener().half_open(), 0);
      EXPECT_EQ(test::OpenDescriptors(), descriptors_);
      listener_ = nullptr;
    }
    EXPECT_EQ(test::FilesIn(names()), std::vector<std::string>{});
    ::rmdir(names().c_str());
    ::unsetenv("XDG_RUNTIME_DIR");
  }

  std::string names() const { return dir_ / "nearcall"; }
  std::string place() const { return "tcp:" + test::OwnTcpPlace(dir_.path()); }
  std::string TokenPath() const { return TcpPlaceOf(*ParseAddress(address_))->TokenPath(); }
  TcpListener& listener() { return static_cast<TcpListener&>(*listener_); }

  void Start(const std::string& address) {
    listener_ = nullptr;
    auto listener = TcpTransport().Listen(*ParseAddress(address));
    ASSERT_TRUE(listener.ok()) << listener.status();
    listener_ = *std::move(listener);
    address_ = listener_->address().ToString();
    descriptors_ = test::OpenDescriptors();
    failures_seen_ = 0;
  }

  static std::unique_ptr<Endpoint> Connect(const std::string& address) {
    auto endpoint = TcpTransport().Connect(*ParseAddress(address));
    EXPECT_TRUE(endpoint.ok()) << endpoint.status();
    return *std::move(endpoint);
  }

  void ExpectServes() { ExpectServes(address_); }
  void ExpectServes(const std::string& address) {
    auto client = Connect(address);
    auto server = AcceptWithin(*listener_);
    ASSERT_NE(server, nullptr) << client->status();
    ASSERT_EQ(SendFrame(*client, "ping"), Io::kOk) << client->status();
    EXPECT_EQ(ReceiveFrame(*server), "ping");
    EXPECT_EQ(SendFrame(*server, "pong"), Io::kOk);
    EXPECT_EQ(ReceiveFrame(*client), "pong");
  }

  // What a client at `address` comes to, as its status' text, while the server works.
  std::string Refused(const std::string& address) {
    auto client = Connect(address);
    if (!client->status().ok()) return client->status().ToString();
    NextFailure();
    return ReceiveFrame(*client);
  }

  std::string NextFailure() {
    const int64_t before = failures_seen_;
    EXPECT_TRUE(test::Eventually([&] {
      auto made = listener_->Accept();
      EXPECT_TRUE(made.ok() && *made == nullptr) << "a connection that should have failed was accepted";
      return listener().failures() > before;
    })) << "no connection failed";
    failures_seen_ = listener().failures();
    return listener().last_failure();
  }

  std::string ExpectRefused(TcpRefusal reason, const std::string& bytes) {
    UniqueFd peer = RawTcpConnect(address_);
    EXPECT_TRUE(RawSend(peer.get(), bytes));
    const std::string failure = NextFailure();
    bool ended = false;
    const std::string answer = RawReceive(peer.get(), &ended);
    EXPECT_TRUE(ended);
    EXPECT_EQ(answer.size(), kTcpGreetingSize);
    if (answer.size() != kTcpGreetingSize) return failure;
    EXPECT_EQ(static_cast<TcpGreetingKind>(answer[kKindAt]), TcpGreetingKind::kRefusal);
    EXPECT_EQ(static_cast<int>(answer[kRefusalAt]), static_cast<int>(reason));
    EXPECT_EQ(answer.substr(kTokenAt), std::string(kTokenHalf, '\0')) << "a refusal tells nothing of the token";
    return failure;
  }

  TempDir dir_;
  std::unique_ptr<Listener> listener_;
  std::string address_;
  int descriptors_ = 0;
  int64_t failures_seen_ = 0;
};

TEST_F(Tcp, InfoSaysWhatItHasNot) {
  auto client = Connect(address_);
  auto server = AcceptWithin(*listener_);
  ASSERT_NE(server, nullptr);
  ASSERT_EQ(SendFrame(*client, "hello"), Io::kOk);
  for (const Endpoint* end : {client.get(), server.get()}) {
    EXPECT_EQ(end->info().transport, "tcp");
    EXPECT_FALSE(end->info().peer.has_value());
    EXPECT_FALSE(end->info().sees_death);
    EXPECT_TRUE(end->info().may_lose_last);
    EXPECT_EQ(end->info().max_fds, 0);
  }
}

TEST_F(Tcp, PortZeroIsFilledIn) {
  Start("tcp:0");
  const TcpPlace place = *TcpPlaceOf(*ParseAddress(address_));
  EXPECT_NE(place.port(), 0);
  EXPECT_EQ(place.Host(), "127.0.0.1");
  ExpectServes(absl::StrCat("tcp:", place.port()));
  ExpectServes(absl::StrCat("tcp:localhost:", place.port()));
}

TEST_F(Tcp, Ipv6) {
  const absl::Status six = TcpTransport().Listen(*ParseAddress("tcp:[::1]:0")).status();
  if (absl::StrContains(six.message(), "EADDRNOTAVAIL")) GTEST_SKIP() << six;
  Start("tcp:[::1]:0");
  EXPECT_TRUE(absl::StartsWith(address_, "tcp:[::1]:")) << address_;
  ExpectServes();
  EXPECT_HAS(Connect(absl::StrCat("tcp:", TcpPlaceOf(*ParseAddress(address_))->port()))->status().ToString(),
             "no server is listening");
}

TEST_F(Tcp, NobodyThere) {
  const std::string address = "tcp:" + test::OwnTcpPlace("nobody");
  EXPECT_EQ(Connect(address)->status().ToString(),
            "UNAVAILABLE: " + address + ": no server is listening: Connection refused (ECONNREFUSED)");
}

TEST_F(Tcp, ATakenPortIsAlreadyExists) {
  const std::string taken = "tcp:" + test::OwnTcpPlace("taken");
  UniqueFd other = RawTcpListen(taken);
  ASSERT_TRUE(other.valid());
  const absl::Status status = TcpTransport().Listen(*ParseAddress(taken)).status();
  EXPECT_HAS(status.ToString(), "ALREADY_EXISTS: " + taken + ": cannot bind: Address already in use (EADDRINUSE)");
  const absl::Status own = TcpTransport().Listen(*ParseAddress(address_)).status();
  EXPECT_HAS(own.ToString(), "ALREADY_EXISTS: " + address_);
}

// Two that have bound the port and do not listen yet: the second must not touch the first one's token.
TEST_F(Tcp, ATokenThatAnotherServerHoldsIsLeftAlone) {
  const std::string other = "tcp:" + test::OwnTcpPlace("other") + "?token_file=" + TokenPath();
  EXPECT_HAS(TcpTransport().Listen(*ParseAddress(other)).status().ToString(),
             "ALREADY_EXISTS: " + other + ": another server is live at " + TokenPath());
}

TEST_F(Tcp, TheTokenIsItsOwnersAlone) {
  struct stat found;
  ASSERT_EQ(::stat(TokenPath().c_str(), &found), 0);
  EXPECT_EQ(found.st_mode & 07777, 0600u);
  ASSERT_EQ(::stat(names().c_str(), &found), 0);
  EXPECT_EQ(found.st_mode & 07777, 0700u);
  const Token first = *ReadToken(TokenPath(), true);
  EXPECT_FALSE(SameHalf(first.client, first.server));
  Start(place());
  EXPECT_FALSE(SameHalf(first.client, ReadToken(TokenPath(), true)->client)) << "each server has its own";
  const mode_t umask = ::umask(0777);
  Start(place());
  ::umask(umask);
  ExpectServes();
}

TEST_F(Tcp, AWrongTokenIsRefused) {
  const std::string copy = dir_ / "copy";
  const auto with = [&](const std::string& text, mode_t mode) {
    ::unlink(copy.c_str());
    UniqueFd file(::open(copy.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
    EXPECT_EQ(::write(file.get(), text.data(), text.size()), static_cast<ssize_t>(text.size()));
    ::fchmod(file.get(), mode);
    return address_ + "?token_file=" + copy;
  };
  const std::string wrong = std::string(64, 'a') + "\n" + std::string(64, 'b') + "\n";
  const std::string said = Refused(with(wrong, 0600));
  EXPECT_HAS(said, "PERMISSION_DENIED: " + address_);
  EXPECT_HAS(said, "did not accept the token in " + copy);
  EXPECT_HAS(listener().last_failure(), "its token is wrong");
  // Not even tried.
  for (const std::string& none : {std::string(), std::string("x"), wrong + "\n", wrong.substr(1),
                                  std::string(64, 'A') + "\n" + std::string(64, 'b') + "\n"}) {
    EXPECT_HAS(Connect(with(none, 0600))->status().ToString(), "there is no token in " + copy);
  }
  EXPECT_HAS(Connect(with(wrong, 0640))->status().ToString(), "its mode is 0640; run chmod 600");
  EXPECT_HAS(Connect(with(wrong, 0602))->status().ToString(), "PERMISSION_DENIED");
  ::unlink(copy.c_str());
  ASSERT_EQ(::mkfifo(copy.c_str(), 0600), 0);
  EXPECT_HAS(Connect(address_ + "?token_file=" + copy)->status().ToString(), "is a FIFO, not a regular file");
  ::unlink(copy.c_str());
}

TEST_F(Tcp, NoTokenAtAllSaysWhatToDo) {
  const std::string said = Connect(address_ + "?token_file=" + (dir_ / "none"))->status().ToString();
  EXPECT_HAS(said, "PERMISSION_DENIED: " + address_);
  EXPECT_HAS(said, "there is no token at " + (dir_ / "none"));
  EXPECT_HAS(said, "?token=none");
  EXPECT_HAS(Refused(address_ + "?token=none"), "PERMISSION_DENIED");
  EXPECT_HAS(listener().last_failure(), "it has no token");
}

TEST_F(Tcp, AnOpenServerIsForThoseWhoSayThatItIs) {
  const std::string token = dir_ / "token";
  Start(place() + "?token=none");
  {
    auto other = TcpTransport().Listen(*ParseAddress("tcp:" + test::OwnTcpPlace("other") + "?token_file=" + token));
    ASSERT_TRUE(other.ok());
    EXPECT_EQ(test::FilesIn(names()), std::vector<std::string>{});
    EXPECT_HAS(Refused(place()), "there is no token at");
    EXPECT_HAS(Refused(place() + "?token_file=" + token), "the server has no token to prove itself by");
  }
  ExpectServes(place() + "?token=none");
}

TEST_F(Tcp, AnotherUserIsRefused) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root to become somebody else";
  ::chmod(dir_.path().c_str(), 0755);
  Child nobody = Child::Run([&](ChildIo& io) {
    test::BecomeNobody();
    io.Say(Connect(address_)->status().ToString());
    io.Say(Connect(address_ + "?token_file=" + TokenPath())->status().ToString());
    UniqueFd peer = RawTcpConnect(address_);
    TcpGreeting guess;
    guess.token.emplace();
    RawSend(peer.get(), Encoded(guess));
    bool ended = false;
    const size_t size = RawReceive(peer.get(), &ended).size();
    io.Say(absl::StrCat(size, " bytes, ", ended));
  });
  EXPECT_HAS(nobody.Hear(), "PERMISSION_DENIED: " + address_);
  EXPECT_HAS(nobody.Hear(), "PERMISSION_DENIED: " + address_);
  while (listener().failures() < 3 && !HasFailure()) NextFailure();  // two have left without a word
  EXPECT_HAS(listener().last_failure(), "its token is wrong");
  EXPECT_EQ(nobody.Hear(), absl::StrCat(kTcpGreetingSize, " bytes, 1"));
  ::chmod(dir_.path().c_str(), 0700);
}

// A file that another user made says nothing about who listens.
TEST_F(Tcp, AnotherUsersTokenIsNotTrusted) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root to give a file away";
  const std::string copy = dir_ / "copy";
  UniqueFd file(::open(copy.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
  ASSERT_EQ(::fchown(file.get(), test::kNobody, test::kNobody), 0);
  EXPECT_HAS(Connect(address_ + "?token_file=" + copy)->status().ToString(), "belongs to " + UidText(test::kNobody));
  ASSERT_EQ(::chown(names().c_str(), test::kNobody, test::kNobody), 0);
  EXPECT_HAS(Connect(address_)->status().ToString(),
             "the directory " + names() + " belongs to " + UidText(test::kNobody));
  ASSERT_EQ(::chown(names().c_str(), 0, 0), 0);
  const std::string link = dir_ / "link";
  ASSERT_EQ(::rename(TokenPath().c_str(), link.c_str()), 0);
  ASSERT_EQ(::symlink(link.c_str(), TokenPath().c_str()), 0);
  EXPECT_HAS(Connect(address_)->status().ToString(), "PERMISSION_DENIED");
  ASSERT_EQ(::rename(link.c_str(), TokenPath().c_str()), 0);
}

// ---- whoever took the port of a dead server

class Squatted : public Tcp {
 protected:
  // The server dies, its token stays, and the port is ours.
  void SetUp() override {
    Tcp::SetUp();
    listener_ = nullptr;
    Child server = Child::Run([&](ChildIo& io) {
      auto listener = TcpTransport().Listen(*ParseAddress(address_));
      io.Say(listener.ok() ? "ready" : listener.status().ToString());
      io.AwaitRelease();
    });
    ASSERT_EQ(server.Hear(), "ready");
    server.Kill();
    listen_ = RawTcpListen(address_);
    ASSERT_TRUE(listen_.valid());
    token_ = *ReadToken(TokenPath(), true);
  }
  void TearDown() override {
    listen_.Reset();
    Start(place());  // what the dead one left is replaced
    Tcp::TearDown();
  }
  // Lets a client send a request; the squatter answers with `answer` and takes all that comes.
  std::string Answered(const std::string& answer) {
    auto client = Connect(address_);
    absl::Span<char> space;
    EXPECT_EQ(client->Reserve(7, &space), Io::kWouldBlock) << "no frame before the server's half";
    UniqueFd peer(::accept4(listen_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    EXPECT_TRUE(answer.empty() || RawSend(peer.get(), answer));
    EXPECT_EQ(SendFrame(*client, "request"), Io::kClosed);
    const std::string said = client->status().ToString();
    client.reset();
    bool ended = false;
    const std::string got = RawReceive(peer.get(), &ended);
    EXPECT_TRUE(ended);
    EXPECT_EQ(got.size(), kTcpGreetingSize) << "the greeting, and nothing else";
    EXPECT_EQ(got.find(std::string(token_.server.data(), kTokenHalf)), std::string::npos);
    return said;
  }

  UniqueFd listen_;
  Token token_;
};

TEST_F(Squatted, LearnsNoRequestAndNotTheServersHalf) {
  TcpGreeting welcome;
  welcome.kind = TcpGreetingKind::kWelcome;
  const std::string denied = "PERMISSION_DENIED: " + address_ + ": who listens there does not know the token in ";
  EXPECT_HAS(Answered(Encoded(welcome)), denied);
  welcome.token = token_.client;  // what it was sent
  EXPECT_HAS(Answered(Encoded(welcome)), denied);
  EXPECT_HAS(Answered("HTTP/1.1 400 Bad Request\r\n\r\n"),
             "UNAVAILABLE: " + address_ + ": no nearcall server answered");
  std::string other = Encoded(welcome);
  other[8] = 9;
  EXPECT_HAS(Answered(other), "the peer speaks greeting version 9, this side 1");
  TcpGreeting echo;
  echo.token = token_.client;
  EXPECT_HAS(Answered(Encoded(echo)), "does not answer ours");
}

TEST_F(Squatted, ThatSaysNothingIsGivenUpAfterFiveSeconds) {
  const int64_t begin = MonotonicNanos();
  EXPECT_HAS(Answered(""), "UNAVAILABLE: " + address_ + ": nobody has answered for 5 s");
  EXPECT_GE(MonotonicNanos() - begin, 4'900'000'000);
  EXPECT_LE(MonotonicNanos() - begin, 8'000'000'000);
}

TEST_F(Squatted, CloseWakesWhoeverWaits) {
  auto client = Connect(address_);
  std::thread closer([&] {
    ::poll(nullptr, 0, 30);
    client->Close(absl::CancelledError("enough"));
  });
  EXPECT_EQ(ReceiveFrame(*client), "(closed) CANCELLED: enough");
  closer.join();
}

// ---- hostile clients

TEST_F(Tcp, GarbageIsRefusedAndNamed) {
  EXPECT_HAS(ExpectRefused(TcpRefusal::kNotAGreeting, "x"), "received \"x\"");
  EXPECT_HAS(ExpectRefused(TcpRefusal::kNotAGreeting, "GET / HTTP/1.1\r\n"), "received \"GET / HTTP/1.1\\r\\n\"");
  const std::string good = Encoded(TcpGreeting());
  for (const size_t at : {10u, 14u, 20u}) {  // size, unknown flag, reserved
    std::string bad = good;
    bad[at] = static_cast<char>(bad[at] ^ 0x80);
    ExpectRefused(TcpRefusal::kNotAGreeting, bad);
  }
  std::string version = good;
  version[8] = 7;
  EXPECT_HAS(ExpectRefused(TcpRefusal::kVersion, version.substr(0, 16)), "speaks greeting version 7");
  TcpGreeting greeting;
  greeting.token = ReadToken(TokenPath(), true)->client;
  greeting.max_frame = 1 << 20;
  EXPECT_HAS(ExpectRefused(TcpRefusal::kMaxFrame, Encoded(greeting)), "frames of 1048576 bytes");
  greeting.kind = TcpGreetingKind::kWelcome;
  EXPECT_HAS(ExpectRefused(TcpRefusal::kNotAGreeting, Encoded(greeting)), "not a client's");
  greeting.kind = TcpGreetingKind::kClient;
  greeting.max_frame = kTcpMaxFrame;
  greeting.token->back() ^= 1;
  EXPECT_HAS(ExpectRefused(TcpRefusal::kWrongToken, Encoded(greeting)), "its token is wrong");
  EXPECT_EQ(ExpectRefused(TcpRefusal::kNotAGreeting, std::string(56, '\0')).find(std::string(1, '\0')),
            std::string::npos);
}

TEST_F(Tcp, GarbageDisturbsNobodyElse) {
  auto client = Connect(address_);
  auto server = AcceptWithin(*listener_);
  ASSERT_NE(server, nullptr);
  for (int i = 0; i < 20; ++i) {
    UniqueFd peer = RawTcpConnect(address_);
    RawSend(peer.get(), std::string(static_cast<size_t>(1) << i, 'x'));
    NextFailure();
    ASSERT_EQ(SendFrame(*client, "undisturbed"), Io::kOk);
    ASSERT_EQ(ReceiveFrame(*server), "undisturbed");
  }
}

TEST_F(Tcp, AnEndBeforeTheGreetingIsNoticed) {
  { UniqueFd peer = RawTcpConnect(address_); }
  EXPECT_HAS(NextFailure(), "ended after 0 bytes");
  UniqueFd peer = RawTcpConnect(address_);
  ASSERT_TRUE(RawSend(peer.get(), Encoded(TcpGreeting()).substr(0, 20)));
  peer.Reset();
  EXPECT_HAS(NextFailure(), "ended after 20 bytes");
}

TEST_F(Tcp, HalfOpenConnectionsAreBoundedInNumberAndTime) {
  const int64_t begin = MonotonicNanos();
  std::vector<UniqueFd> silent;
  for (int i = 0; i < kMaxHalfOpenPerKey + 10; ++i) silent.push_back(RawTcpConnect(address_));
  ASSERT_TRUE(test::Eventually([&] {
    EXPECT_TRUE(listener_->Accept().ok());
    return listener().failures() == 10;
  }));
  EXPECT_HAS(listener().last_failure(), "half-open connections of its host");
  EXPECT_EQ(listener().half_open(), kMaxHalfOpenPerKey);
  ExpectServes();
  while (listener().half_open() > 0 && MonotonicNanos() - begin < 15'000'000'000) {
    pollfd entry = {listener_->fd(), POLLIN, 0};
    ::poll(&entry, 1, 1000);
    EXPECT_TRUE(listener_->Accept().ok());
  }
  EXPECT_HAS(listener().last_failure(), "no complete greeting within 5 s");
  EXPECT_GE(MonotonicNanos() - begin, kGreetingTimeoutNanos);
  EXPECT_LE(MonotonicNanos() - begin, 8'000'000'000);
  bool ended = false;
  const std::string refusal = RawReceive(silent.back().get(), &ended);
  ASSERT_EQ(refusal.size(), kTcpGreetingSize);
  EXPECT_EQ(static_cast<TcpRefusal>(refusal[kRefusalAt]), TcpRefusal::kTimeout);
}

TEST_F(Tcp, WithoutDescriptorsTheServerRestsAndGoesOn) {
  auto client = Connect(address_);
  rlimit before;
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
  UniqueFd next(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  const rlimit none = {static_cast<rlim_t>(next.get() + 2), before.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &none), 0);
  for (int i = 0; i < 2; ++i) {
    const absl::Status status = listener_->Accept().status();
    EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
    EXPECT_HAS(status.message(), address_ + ": cannot accept a connection: Too many open files (EMFILE)");
  }
  pollfd entry = {listener_->fd(), POLLIN, 0};
  EXPECT_EQ(::poll(&entry, 1, 0), 0) << "it rests";
  EXPECT_EQ(::poll(&entry, 1, 5000), 1) << "and looks again";
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0);
  EXPECT_NE(AcceptWithin(*listener_), nullptr);
}

// ---- coming and going

TEST_F(Tcp, AWatchTellsWhenTheServerCanBeReached) {
  listener_ = nullptr;
  ::rmdir(names().c_str());
  TcpTransport tcp;
  std::unique_ptr<ServerWatch> watch = tcp.Watch(*ParseAddress(address_));
  ASSERT_NE(watch, nullptr);
  ASSERT_TRUE(watch->Arm());
  Child server = Child::Run([&](ChildIo& io) {
    io.Hear();
    auto listener = tcp.Listen(*ParseAddress(address_));
    test::EchoForever(**listener);
  });
  server.Say("now");
  // As a channel does: woken, it arms, tries, and sleeps again if there is nobody yet. The last event comes late
  // enough.
  std::unique_ptr<Endpoint> client;
  for (bool reached = false; !reached;) {
    pollfd entry = {watch->fd(), POLLIN, 0};
    ASSERT_EQ(::poll(&entry, 1, 10'000), 1) << "nobody told that the server had come";
    if (!watch->Came()) continue;
    ASSERT_TRUE(watch->Arm());
    client = Connect(address_);
    reached = !absl::StrContains(client->status().ToString(), "no server is listening");
  }
  EXPECT_EQ(SendFrame(*client, "hello"), Io::kOk) << client->status();
  EXPECT_EQ(ReceiveFrame(*client), "hello");
  EXPECT_EQ(tcp.Watch(*ParseAddress(address_ + "?token=none")), nullptr);
  watch = nullptr;
  client = nullptr;
  server = Child();
  Start(place());
}

TEST_F(Tcp, AKilledServersPortAndTokenAreTakenOver) {
  listener_ = nullptr;
  for (int i = 0; i < 5; ++i) {
    Child server = Child::Run([&](ChildIo& io) {
      auto listener = TcpTransport().Listen(*ParseAddress(address_));
      io.Say(listener.ok() ? "ready" : listener.status().ToString());
      if (listener.ok()) test::EchoForever(**listener);
    });
    ASSERT_EQ(server.Hear(), "ready");
    auto client = Connect(address_);
    ASSERT_EQ(SendFrame(*client, "hello"), Io::kOk) << client->status();
    EXPECT_EQ(ReceiveFrame(*client), "hello");
    server.Kill();
    EXPECT_HAS(ReceiveFrame(*client), "UNAVAILABLE");
  }
  Start(place());
}

TEST_F(Tcp, AForkedChildsCopyRemovesNothing) {
  Child child = Child::Run([&](ChildIo& io) {
    listener_ = nullptr;
    io.Say("destroyed");
    io.AwaitRelease();
  });
  ASSERT_EQ(child.Hear(), "destroyed");
  child.Finish();
  ExpectServes();
}

// A client whose own port is the one that it looks for meets itself, now and then, where nobody listens.
TEST_F(Tcp, AClientThatMeetsItselfSaysThatNobodyListens) {
  const std::string address = "tcp:" + test::OwnTcpPlace(dir_ / "itself") + "?token=none";
  const TcpPlace place = *TcpPlaceOf(*ParseAddress(address));
  UniqueFd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  const int on = 1;  // what is left of it in the kernel is in nobody's way
  ::setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  ASSERT_EQ(::bind(socket.get(), place.name(), place.size()), 0) << ErrnoText(errno);
  UniqueFd timer(::timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK));
  const int fd = socket.get();
  std::unique_ptr<ByteIo> io = NewSocketIo(std::move(socket));
  TcpClientHandshake handshake(address, place, fd, std::move(timer));
  absl::Status why;
  EXPECT_TRUE(test::Eventually([&, first = true]() mutable {
    return (std::exchange(first, false) ? handshake.Start(*io, &why) : handshake.Connect(*io, &why)) == Io::kClosed;
  }));
  EXPECT_HAS(why.ToString(), "no server is listening");
}

}  // namespace
}  // namespace nearcall::internal
