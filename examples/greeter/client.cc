// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// A client of all four kinds of call, in blocking style.
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "greeter.nearcall.h"

using namespace hello::v1;

namespace {

constexpr char kUsage[] = R"(usage: client [OPTION...] ADDRESS METHOD ARGUMENT...

  client local:greeter hello NAME         unary
  client local:greeter countdown FROM     server streaming
  client local:greeter sum NUMBER...      client streaming
  client local:greeter chat TEXT...       both directions

  --timeout=TIME          as in 250ms or 2s; without it, a call may take for ever
  --wait                  wait for the server instead of failing if nobody is there
  --metadata=KEY:VALUE    sent with the call; the server heeds trace:TEXT and tick-ms:N
)";

// Unary: one request, one reply. Wait() sends, waits and reads the reply on this thread.
absl::Status Hello(const Greeter::Stub& greeter, const nearcall::CallOptions& options, const std::string& name) {
  HelloRequest request;
  request.set_name(name);
  absl::StatusOr<HelloReply> reply = greeter.SayHello(request, options).Wait();
  if (!reply.ok()) return reply.status();
  std::printf("%s\n", reply->text().c_str());
  return absl::OkStatus();
}

// Server streaming: read until the stream ends, then ask how it ended.
absl::Status Countdown(const Greeter::Stub& greeter, const nearcall::CallOptions& options, int from) {
  CountdownRequest request;
  request.set_from(from);
  auto ticks = greeter.Countdown(request, options);
  for (Tick tick; ticks.Read(tick);) std::printf("%d\n", tick.left());
  return ticks.Finish();
}

// Client streaming: write until done (or until Write() says that the call is over), then take the one reply.
absl::Status Sum(const Greeter::Stub& greeter, const nearcall::CallOptions& options,
                 const std::vector<int64_t>& values) {
  auto numbers = greeter.Sum(options);
  Number number;
  for (const int64_t value : values) {
    number.set_value(value);
    if (!numbers.Write(number)) break;
  }
  absl::StatusOr<Total> total = numbers.Finish();
  if (!total.ok()) return total.status();
  std::printf("%lld numbers, together %lld\n", static_cast<long long>(total->count()),
              static_cast<long long>(total->value()));
  return absl::OkStatus();
}

// Both directions: here one note there, one back; they may also come and go independently, on two threads.
absl::Status Chat(const Greeter::Stub& greeter, const nearcall::CallOptions& options,
                  const std::vector<std::string>& texts) {
  auto notes = greeter.Chat(options);
  Note note;
  for (const std::string& text : texts) {
    note.set_text(text);
    if (!notes.Write(note) || !notes.Read(note)) break;
    std::printf("%s\n", note.text().c_str());
  }
  notes.WritesDone();
  absl::Status status = notes.Finish();
  if (std::optional<std::string> room = notes.initial_metadata().Get("room"))
    std::printf("in room %s\n", room->c_str());
  return status;
}

absl::Status Usage(const std::string& what) { return absl::InvalidArgumentError(absl::StrCat(what, "\n\n", kUsage)); }

// What the arguments before the address ask for.
absl::Status AddOption(const std::string& text, nearcall::CallOptions& options) {
  if (text == "--wait") {
    options.set_wait_for_ready(true);
  } else if (absl::StartsWith(text, "--timeout=")) {
    absl::Duration timeout;
    if (!absl::ParseDuration(text.substr(10), &timeout)) return Usage(absl::StrCat(text, ": not a time"));
    options.set_timeout(timeout);
  } else if (absl::StartsWith(text, "--metadata=")) {
    const std::vector<std::string> pair = absl::StrSplit(text.substr(11), absl::MaxSplits(':', 1));
    if (pair.size() != 2) return Usage(absl::StrCat(text, ": not KEY:VALUE"));
    options.add_metadata(pair[0], pair[1]);
  } else {
    return Usage(absl::StrCat(text, ": no such option"));
  }
  return absl::OkStatus();
}

absl::Status Run(std::vector<std::string> arguments) {
  nearcall::CallOptions options;
  while (!arguments.empty() && absl::StartsWith(arguments[0], "-")) {
    if (absl::Status status = AddOption(arguments[0], options); !status.ok()) return status;
    arguments.erase(arguments.begin());
  }
  if (arguments.size() < 3) return Usage("an address, a method and an argument are needed");
  const std::string method = arguments[1];
  const std::vector<std::string> rest(arguments.begin() + 2, arguments.end());

  absl::StatusOr<nearcall::Channel> channel = nearcall::Connect(arguments[0]);
  if (!channel.ok()) return channel.status();
  const Greeter::Stub greeter(*channel);

  if (method == "hello") return Hello(greeter, options, rest[0]);
  if (method == "chat") return Chat(greeter, options, rest);
  std::vector<int64_t> numbers;
  for (const std::string& text : rest) {
    int64_t number;
    if (!absl::SimpleAtoi(text, &number)) return Usage(absl::StrCat(text, ": not a number"));
    numbers.push_back(number);
  }
  if (method == "countdown") return Countdown(greeter, options, static_cast<int>(numbers[0]));
  if (method == "sum") return Sum(greeter, options, numbers);
  return Usage(absl::StrCat(method, ": no such method"));
}

}  // namespace

int main(int argc, char** argv) {
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  if (arguments == std::vector<std::string>{"--help"}) {
    std::fputs(kUsage, stdout);
    return EXIT_SUCCESS;
  }
  return nearcall::ExitWith(Run(arguments));
}
