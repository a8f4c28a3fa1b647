// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// What fifo: does beside moving frames: who is trusted, requests that are none, what is left over.
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "nearcall/tests/transports/process_util.h"
#include "nearcall/transports/api/poll.h"
#include "nearcall/transports/conformance/drive.h"
#include "nearcall/transports/fifo/fifo.h"
#include "nearcall/transports/fifo/fifo_request.h"

namespace nearcall::internal {
namespace {

using test::Child;
using test::ChildIo;
using test::TempDir;

#define EXPECT_HAS(text, part) EXPECT_TRUE(absl::StrContains(text, part)) << (text) << "\nhas not: " << (part)

Address At(const std::string& path) { return *ParseAddress("fifo:" + path); }

// Why a client cannot connect.
std::string Refused(const std::string& path) {
  auto client = FifoTransport().Connect(At(path));
  return client.ok() ? (*client)->status().ToString() : client.status().ToString();
}

class FifoTest : public ::testing::Test {
 protected:
  std::unique_ptr<Listener> Listen() {
    auto listener = FifoTransport().Listen(At(path_));
    EXPECT_TRUE(listener.ok()) << listener.status();
    return listener.ok() ? *std::move(listener) : nullptr;
  }
  // Connects, is accepted, and exchanges a frame.
  void ExpectServed(Listener& listener) {
    auto client = FifoTransport().Connect(At(path_));
    ASSERT_TRUE(client.ok()) << client.status();
    auto server = AcceptOne(listener);
    ASSERT_NE(server, nullptr) << (*client)->status();
    EXPECT_TRUE(Transfer(**client, *server, {"hello", ""}));
    EXPECT_FALSE(server->info().peer.has_value());
  }
  TempDir dir_;
  const std::string path_ = dir_ / "fifo";
};

TEST_F(FifoTest, NobodyThereIsToldApart) {
  EXPECT_HAS(Refused(path_), "UNAVAILABLE");
  EXPECT_HAS(Refused(path_), "No such file or directory (ENOENT)");
  ASSERT_EQ(::mkfifo(path_.c_str(), 0600), 0);
  EXPECT_HAS(Refused(path_), "(ENXIO), its server has ended; start it");
  ExpectServed(*Listen());
}

TEST_F(FifoTest, ADirectoryThatOthersCanWriteToIsRefusedByBothSides) {
  auto listener = Listen();
  ASSERT_EQ(::chmod(dir_.path().c_str(), 01777), 0);
  EXPECT_HAS(Refused(path_), "PERMISSION_DENIED");
  EXPECT_HAS(Refused(path_), "can be written to by others (mode 1777)");
  const auto second = FifoTransport().Listen(At(dir_ / "other"));
  EXPECT_EQ(second.status().code(), absl::StatusCode::kPermissionDenied);
  EXPECT_TRUE(absl::StrContains(second.status().message(), dir_.path())) << second.status();
  ASSERT_EQ(::chmod(dir_.path().c_str(), 0700), 0);
  ExpectServed(*listener);
}

TEST_F(FifoTest, WhatIsNotAFifoIsLeftAlone) {
  UniqueFd file(::open(path_.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
  EXPECT_EQ(FifoTransport().Listen(At(path_)).status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_HAS(Refused(path_), "is a regular file, not a FIFO");
  EXPECT_EQ(::access(path_.c_str(), F_OK), 0);
}

TEST_F(FifoTest, AnotherUserCannotConnectNorTakeTheName) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root, for a second user";
  ASSERT_EQ(::chmod(dir_.path().c_str(), 0755), 0);
  auto listener = Listen();
  Child child = Child::Run([&](ChildIo& io) {
    test::BecomeNobody();
    io.Say(Refused(path_));
    io.Say(FifoTransport().Listen(At(path_)).status().ToString());
  });
  const std::string connect = child.Hear(), listen = child.Hear();
  EXPECT_HAS(connect, "PERMISSION_DENIED");
  EXPECT_HAS(connect, "(EACCES)");
  EXPECT_HAS(listen, "PERMISSION_DENIED");
  ExpectServed(*listener);
}

TEST_F(FifoTest, BytesThatAreNoRequestAreSkipped) {
  auto listener = Listen();
  UniqueFd raw(::open(path_.c_str(), O_WRONLY | O_NONBLOCK | O_CLOEXEC));
  ASSERT_TRUE(raw.valid());
  std::string lie(kFifoRequestSize, '\0');
  lie.replace(0, kFifoMagic.size(), kFifoMagic.data(), kFifoMagic.size());
  for (const std::string& rubbish :
       {std::string("x"), std::string(1000, 'y'), std::string(kFifoMagic), lie,
        EncodeFifoRequest({kFifoVersion, kFifoMaxFrame, "/nowhere/at-all"}),
        EncodeFifoRequest({kFifoVersion, kFifoMaxFrame, "/dev/null"}), std::string(kFifoMagic.substr(0, 3))}) {
    ASSERT_EQ(::write(raw.get(), rubbish.data(), rubbish.size()), static_cast<ssize_t>(rubbish.size()));
    ExpectServed(*listener);
  }
}

TEST_F(FifoTest, AnotherVersionIsToldSo) {
  auto listener = Listen();
  const std::string pair = dir_ / "pair";
  ASSERT_EQ(::mkfifo((pair + kFifoUp).c_str(), 0600), 0);
  ASSERT_EQ(::mkfifo((pair + kFifoDown).c_str(), 0600), 0);
  UniqueFd up(::open((pair + kFifoUp).c_str(), O_RDWR | O_NONBLOCK | O_CLOEXEC));
  UniqueFd down(::open((pair + kFifoDown).c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
  UniqueFd raw(::open(path_.c_str(), O_WRONLY | O_NONBLOCK | O_CLOEXEC));
  const std::string request = EncodeFifoRequest({7, kFifoMaxFrame, pair});
  ASSERT_EQ(::write(raw.get(), request.data(), request.size()), static_cast<ssize_t>(request.size()));
  auto nobody = listener->Accept();
  ASSERT_TRUE(nobody.ok()) << nobody.status();
  EXPECT_EQ(*nobody, nullptr);
  char bytes[64];
  ASSERT_EQ(::read(down.get(), bytes, sizeof(bytes)), static_cast<ssize_t>(kFifoAnswerSize));
  const auto answer = DecodeFifoAnswer({bytes, kFifoAnswerSize});
  ASSERT_TRUE(answer.has_value());
  EXPECT_EQ(answer->refusal, FifoRefusal::kVersion);
  EXPECT_EQ(answer->version, kFifoVersion);
}

TEST_F(FifoTest, WhatAKilledClientLeftGoesWithTheNextBind) {
  Child client = Child::Run([](ChildIo& io) {
    ::mkdir(NamesDirectory().c_str(), 0700);
    const std::string pair = absl::StrCat(NamesDirectory(), "/fifo-", ::getpid(), "-test");
    ::mkfifo((pair + kFifoUp).c_str(), 0600);
    io.Say(pair + kFifoUp);
    io.AwaitRelease();
  });
  const std::string left = client.Hear();
  ASSERT_EQ(::access(left.c_str(), F_OK), 0) << left;
  { auto listener = Listen(); }
  EXPECT_EQ(::access(left.c_str(), F_OK), 0) << "its process lives";
  client.Kill();
  auto listener = Listen();
  EXPECT_NE(::access(left.c_str(), F_OK), 0) << left;
}

// A server may be called what a dead client's pair is called.
TEST_F(FifoTest, NamesOfServersAreNoLeftPairs) {
  Child gone = Child::Run([](ChildIo&) {});
  const pid_t pid = gone.pid();
  gone.Finish();
  const std::string name = absl::StrCat("fifo-", pid, "-service");
  auto server = FifoTransport().Listen(*ParseAddress("fifo:" + name));
  ASSERT_TRUE(server.ok()) << server.status();
  auto other = Listen();
  EXPECT_EQ(::access((NamesDirectory() + "/" + name).c_str(), F_OK), 0);
}

TEST_F(FifoTest, WithoutDescriptorsTheListenerRests) {
  auto listener = Listen();
  auto client = FifoTransport().Connect(At(path_));
  ASSERT_TRUE(client.ok()) << client.status();
  rlimit before;
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
  rlimit few = before;
  few.rlim_cur = static_cast<rlim_t>(test::OpenDescriptors());
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &few), 0);
  const auto refused = listener->Accept();
  pollfd look = {listener->fd(), POLLIN, 0};
  const int ready = PollUntil(absl::MakeSpan(&look, 1), 0);
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0);
  EXPECT_EQ(refused.status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_HAS(std::string(refused.status().message()), "RLIMIT_NOFILE");
  EXPECT_EQ(ready, 0) << "it does not spin";
  auto server = AcceptOne(*listener);  // the request was kept
  ASSERT_NE(server, nullptr);
  EXPECT_TRUE(Transfer(**client, *server, {"hello"}));
}

// A FIFO that somebody reads, who never serves: a server up to its death. Its client went on waiting for 5 s.
TEST_F(FifoTest, AServerThatDiesBeforeItAnswersIsSeen) {
  for (const bool asleep : {false, true}) {
    SCOPED_TRACE(asleep ? "asleep" : "awake");
    ::unlink(path_.c_str());
    ASSERT_EQ(::mkfifo(path_.c_str(), 0600), 0);
    UniqueFd reader(::open(path_.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
    ASSERT_TRUE(reader.valid());
    auto client = FifoTransport().Connect(At(path_));
    ASSERT_TRUE(client.ok()) << client.status();
    Frame frame;
    ASSERT_EQ((*client)->Borrow(&frame), Io::kWouldBlock);
    std::unique_ptr<Sleeper> sleeper;
    if (asleep) {
      sleeper = std::make_unique<Sleeper>(
          [&] { EXPECT_NE((*client)->Wait(Side::kReceive, After(kPatience)), Io::kWouldBlock); });
      EXPECT_TRUE(sleeper->AwaitAsleep());
    }
    const int64_t died = MonotonicNanos();
    reader.Reset();
    if (asleep) sleeper->Join();
    EXPECT_EQ(ReceiveToTheEnd(**client), 0);
    EXPECT_LT(MonotonicNanos() - died, 2000 * kMillisecond);
    EXPECT_EQ((*client)->status().code(), absl::StatusCode::kUnavailable) << (*client)->status();
  }
}

}  // namespace
}  // namespace nearcall::internal
