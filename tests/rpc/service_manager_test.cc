// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// What a running server tells a service manager, which is this test's datagram socket.
#include <poll.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "nearcall/tests/rpc/rpc_test_util.h"

namespace nearcall::test {
namespace {

using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

class Manager {
 public:
  // `name`: a path, or '@' and an abstract name, as in NOTIFY_SOCKET.
  explicit Manager(const std::string& name) : fd_(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {
    sockaddr_un address = {};
    address.sun_family = AF_UNIX;
    ::memcpy(address.sun_path, name.data(), name.size());
    if (name[0] == '@') address.sun_path[0] = '\0';
    const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name.size());
    EXPECT_EQ(::bind(fd_.get(), reinterpret_cast<const sockaddr*>(&address), size), 0);
  }
  // The next message; empty when none has come for so long.
  std::string Hear(int limit_ms = 10'000) {
    pollfd entry = {fd_.get(), POLLIN, 0};
    char text[256];
    if (::poll(&entry, 1, limit_ms) <= 0) return "";
    const ssize_t n = ::recv(fd_.get(), text, sizeof(text), 0);
    return std::string(text, n < 0 ? 0 : static_cast<size_t>(n));
  }
  std::vector<std::string> HearAll() {
    std::vector<std::string> all;
    for (std::string text; !(text = Hear(0)).empty();) all.push_back(text);
    return all;
  }

 private:
  const UniqueFd fd_;
};

class ServiceManagerTest : public RpcTest {
 protected:
  void SetUp() override { Watchdog("", ""); }
  void TearDown() override {
    ::unsetenv("NOTIFY_SOCKET");
    Watchdog("", "");
  }
  static void Watchdog(const std::string& usec, const std::string& pid) {
    const auto set = [](const char* name, const std::string& value) {
      value.empty() ? ::unsetenv(name) : ::setenv(name, value.c_str(), 1);
    };
    set("WATCHDOG_USEC", usec);
    set("WATCHDOG_PID", pid);
  }
  std::string Notify(const std::string& name) {
    ::setenv("NOTIFY_SOCKET", name.c_str(), 1);
    return name;
  }

  ProbeService service_;
};

TEST_F(ServiceManagerTest, ReadyThenWatchdogThenStopping) {
  for (const bool abstract : {false, true}) {
    Manager manager(Notify(abstract ? absl::StrCat("@nearcall-test-", ::getpid()) : directory() / "notify"));
    Watchdog("40000", abstract ? "" : absl::StrCat(::getpid()));
    auto server = Serve(service_, AddressOf("local"));
    EXPECT_THAT(manager.HearAll(), IsEmpty()) << "nothing before it runs";
    std::thread run([&] { server->Run(); });
    EXPECT_EQ(manager.Hear(), "READY=1");
    const Stopwatch watch;
    for (int i = 0; i < 5; ++i) EXPECT_EQ(manager.Hear(), "WATCHDOG=1");
    EXPECT_GE(watch.elapsed(), absl::Milliseconds(80)) << "at half of the time given";
    // The watchdog is fed during the drain too, which a call holds up.
    Event held;
    Event go;
    service_.unary = [&](ServerContext&, const Message& request) -> absl::StatusOr<Message> {
      held.Set();
      go.Wait();
      return request;
    };
    Call<Message> call = ProbeStub(Dial(AddressOf("local"))).Unary(Message());
    ASSERT_TRUE(held.Wait());
    manager.HearAll();
    server->Shutdown(absl::Seconds(10));
    std::string heard;
    while ((heard = manager.Hear()) == "WATCHDOG=1") {
    }
    EXPECT_EQ(heard, "STOPPING=1");
    for (int i = 0; i < 2; ++i) EXPECT_EQ(manager.Hear(), "WATCHDOG=1");
    go.Set();
    EXPECT_TRUE(call.Wait().ok());
    run.join();
    EXPECT_THAT(manager.HearAll(), Each("WATCHDOG=1"));
    EXPECT_EQ(manager.Hear(100), "") << "it runs no more";
  }
}

TEST_F(ServiceManagerTest, OnlyWhoListensIsReady) {
  Manager manager(Notify(directory() / "notify"));
  Server server;
  server.AddService(&service_);
  std::thread run([&] { server.Run(); });
  EXPECT_EQ(manager.Hear(50), "");
  EXPECT_FALSE(server.Listen("nonsense:").ok());
  EXPECT_EQ(manager.Hear(50), "");
  EXPECT_TRUE(server.Listen(AddressOf("unix")).ok());
  EXPECT_EQ(manager.Hear(), "READY=1");
  EXPECT_TRUE(server.Listen(AddressOf("unix", "another")).ok());
  server.Shutdown();
  server.Shutdown();
  run.join();
  EXPECT_THAT(manager.HearAll(), ElementsAre("STOPPING=1"));
}

TEST_F(ServiceManagerTest, AWatchdogOfAnotherProcessOrNoneIsNotFed) {
  Manager manager(Notify(directory() / "notify"));
  for (const auto& [usec, pid] : std::vector<std::pair<std::string, std::string>>{
           {"1000", "1"}, {"", ""}, {"0", ""}, {"-5", ""}, {"soon", ""}, {"18446744073709551615", ""}}) {
    Watchdog(usec, pid);
    auto server = Serve(service_, AddressOf("local"));
    std::thread run([&] { server->Run(); });
    EXPECT_EQ(manager.Hear(), "READY=1");
    EXPECT_EQ(manager.Hear(30), "") << usec;
    server->Shutdown();
    run.join();
    EXPECT_THAT(manager.HearAll(), ElementsAre("STOPPING=1"));
  }
}

TEST_F(ServiceManagerTest, AManagerThatIsNotThereIsNoError) {
  Watchdog("20000", "");
  for (const std::string& name : {directory() / "nobody", "@" + std::string(200, 'x'), std::string("relative")}) {
    Notify(name);
    auto server = Serve(service_, AddressOf("local"));
    std::thread run([&] { server->Run(); });
    EXPECT_TRUE(ProbeStub(Dial(AddressOf("local"))).Unary(Message()).Wait().ok());
    server->Shutdown();
    run.join();
  }
}

}  // namespace
}  // namespace nearcall::test
