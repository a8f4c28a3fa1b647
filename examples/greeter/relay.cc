// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// A server whose handlers call another server. What it shows: a call made on the thread of a blocking handler inherits
// the deadline and the cancellation of the call being served, so nobody works on for a caller who has gone. (On another
// thread, CallOptions().set_parent(context) says the same.)
#include <cstdio>
#include <cstdlib>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "greeter.nearcall.h"
#include "nearcall/examples/greeter/trace.h"

using namespace hello::v1;

namespace {

constexpr char kUsage[] = R"(usage: relay ADDRESS UPSTREAM

Serves SayHello and Countdown of hello.v1.Greeter at ADDRESS, until SIGINT or SIGTERM, by asking the server at UPSTREAM.
)";

class RelayService final : public Greeter::Service {
 public:
  explicit RelayService(nearcall::Channel upstream) : upstream_(std::move(upstream)) {}

 private:
  // Deadline and cancellation go on by themselves; metadata only where a handler says so.
  static nearcall::CallOptions WithMetadataOf(const nearcall::ServerContext& context) {
    nearcall::CallOptions options;
    for (const auto& [key, value] : context.metadata().entries()) options.add_metadata(key, value);
    return options;
  }

  absl::StatusOr<HelloReply> SayHello(nearcall::ServerContext& context, const HelloRequest& request) override {
    Trace trace(context, "SayHello");
    absl::StatusOr<HelloReply> reply = upstream_.SayHello(request, WithMetadataOf(context)).Wait();
    if (reply.ok()) reply->set_text(absl::StrCat(reply->text(), " (through a relay)"));
    return reply;  // an error of the server upstream too, with its code and text
  }

  absl::Status Countdown(nearcall::ServerContext& context, const CountdownRequest& request,
                         nearcall::ServerWriter<Tick>& ticks) override {
    Trace trace(context, "Countdown");
    auto upstream = upstream_.Countdown(request, WithMetadataOf(context));
    for (Tick tick; upstream.Read(tick);) {
      if (!ticks.Write(tick)) return absl::CancelledError("the client is gone");  // leaving drops, so cancels, the call
    }
    return upstream.Finish();
  }

  // Sum and Chat are not overridden: they answer UNIMPLEMENTED.

  const Greeter::Stub upstream_;
};

}  // namespace

int main(int argc, char** argv) {
  const std::string first = argc > 1 ? argv[1] : "";
  if (argc != 3 || first[0] == '-') {
    std::fputs(kUsage, first == "--help" ? stdout : stderr);
    return first == "--help" ? EXIT_SUCCESS : EXIT_FAILURE;
  }
  std::setvbuf(stdout, nullptr, _IOLBF, 0);

  // Connect() checks the address and returns at once; the connection is made at the first call, and again whenever it
  // is gone. So the two servers may start in any order.
  absl::StatusOr<nearcall::Channel> upstream = nearcall::Connect(argv[2]);
  if (!upstream.ok()) return nearcall::ExitWith(upstream.status());

  RelayService relay(*upstream);
  nearcall::Server server;
  server.AddService(&relay);
  if (absl::Status status = server.Listen(argv[1]); !status.ok()) return nearcall::ExitWith(status);
  std::printf("serving at %s, for %s\n", server.addresses()[0].c_str(), argv[2]);
  server.Run();
  return EXIT_SUCCESS;
}
