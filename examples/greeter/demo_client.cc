// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// The demo: starts a server and a relay as processes of their own, calls them, kills the server in mid-call, starts it
// again; each step says what it shows, what it measured, and whether it was as it should be. `./dev demo` runs it.
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/clock.h"
#include "greeter.nearcall.h"
#include "nearcall/examples/demo_process/process.h"
#include "nearcall/examples/demo_process/result.h"

using namespace hello::v1;

namespace {

constexpr char kUsage[] = R"(usage: demo [--calls=N]

  --calls=N       calls of each kind that are measured (default 500)
  --result=FILE   write the last line to FILE as well
)";

// ---- saying what happens

class Report {
 public:
  void Step(const std::string& title) {
    std::printf("\n%s%d. %s%s\n", Colour("\033[1m"), ++steps_, title.c_str(), Colour("\033[0m"));
  }
  void Say(const std::string& text) { std::printf("     %s\n", text.c_str()); }
  // What the step shows; false if it did not.
  bool Shows(bool right, const std::string& what) {
    ++(right ? right_ : wrong_);
    std::printf("  %s%s%s %s\n", Colour(right ? "\033[32m" : "\033[31m"), right ? "ok" : "WRONG:", Colour("\033[0m"),
                what.c_str());
    return right;
  }
  int Summary(absl::Duration took, const std::string& result_file) {
    return EndWith(
        wrong_ == 0 && right_ > 0,
        absl::StrFormat("%d of %d as they should be, in %.1f s", right_, right_ + wrong_, absl::ToDoubleSeconds(took)),
        result_file);
  }

 private:
  const char* Colour(const char* sequence) const { return colours_ ? sequence : ""; }

  const bool colours_ = ::isatty(STDOUT_FILENO) == 1 && std::getenv("NO_COLOR") == nullptr;
  int steps_ = 0;
  int right_ = 0;
  int wrong_ = 0;
};

std::string Text(absl::Duration duration) {
  const double us = absl::ToDoubleMicroseconds(duration);
  return us < 1000 ? absl::StrFormat("%.1f µs", us) : absl::StrFormat("%.1f ms", us / 1000);
}

std::string Percentiles(std::vector<absl::Duration> samples) {
  if (samples.empty()) return "nothing measured";
  std::sort(samples.begin(), samples.end());
  const auto at = [&](size_t percent) { return Text(samples[(samples.size() - 1) * percent / 100]); };
  return absl::StrCat(samples.size(), " measured: p50 ", at(50), ", p90 ", at(90), ", p99 ", at(99));
}

std::string Line(const absl::Status& status) { return status.ToString(absl::StatusToStringMode::kWithNoExtraData); }

// ---- the demo

class Demo {
 public:
  Demo(std::string programs, std::string directory, int calls)
      : programs_(std::move(programs)),
        calls_(calls),
        greeter_address_(absl::StrCat("local:", directory, "/greeter")),
        relay_address_(absl::StrCat("local:", directory, "/relay")),
        directory_(std::move(directory)) {}

  int Run(const std::string& result_file) {
    const absl::Time start = absl::Now();
    if (StartServer() && Kinds() && EachTransport() && StartRelay()) {
      DeadlineGoesOn();
      CancellationGoesOn();
      KillInMidCall();
      Recovery();
    }
    End();
    return report_.Summary(absl::Now() - start, result_file);
  }

 private:
  bool StartServer() {
    report_.Step("A server as its own process, and a client: this one");
    server_ = std::make_unique<Process>("server", programs_ + "/server", std::vector<std::string>{greeter_address_});
    if (!report_.Shows(server_->AwaitLine("serving at").has_value(), "the server serves")) return false;
    absl::StatusOr<nearcall::Channel> channel = nearcall::Connect(greeter_address_);
    if (!report_.Shows(channel.ok(), "the client has a channel to it")) return false;
    channel_ = std::make_unique<nearcall::Channel>(*channel);
    greeter_ = std::make_unique<Greeter::Stub>(*channel);
    const absl::Time before = absl::Now();
    const absl::StatusOr<HelloReply> reply = Hello(*greeter_, "world");
    const absl::Duration took = absl::Now() - before;
    return report_.Shows(
        reply.ok() && reply->text() == "hello world",
        absl::StrCat("first call, connecting included: ", Text(took), ", over transport \"", channel_->transport(),
                     "\": ", reply.ok() ? reply->text() : Line(reply.status())));
  }

  bool Kinds() {
    report_.Step("All four kinds of call");
    const bool right[] = {Unary(), ServerStreaming(), ClientStreaming(), BothDirections()};
    return right[0] && right[1] && right[2] && right[3];
  }

