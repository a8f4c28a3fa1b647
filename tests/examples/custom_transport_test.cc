// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// The conformance suite on examples/custom_transport, bad packets, and calls.
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <memory>
#include <string>

#include "absl/strings/match.h"
#include "greeter.nearcall.h"
#include "nearcall/examples/custom_transport/seqpacket.h"
#include "nearcall/transports/conformance/conformance.h"
#include "nearcall/transports/conformance/drive.h"

namespace nearcall {
namespace {

ConformanceSubject Seqpacket() {
  ConformanceSubject subject;
  subject.transport = &seqpacket::NewTransport;
  subject.address = [](const std::string& directory) { return *ParseAddress("seqpacket:" + directory + "/socket"); };
  return subject;
}

NEARCALL_INSTANTIATE_CONFORMANCE(Seqpacket, Seqpacket());

// Packets that no nearcall peer sends, to a server that has another client, too.
TEST(Seqpacket, BadPacketsEndTheirOwnConnectionOnly) {
  const std::string path = "/tmp/nearcall-seqpacket-" + std::to_string(::getpid());
  auto transport = seqpacket::NewTransport();
  auto listener = transport->Listen(*ParseAddress("seqpacket:" + path));
  ASSERT_TRUE(listener.ok()) << listener.status();
  auto good = transport->Connect((*listener)->address());
  ASSERT_TRUE(good.ok()) << good.status();
  ASSERT_EQ(SendFrame(**good, "hello"), Io::kOk);
  auto served = AcceptOne(**listener);
  ASSERT_NE(served, nullptr);
  std::string first;
  ASSERT_EQ(ReceiveFrame(*served, &first), Io::kOk);

  const struct {
    std::string packet;
    absl::StatusCode code;
  } kCases[] = {
      {std::string("\1\0\0", 3), absl::StatusCode::kInternal},        // too short for a length
      {std::string("\5\0\0\0abcd", 8), absl::StatusCode::kInternal},  // a frame longer than the packet
      {std::string("\xff\xff\xff\xff", 4), absl::StatusCode::kInternal},
      {std::string("\0\0\0\0x", 5), absl::StatusCode::kInternal},  // rubbish behind an empty frame
      {"", absl::StatusCode::kUnavailable},                        // the end, as far as can be told
  };
  for (const auto& each : kCases) {
    UniqueFd bad(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
    sockaddr_un name = {};
    name.sun_family = AF_UNIX;
    std::strncpy(name.sun_path, path.c_str(), sizeof(name.sun_path) - 1);
    ASSERT_EQ(::connect(bad.get(), reinterpret_cast<sockaddr*>(&name), sizeof(name)), 0);
    ASSERT_EQ(::send(bad.get(), each.packet.data(), each.packet.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(each.packet.size()));
    auto end = AcceptOne(**listener);
    ASSERT_NE(end, nullptr);
    EXPECT_LE(ReceiveToTheEnd(*end), 1);
    EXPECT_EQ(end->status().code(), each.code) << end->status();
  }
  EXPECT_TRUE(Transfer(**good, *served, {"still here", ""}));
}

class Greeter final : public hello::v1::Greeter::Service {
  absl::StatusOr<hello::v1::HelloReply> SayHello(ServerContext& context,
                                                 const hello::v1::HelloRequest& request) override {
    hello::v1::HelloReply reply;
    reply.set_text(request.name() + " over " + context.peer().transport);
    return reply;
  }
};

TEST(Seqpacket, CallsGoOverIt) {
  const std::string address = "seqpacket:/tmp/nearcall-seqpacket-call-" + std::to_string(::getpid());
  Greeter greeter;
  Server server(ServerOptions().add_transport(seqpacket::NewTransport()));
  server.AddService(&greeter);
  ASSERT_TRUE(server.Listen(address).ok());
  auto channel = Connect(address, ChannelOptions().add_transport(seqpacket::NewTransport()));
  ASSERT_TRUE(channel.ok()) << channel.status();
  const hello::v1::Greeter::Stub stub(*channel);
  for (const size_t size : {size_t{5}, size_t{1} << 20}) {  // one packet, and many
    hello::v1::HelloRequest request;
    request.set_name(Pattern(size, size));
    for (char& c : *request.mutable_name()) c = static_cast<char>('a' + (c & 15));
    auto reply = stub.SayHello(request).Wait();
    ASSERT_TRUE(reply.ok()) << reply.status();
    EXPECT_EQ(reply->text(), request.name() + " over seqpacket");
  }
  EXPECT_EQ(channel->transport(), "seqpacket");
  EXPECT_TRUE(absl::StrContains(Connect(address).status().message(), "unknown scheme")) << "it is nobody else's";
}

}  // namespace
}  // namespace nearcall
