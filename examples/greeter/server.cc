// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// A server of all four kinds of call, in blocking style: a method returns its result, and may block.
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "greeter.nearcall.h"
#include "nearcall/examples/greeter/trace.h"

using namespace hello::v1;

namespace {

constexpr char kUsage[] = R"(usage: server ADDRESS

Serves hello.v1.Greeter (greeter.proto) at ADDRESS until SIGINT or SIGTERM.
  local:NAME, local:/path   for processes of this host, over the best transport there is
  unix:/path                over a Unix socket and nothing else
  tcp:PORT                  over TCP, at 127.0.0.1
  systemd:NAME              at a socket that systemd has made (examples/systemd)

Metadata that the methods heed:
  trace: TEXT               the call's begin and end are printed, marked with TEXT
  tick-ms: N                Countdown waits N ms before each tick
)";

// Waits within a handler, as long as somebody wants the call's result.
class Pacer {
 public:
  explicit Pacer(nearcall::ServerContext& context) {
    // The callback may run, on another thread, until the call has ended: it shares what it touches.
    context.OnCancel([state = state_] {
      std::lock_guard<std::mutex> lock(state->mutex);
      state->cancelled = true;
      state->changed.notify_all();
    });
  }
  // False: the call is cancelled.
  bool Pause(absl::Duration duration) {
    std::unique_lock<std::mutex> lock(state_->mutex);
    return !state_->changed.wait_for(lock, absl::ToChronoNanoseconds(duration), [this] { return state_->cancelled; });
  }

 private:
  struct State {
    std::mutex mutex;
    std::condition_variable changed;
    bool cancelled = false;
  };
  const std::shared_ptr<State> state_ = std::make_shared<State>();
};

class GreeterService final : public Greeter::Service {
  // Unary. A result is a reply or a status with an error's code and text.
  absl::StatusOr<HelloReply> SayHello(nearcall::ServerContext& context, const HelloRequest& request) override {
    Trace trace(context, "SayHello");
    if (request.name().empty()) return absl::InvalidArgumentError("name is empty");
    HelloReply reply;
    reply.set_text(absl::StrCat("hello ", request.name()));
    return reply;
  }

  // Server streaming. Write() blocks while the client is behind, and is false once nobody listens any more.
  absl::Status Countdown(nearcall::ServerContext& context, const CountdownRequest& request,
                         nearcall::ServerWriter<Tick>& ticks) override {
    Trace trace(context, "Countdown");
    int tick_ms = 0;
    if (std::optional<std::string> text = context.metadata().Get("tick-ms");
        text.has_value() && (!absl::SimpleAtoi(*text, &tick_ms) || tick_ms < 0)) {
      return absl::InvalidArgumentError(absl::StrCat("tick-ms is \"", *text, "\", not a number of milliseconds"));
    }
    Pacer pacer(context);
    Tick tick;
    for (int left = request.from(); left > 0; --left) {
      if (tick_ms > 0 && !pacer.Pause(absl::Milliseconds(tick_ms))) break;
      tick.set_left(left);
      if (!ticks.Write(tick)) break;
    }
    return absl::OkStatus();  // of a cancelled call, nobody hears this
  }

  // Client streaming. Read() is false once the client has sent its last.
  absl::StatusOr<Total> Sum(nearcall::ServerContext& context, nearcall::ServerReader<Number>& numbers) override {
    Trace trace(context, "Sum");
    Total total;
    for (Number number; numbers.Read(number);) {
      total.set_value(total.value() + number.value());
      total.set_count(total.count() + 1);
    }
    return total;
  }

  // Both directions at once. Metadata goes before the first reply, and after the last.
  absl::Status Chat(nearcall::ServerContext& context, nearcall::ServerReaderWriter<Note, Note>& notes) override {
    Trace trace(context, "Chat");
    context.AddInitialMetadata("room", "1");
    int count = 0;
    for (Note note; notes.Read(note);) {
      note.set_text(absl::StrCat("you said: ", note.text()));
      if (!notes.Write(note)) break;
      ++count;
    }
    context.AddTrailingMetadata("notes", absl::StrCat(count));
    return absl::OkStatus();
  }
};

}  // namespace

int main(int argc, char** argv) {
  const std::string address = argc == 2 ? argv[1] : "";
  if (address.empty() || address[0] == '-') {
    std::fputs(kUsage, address == "--help" ? stdout : stderr);
    return address == "--help" ? EXIT_SUCCESS : EXIT_FAILURE;
  }
  std::setvbuf(stdout, nullptr, _IOLBF, 0);

  GreeterService greeter;
  nearcall::Server server;
  server.AddService(&greeter);
  if (absl::Status status = server.Listen(address); !status.ok()) return nearcall::ExitWith(status);
  std::printf("serving at %s\n", server.addresses()[0].c_str());
  server.Run();
  return EXIT_SUCCESS;
}