  // The server's local: admits clients of each of its transports.
  bool EachTransport() {
    report_.Step("The same stub over each transport of the server's");
    report_.Say(absl::StrFormat("%-6s %10s %10s %10s %12s", "", "first", "p50", "p99", "calls/s"));
    bool right = true;
    for (const char* scheme : {"shm", "unix"}) {
      const absl::Time before = absl::Now();
      absl::StatusOr<nearcall::Channel> channel = nearcall::Connect(absl::StrCat(scheme, ":", directory_, "/greeter"));
      if (!channel.ok()) return report_.Shows(false, Line(channel.status()));
      const Greeter::Stub stub(*channel);
      std::vector<absl::Duration> samples;
      absl::Status status;
      for (int i = 0; i <= calls_ && status.ok(); ++i) {
        const absl::Time begun = absl::Now();
        status = Hello(stub, "world").status();
        samples.push_back(absl::Now() - begun);
      }
      const double seconds = absl::ToDoubleSeconds(absl::Now() - before);
      const absl::Duration first = samples.front();
      std::sort(samples.begin(), samples.end());
      const auto at = [&](size_t percent) { return Text(samples[(samples.size() - 1) * percent / 100]); };
      right = report_.Shows(status.ok() && channel->transport() == scheme,
                            status.ok() ? absl::StrFormat("%-5s %11s %11s %11s %12.0f", scheme, Text(first), at(50),
                                                          at(99), static_cast<double>(samples.size()) / seconds)
                                        : Line(status)) &&
              right;
    }
    return right;
  }

  bool Unary() {
    std::vector<absl::Duration> samples;
    int right = 0;
    for (int i = 0; i < calls_; ++i) {
      const absl::Time before = absl::Now();
      const absl::StatusOr<HelloReply> reply = Hello(*greeter_, "world");
      samples.push_back(absl::Now() - before);
      if (reply.ok() && reply->text() == "hello world") ++right;
    }
    return report_.Shows(right == calls_,
                         absl::StrCat("unary SayHello, a call there and back; ", Percentiles(samples)));
  }

  bool ServerStreaming() {
    CountdownRequest request;
    request.set_from(calls_);
    const absl::Time before = absl::Now();
    auto ticks = greeter_->Countdown(request);
    int expected = calls_;
    for (Tick tick; ticks.Read(tick);) expected -= tick.left() == expected ? 1 : 0;
    const absl::Status status = ticks.Finish();
    const absl::Duration took = absl::Now() - before;
    return report_.Shows(status.ok() && expected == 0, absl::StrCat("server streaming Countdown: ", calls_,
                                                                    " replies in order, together in ", Text(took)));
  }

  bool ClientStreaming() {
    const absl::Time before = absl::Now();
    auto numbers = greeter_->Sum();
    Number number;
    for (int i = 1; i <= calls_; ++i) {
      number.set_value(i);
      if (!numbers.Write(number)) break;
    }
    const absl::StatusOr<Total> total = numbers.Finish();
    const absl::Duration took = absl::Now() - before;
    const int64_t sum = int64_t{calls_} * (calls_ + 1) / 2;
    return report_.Shows(
        total.ok() && total->count() == calls_ && total->value() == sum,
        absl::StrCat("client streaming Sum: ", calls_, " requests, one reply (", sum, "), together in ", Text(took)));
  }

  bool BothDirections() {
    std::vector<absl::Duration> samples;
    auto notes = greeter_->Chat();
    Note note;
    int right = 0;
    for (int i = 0; i < calls_; ++i) {
      const std::string text = absl::StrCat("note ", i);
      note.set_text(text);
      const absl::Time before = absl::Now();
      if (!notes.Write(note) || !notes.Read(note)) break;
      samples.push_back(absl::Now() - before);
      if (note.text() == absl::StrCat("you said: ", text)) ++right;
    }
    notes.WritesDone();
    const absl::Status status = notes.Finish();
    return report_.Shows(
        status.ok() && right == calls_,
        absl::StrCat("both directions, Chat, a note there and its answer back; ", Percentiles(samples)));
  }

