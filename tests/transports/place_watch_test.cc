// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// Waiting for a server without polling: what a watch tells, and what it does not.
#include "nearcall/transports/rendezvous/place_watch.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "nearcall/tests/transports/process_util.h"
#include "nearcall/transports/in_process/in_process.h"
#include "nearcall/transports/local/local.h"
#include "nearcall/transports/shm_ring/shm_ring.h"
#include "nearcall/transports/unix_socket/unix_socket.h"

namespace nearcall::internal {
namespace {

namespace fs = std::filesystem;

class PlaceWatchTest : public ::testing::Test {
 protected:
  std::string at(const std::string& rest) const { return dir_.path() + "/" + rest; }
  static void Make(const std::string& path) { std::ofstream(path) << "x"; }
  // Whether the watch says so now. inotify tells before the call that made the change returns.
  static bool Tells(ServerWatch& watch) {
    pollfd entry = {watch.fd(), POLLIN, 0};
    return ::poll(&entry, 1, 0) == 1 && watch.Came();
  }

  test::TempDir dir_;
};

TEST_F(PlaceWatchTest, TellsOfThatNameAlone) {
  const auto watch = WatchPlace(at("server"));
  ASSERT_NE(watch, nullptr);
  ASSERT_TRUE(watch->Arm());
  EXPECT_FALSE(Tells(*watch));
  Make(at("other"));
  Make(at("server.new"));
  EXPECT_FALSE(Tells(*watch));
  fs::rename(at("server.new"), at("server"));  // as a bind does it
  EXPECT_TRUE(Tells(*watch));
  EXPECT_FALSE(Tells(*watch)) << "once";
  Make(at("another"));
  fs::rename(at("another"), at("server"));  // the next server, over the leftover of the last
  EXPECT_TRUE(Tells(*watch));
}

TEST_F(PlaceWatchTest, DirectoriesMayComeLater) {
  const auto watch = WatchPlace(at("a/b/server"));
  ASSERT_TRUE(watch->Arm());
  fs::create_directory(at("a"));
  ASSERT_TRUE(Tells(*watch));
  ASSERT_TRUE(watch->Arm());
  fs::create_directory(at("a/b"));
  ASSERT_TRUE(Tells(*watch));
  ASSERT_TRUE(watch->Arm());
  Make(at("a/b/server"));
  EXPECT_TRUE(Tells(*watch));
}

TEST_F(PlaceWatchTest, DirectoriesMayGoAndComeAgain) {
  fs::create_directory(at("a"));
  const auto watch = WatchPlace(at("a/server"));
  ASSERT_TRUE(watch->Arm());
  fs::remove_all(at("a"));
  ASSERT_TRUE(Tells(*watch));
  ASSERT_TRUE(watch->Arm());
  fs::create_directory(at("a"));
  ASSERT_TRUE(Tells(*watch));
  ASSERT_TRUE(watch->Arm());
  fs::rename(at("a"), at("b"));
  ASSERT_TRUE(Tells(*watch)) << "the watched directory is not at its path any more";
  ASSERT_TRUE(watch->Arm());
  Make(at("b/server"));
  EXPECT_FALSE(Tells(*watch));
}

TEST_F(PlaceWatchTest, TellsOfPermissions) {
  Make(at("server"));
  const auto watch = WatchPlace(at("server"));
  ASSERT_TRUE(watch->Arm());
  ASSERT_EQ(::chmod(at("server").c_str(), 0666), 0);
  EXPECT_TRUE(Tells(*watch));
  ASSERT_EQ(::chmod(dir_.path().c_str(), 0750), 0);
  EXPECT_TRUE(Tells(*watch)) << "of the directory";
}

TEST_F(PlaceWatchTest, WhatCannotBeWatchedIsSaid) {
  ASSERT_EQ(::symlink("elsewhere", at("server").c_str()), 0);
  EXPECT_FALSE(WatchPlace(at("server"))->Arm());
  Make(at("file"));
  EXPECT_FALSE(WatchPlace(at("file/server"))->Arm());
}

TEST_F(PlaceWatchTest, OverflowIsNotSilence) {
  const auto watch = WatchPlace(at("server"));
  ASSERT_TRUE(watch->Arm());
  int most = 0;
  std::ifstream("/proc/sys/fs/inotify/max_queued_events") >> most;
  ASSERT_GT(most, 0);
  if (most > 200'000) GTEST_SKIP() << "this machine queues " << most << " events: too many to fill here";
  for (int i = 0; i < most + 100; ++i) {  // two names in turn: equal events in a row are merged
    const std::string name = at(i % 2 == 0 ? "x" : "y");
    const int fd = ::open(name.c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    ::close(fd);
    ::unlink(name.c_str());
  }
  Make(at("server"));
  EXPECT_TRUE(Tells(*watch));
}

TEST_F(PlaceWatchTest, TellsOfServersOfEachTransport) {
  UnixTransport unix_transport;
  LocalTransport local;
  ShmTransport shm;
  const std::unique_ptr<Transport> in_process = NewInProcessTransport();
  for (Transport* transport : {static_cast<Transport*>(&unix_transport), static_cast<Transport*>(&local),
                               static_cast<Transport*>(&shm), in_process.get()}) {
    const std::string scheme(transport->scheme());
    const Address address = *ParseAddress(scheme + ":" + at("of-" + scheme));
    const auto watch = transport->Watch(address);
    ASSERT_NE(watch, nullptr) << scheme;
    ASSERT_TRUE(watch->Arm()) << scheme;
    EXPECT_FALSE(Tells(*watch)) << scheme;
    const auto other = transport->Listen(*ParseAddress(scheme + ":" + at("other-" + scheme)));
    ASSERT_TRUE(other.ok()) << other.status();
    EXPECT_FALSE(Tells(*watch)) << scheme;
    const auto listener = transport->Listen(address);
    ASSERT_TRUE(listener.ok()) << listener.status();
    EXPECT_TRUE(Tells(*watch)) << scheme;
  }
}

}  // namespace
}  // namespace nearcall::internal
