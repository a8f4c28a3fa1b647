// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// A server that logs its calls and takes only those that carry the token. Its methods know nothing of either.
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>

#include "greeter.nearcall.h"
#include "nearcall/examples/interceptors/call_log.h"
#include "nearcall/examples/interceptors/token.h"

using namespace hello::v1;

namespace {

constexpr char kUsage[] = R"(usage: server ADDRESS TOKEN_FILE

Serves SayHello and Countdown of hello.v1.Greeter at ADDRESS, until SIGINT or SIGTERM, to who sends the token that is
TOKEN_FILE's first line. A line for each call goes to stdout.
)";

class GreeterService final : public Greeter::Service {
  absl::StatusOr<HelloReply> SayHello(nearcall::ServerContext&, const HelloRequest& request) override {
    HelloReply reply;
    reply.set_text("hello " + request.name());
    return reply;
  }
  absl::Status Countdown(nearcall::ServerContext&, const CountdownRequest& request,
                         nearcall::ServerWriter<Tick>& ticks) override {
    Tick tick;
    for (int left = request.from(); left > 0; --left) {
      tick.set_left(left);
      if (!ticks.Write(tick)) break;
    }
    return absl::OkStatus();
  }
};

}  // namespace

int main(int argc, char** argv) {
  const std::string first = argc > 1 ? argv[1] : "";
  if (argc != 3 || first[0] == '-') {
    std::fputs(kUsage, first == "--help" ? stdout : stderr);
    return first == "--help" ? EXIT_SUCCESS : EXIT_FAILURE;
  }
  std::setvbuf(stdout, nullptr, _IOLBF, 0);
  absl::StatusOr<std::string> token = ReadToken(argv[2]);
  if (!token.ok()) return nearcall::ExitWith(token.status());

  GreeterService greeter;
  nearcall::Server server(
      nearcall::ServerOptions()
          .add_interceptor(std::make_shared<CallLog>(stdout))  // first: it logs what is refused, too
          .add_interceptor(std::make_shared<NeedsToken>(*token)));
  server.AddService(&greeter);
  if (absl::Status status = server.Listen(first); !status.ok()) return nearcall::ExitWith(status);
  server.Run();
  return EXIT_SUCCESS;
}