  bool StartRelay() {
    report_.Step("A second server, whose handlers call the first");
    relay_ = std::make_unique<Process>("relay", programs_ + "/relay",
                                       std::vector<std::string>{relay_address_, greeter_address_});
    if (!report_.Shows(relay_->AwaitLine("serving at").has_value(), "the relay serves")) return false;
    absl::StatusOr<nearcall::Channel> channel = nearcall::Connect(relay_address_);
    if (!report_.Shows(channel.ok(), "the client has a channel to the relay")) return false;
    through_relay_ = std::make_unique<Greeter::Stub>(*channel);
    std::vector<absl::Duration> samples;
    int right = 0;
    for (int i = 0; i < calls_; ++i) {
      const absl::Time before = absl::Now();
      const absl::StatusOr<HelloReply> reply = Hello(*through_relay_, "world");
      samples.push_back(absl::Now() - before);
      if (reply.ok() && reply->text() == "hello world (through a relay)") ++right;
    }
    return report_.Shows(right == calls_,
                         absl::StrCat("unary SayHello through the relay, two calls a call; ", Percentiles(samples)));
  }

  void DeadlineGoesOn() {
    report_.Step("A deadline goes with the call, from process to process");
    constexpr absl::Duration kTimeout = absl::Milliseconds(300);
    report_.Say("a Countdown through the relay that would take 20 s; the client gives it 300 ms:");
    const absl::Time before = absl::Now();
    auto ticks = through_relay_->Countdown(From(1000), Paced("deadline").set_timeout(kTimeout));
    int count = 0;
    for (Tick tick; ticks.Read(tick);) ++count;
    const absl::Status status = ticks.Finish();
    const absl::Duration took = absl::Now() - before;
    report_.Shows(absl::IsDeadlineExceeded(status) && count > 0 && took >= kTimeout && took < absl::Seconds(2),
                  absl::StrCat("the client, after ", count, " ticks and ", Text(took), ": ", Line(status)));
    bool seen[] = {false, false};
    for (int i = 0; i < 2; ++i) {
      Process& process = i == 0 ? *relay_ : *server_;
      const std::optional<std::string> begin = process.AwaitLine("[deadline] Countdown begins");
      const std::optional<std::string> end = process.AwaitLine("[deadline] Countdown ends");
      seen[i] = begin.has_value() && absl::StrContains(*begin, " ms left") && end.has_value() &&
                absl::StrContains(*end, "its deadline has passed");
    }
    report_.Shows(seen[0], "the relay's handler had the client's deadline and was cancelled by it");
    report_.Shows(seen[1], "so was the first server's handler, though its caller, the relay, has set none");
  }

  void CancellationGoesOn() {
    report_.Step("So does a cancellation");
    report_.Say("a Countdown through the relay, without a deadline; the client cancels it after 3 ticks:");
    auto ticks = through_relay_->Countdown(From(1000), Paced("cancel"));
    Tick tick;
    int count = 0;
    while (count < 3 && ticks.Read(tick)) ++count;
    const absl::Time cancelled = absl::Now();
    ticks.Cancel();
    const absl::Status status = ticks.Finish();
    report_.Shows(absl::IsCancelled(status) && count == 3, absl::StrCat("the client: ", Line(status)));
    const std::optional<std::string> line = server_->AwaitLine("[cancel] Countdown ends");
    const absl::Duration took = absl::Now() - cancelled;
    relay_->AwaitLine("[cancel] Countdown ends");
    report_.Shows(line.has_value() && absl::StrContains(*line, "the caller wants it no more"),
                  absl::StrCat("the first server's handler has ended, ", Text(took), " after the client's Cancel()"));
  }

  // Reads a countdown on a thread of its own, so that the kill finds it waiting.
  struct Reading {
    std::atomic<int> ticks{0};
    absl::Time end;
    absl::Status status;
  };

  void KillInMidCall() {
    report_.Step("The server is killed (SIGKILL) in mid-call");
    Reading reading;
    std::thread reader([&] {
      auto ticks = greeter_->Countdown(From(1000), Paced("kill"));
      for (Tick tick; ticks.Read(tick);) {
        ++reading.ticks;
        reading.ticks.notify_one();
      }
      reading.end = absl::Now();
      reading.status = ticks.Finish();
      reading.ticks = -1;
      reading.ticks.notify_one();
    });
    for (int seen = 0; seen >= 0 && seen < 3; seen = reading.ticks) reading.ticks.wait(seen);
    const absl::Time killed = absl::Now();
    server_->Kill();
    reader.join();
    const absl::Duration took = reading.end - killed;
    report_.Shows(absl::IsUnavailable(reading.status) && took < absl::Milliseconds(100),
                  absl::StrCat("the call that was under way, ", Text(took), " after the kill: ", Line(reading.status)));

    const absl::Time before = absl::Now();
    const absl::Status next = Hello(*greeter_, "nobody").status();
    const absl::Duration at_once = absl::Now() - before;
    report_.Shows(absl::IsUnavailable(next) && absl::StrContains(next.message(), greeter_address_),
                  absl::StrCat("the next call, after ", Text(at_once), ": ", Line(next)));
    const absl::Status relayed = Hello(*through_relay_, "nobody").status();
    report_.Shows(absl::IsUnavailable(relayed), absl::StrCat("through the relay, which lives on: ", Line(relayed)));
  }

