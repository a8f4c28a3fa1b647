// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// unix-abstract:: who is admitted, names that are taken, errors that say what to do.
#include <gtest/gtest.h>
#include <unistd.h>

#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "nearcall/tests/transports/process_util.h"
#include "nearcall/tests/transports/rendezvous_util.h"
#include "nearcall/transports/api/errno_status.h"
#include "nearcall/transports/rendezvous/listener.h"
#include "nearcall/transports/unix_socket/abstract_socket.h"

namespace nearcall::internal {
namespace {

using test::AcceptWithin;
using test::Child;
using test::ChildIo;
using test::ReceiveFrame;
using test::SendFrame;

#define EXPECT_HAS(text, part)                                         \
  EXPECT_TRUE(absl::StrContains(std::string(text), std::string(part))) \
      << "\"" << (text) << "\"\nlacks \"" << (part) << "\""

std::string FreshName() {
  static int count = 0;
  return absl::StrCat("unix-abstract:nearcall-test-", ::getpid(), "-", ++count);
}

std::unique_ptr<Listener> Listen(const std::string& address) {
  auto listener = AbstractTransport().Listen(*ParseAddress(address));
  EXPECT_TRUE(listener.ok()) << listener.status();
  return *std::move(listener);
}

std::unique_ptr<Endpoint> Connect(const std::string& address) {
  auto endpoint = AbstractTransport().Connect(*ParseAddress(address));
  EXPECT_TRUE(endpoint.ok()) << endpoint.status();
  return *std::move(endpoint);
}

// What becomes of a call of another user.
std::string AsNobody(Listener& listener, const std::string& address) {
  Child nobody = Child::Run([&](ChildIo& io) {
    test::BecomeNobody();
    auto client = Connect(address);
    SendFrame(*client, "hello");
    io.Say(ReceiveFrame(*client));
  });
  auto server = AcceptWithin(listener, 300);
  if (server != nullptr) SendFrame(*server, ReceiveFrame(*server));
  return nobody.Hear();
}

TEST(Abstract, AdmitsItsOwnUserAndWhoIsNamed) {
  const std::string address = FreshName();
  auto listener = Listen(address);
  auto client = Connect(address);
  ASSERT_EQ(SendFrame(*client, "hello"), Io::kOk) << client->status();
  auto server = AcceptWithin(*listener);
  ASSERT_NE(server, nullptr);
  EXPECT_EQ(server->info().transport, "unix");
  EXPECT_EQ(server->info().peer->pid, ::getpid());
  EXPECT_TRUE(server->info().sees_death);
  EXPECT_EQ(ReceiveFrame(*server), "hello");
  if (::geteuid() != 0) GTEST_SKIP() << "needs root to become somebody else";

  EXPECT_EQ(AsNobody(*listener, address), "(closed) PERMISSION_DENIED: " + address +
                                              ": the server does not admit this client's uid (its address may name "
                                              "it, with client_uid=)");
  EXPECT_HAS(static_cast<RendezvousListener&>(*listener).last_failure(),
             "it runs as " + UidText(test::kNobody) + ", which is neither " + UidText(0) + " nor root");
  for (const char* who : {"65534", "nobody", "any", "1&client_uid=65534"}) {
    const std::string named = FreshName();
    auto lets_in = Listen(named + "?client_uid=" + who);
    EXPECT_EQ(AsNobody(*lets_in, named + "?client_uid=any&server_uid=0"), "hello") << who;
  }
}

TEST(Abstract, RefusesAServerOfAnotherUser) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root to become somebody else";
  const std::string address = FreshName();
  Child squatter = Child::Run([&](ChildIo& io) {
    test::BecomeNobody();
    auto listener = Listen(address);
    io.Say("ready");
    io.AwaitRelease();
  });
  ASSERT_EQ(squatter.Hear(), "ready");
  EXPECT_HAS(Connect(address)->status().ToString(),
             "PERMISSION_DENIED: " + address + ": the server runs as " + UidText(test::kNobody));
  EXPECT_HAS(AbstractTransport().Listen(*ParseAddress(address)).status().ToString(),
             absl::StrCat("ALREADY_EXISTS: ", address, ": another server is live there (pid ", squatter.pid(), " of ",
                          UidText(test::kNobody), ")"));
}

TEST(Abstract, ErrorsNameTheAddress) {
  const std::string address = FreshName();
  EXPECT_EQ(Connect(address)->status().ToString(),
            "UNAVAILABLE: " + address + ": no server is listening: Connection refused (ECONNREFUSED); start it");
  for (const std::string& bad : {std::string("unix-abstract:"), "unix-abstract:" + std::string(108, 'x'),
                                 address + "?mode=0666", address + "?client_uid=no-such-user"}) {
    EXPECT_EQ(AbstractTransport().Listen(*ParseAddress(bad)).status().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_EQ(AbstractTransport().Connect(*ParseAddress(bad)).status().code(), absl::StatusCode::kInvalidArgument);
  }
  EXPECT_TRUE(AbstractTransport().Listen(*ParseAddress("unix-abstract:" + std::string(107, 'x'))).ok());
}

TEST(Abstract, IsFreeAgainAtOnce) {
  const std::string address = FreshName();
  for (int i = 0; i < 3; ++i) {
    auto listener = Listen(address);
    listener = nullptr;
    Child server = Child::Run([&](ChildIo& io) {
      auto own = Listen(address);
      io.Say("ready");
      io.AwaitRelease();
    });
    ASSERT_EQ(server.Hear(), "ready");
    server.Kill();
  }
  EXPECT_HAS(Connect(address)->status().ToString(), "no server is listening");
}

}  // namespace
}  // namespace nearcall::internal
