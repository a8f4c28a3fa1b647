// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// The greeter over a transport that nearcall does not know: it is added to a server's and a channel's options.
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>

#include "greeter.nearcall.h"
#include "nearcall/examples/custom_transport/seqpacket.h"

namespace {

constexpr char kUsage[] = R"(usage: greet serve seqpacket:/path
       greet call seqpacket:/path NAME

serve answers SayHello of hello.v1.Greeter until SIGINT or SIGTERM; call says hello once and prints the reply.
)";

class Greeter final : public hello::v1::Greeter::Service {
  absl::StatusOr<hello::v1::HelloReply> SayHello(nearcall::ServerContext& context,
                                                 const hello::v1::HelloRequest& request) override {
    hello::v1::HelloReply reply;
    reply.set_text("hello " + request.name() + ", over " + context.peer().transport);
    return reply;
  }
};

int Serve(const std::string& address) {
  Greeter greeter;
  nearcall::Server server(nearcall::ServerOptions().add_transport(seqpacket::NewTransport()));
  server.AddService(&greeter);
  if (absl::Status status = server.Listen(address); !status.ok()) return nearcall::ExitWith(status);
  std::printf("listening at %s\n", server.addresses()[0].c_str());
  std::fflush(stdout);
  server.Run();
  return EXIT_SUCCESS;
}

int Call(const std::string& address, const std::string& name) {
  absl::StatusOr<nearcall::Channel> channel =
      nearcall::Connect(address, nearcall::ChannelOptions().add_transport(seqpacket::NewTransport()));
  if (!channel.ok()) return nearcall::ExitWith(channel.status());
  hello::v1::HelloRequest request;
  request.set_name(name);
  absl::StatusOr<hello::v1::HelloReply> reply = hello::v1::Greeter::Stub(*channel).SayHello(request).Wait();
  if (!reply.ok()) return nearcall::ExitWith(reply.status());
  std::printf("%s\n", reply->text().c_str());
  return EXIT_SUCCESS;
}

}  // namespace

int main(int argc, char** argv) {
  const std::string what = argc > 1 ? argv[1] : "";
  if (what == "serve" && argc == 3) return Serve(argv[2]);
  if (what == "call" && argc == 4) return Call(argv[2], argv[3]);
  std::fputs(kUsage, what == "--help" ? stdout : stderr);
  return what == "--help" ? EXIT_SUCCESS : 2;
}