  void Recovery() {
    report_.Step("It is started again: the same channels go on");
    nearcall::Call<HelloReply> waiting = greeter_->SayHello(
        Named("waiting"), nearcall::CallOptions().set_wait_for_ready(true).set_timeout(absl::Seconds(5)));
    report_.Say("a call with wait-for-ready is made while nobody is there");
    server_ = std::make_unique<Process>("server", programs_ + "/server", std::vector<std::string>{greeter_address_});
    if (!report_.Shows(server_->AwaitLine("serving at").has_value(), "a new server took the dead one's place")) return;
    const absl::Time serving = absl::Now();
    const absl::StatusOr<HelloReply> reply = waiting.Wait();
    const absl::Duration took = absl::Now() - serving;
    report_.Shows(reply.ok() && reply->text() == "hello waiting",
                  absl::StrCat("the waiting call has its answer, at most ", Text(took),
                               " after the server was ready: ", reply.ok() ? reply->text() : Line(reply.status())));
    const absl::StatusOr<HelloReply> relayed = Hello(*through_relay_, "again");
    report_.Shows(relayed.ok(), absl::StrCat("through the relay, which reconnected by itself: ",
                                             relayed.ok() ? relayed->text() : Line(relayed.status())));
  }

  void End() {
    report_.Step("The end");
    for (std::unique_ptr<Process>* process : {&relay_, &server_}) {
      if (*process == nullptr) continue;
      report_.Shows((*process)->Terminate() == 0,
                    absl::StrCat("the ", (*process)->name(), " ended by SIGTERM, in order"));
    }
    std::string left;
    for (const auto& entry : std::filesystem::directory_iterator(directory_)) {
      absl::StrAppend(&left, " ", entry.path().filename().string());
    }
    report_.Shows(left.empty(),
                  left.empty() ? "nothing is left behind: no socket, no lock" : absl::StrCat("left behind:", left));
  }

  // ---- requests

  static HelloRequest Named(const std::string& name) {
    HelloRequest request;
    request.set_name(name);
    return request;
  }
  static CountdownRequest From(int from) {
    CountdownRequest request;
    request.set_from(from);
    return request;
  }
  // A countdown that ticks every 20 ms, and of which the servers tell.
  static nearcall::CallOptions Paced(const std::string& trace) {
    return nearcall::CallOptions().add_metadata("trace", trace).add_metadata("tick-ms", "20");
  }
  static absl::StatusOr<HelloReply> Hello(const Greeter::Stub& stub, const std::string& name) {
    return stub.SayHello(Named(name), nearcall::CallOptions().set_timeout(absl::Seconds(5))).Wait();
  }

  const std::string programs_;
  const int calls_;
  const std::string greeter_address_;
  const std::string relay_address_;
  const std::string directory_;
  Report report_;
  std::unique_ptr<Process> server_;
  std::unique_ptr<Process> relay_;
  std::unique_ptr<nearcall::Channel> channel_;
  std::unique_ptr<Greeter::Stub> greeter_;
  std::unique_ptr<Greeter::Stub> through_relay_;
};

}  // namespace

// PROGRAMS: the folder of server and relay. DIRECTORY: an empty one for the sockets.
int main(int argc, char** argv) {
  int calls = 500;
  std::string result_file;
  for (int i = 3; i < argc; ++i) {
    const std::string argument = argv[i];
    if (argument == "--help") {
      std::fputs(kUsage, stdout);
      return EXIT_SUCCESS;
    }
    if (absl::StartsWith(argument, "--calls=") && absl::SimpleAtoi(argument.substr(8), &calls) && calls > 0) continue;
    if (absl::StartsWith(argument, "--result=")) {
      result_file = argument.substr(9);
      continue;
    }
    std::fprintf(stderr, "demo: what is \"%s\"?\n%s", argument.c_str(), kUsage);
    return EXIT_FAILURE;
  }
  if (argc < 3) {
    std::fputs("usage: demo_client PROGRAMS DIRECTORY [--calls=N]   (./dev demo does this)\n", stderr);
    return EXIT_FAILURE;
  }
  std::setvbuf(stdout, nullptr, _IOLBF, 0);
  return Demo(argv[1], argv[2], calls).Run(result_file);
}
