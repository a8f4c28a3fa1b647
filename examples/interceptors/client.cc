// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// A client whose channel logs every call, and adds the token to it. The calls themselves say nothing of either.
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "greeter.nearcall.h"
#include "nearcall/examples/interceptors/call_log.h"
#include "nearcall/examples/interceptors/token.h"

using namespace hello::v1;

namespace {

constexpr char kUsage[] = R"(usage: client [--token=FILE] ADDRESS NAME

Calls SayHello and Countdown at ADDRESS, with the token that is FILE's first line. A line for each call goes to stderr.
)";

absl::Status Run(const nearcall::Channel& channel, const std::string& name) {
  const Greeter::Stub greeter(channel);
  HelloRequest request;
  request.set_name(name);
  const nearcall::CallOptions options = nearcall::CallOptions().set_wait_for_ready(true).set_timeout(absl::Seconds(10));
  absl::StatusOr<HelloReply> reply = greeter.SayHello(request, options).Wait();
  if (!reply.ok()) return reply.status();
  std::printf("%s\n", reply->text().c_str());

  CountdownRequest from;
  from.set_from(3);
  auto ticks = greeter.Countdown(from, options);
  for (Tick tick; ticks.Read(tick);) std::printf("%d\n", tick.left());
  return ticks.Finish();
}

}  // namespace

int main(int argc, char** argv) {
  std::vector<std::string> arguments(argv + 1, argv + argc);
  if (arguments == std::vector<std::string>{"--help"}) {
    std::fputs(kUsage, stdout);
    return EXIT_SUCCESS;
  }
  std::setvbuf(stdout, nullptr, _IOLBF, 0);
  nearcall::ChannelOptions options;
  options.add_interceptor(std::make_shared<CallLog>(stderr));
  if (!arguments.empty() && absl::StartsWith(arguments[0], "--token=")) {
    absl::StatusOr<std::string> token = ReadToken(arguments[0].substr(8));
    if (!token.ok()) return nearcall::ExitWith(token.status());
    options.add_interceptor(std::make_shared<SendsToken>(*token));
    arguments.erase(arguments.begin());
  }
  if (arguments.size() != 2 || absl::StartsWith(arguments[0], "-")) {
    std::fputs(kUsage, stderr);
    return EXIT_FAILURE;
  }
  absl::StatusOr<nearcall::Channel> channel = nearcall::Connect(arguments[0], options);
  if (!channel.ok()) return nearcall::ExitWith(channel.status());
  return nearcall::ExitWith(Run(*channel, arguments[1]));
}
