// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// Deadlines of calls to a server that is stopped, and what was under way when it was.
#include <signal.h>
#include <sys/wait.h>
#include <time.h>

#include <algorithm>
#include <atomic>
#include <future>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "nearcall/rpc/nearcall.h"
#include "nearcall/tests/bench/stats.h"
#include "nearcall/tests/soak/soak.h"
#include "nearcall/tests/soak/soak_process.h"
#include "nearcall/transports/api/clock.h"
#include "tests/soak/soak.nearcall.h"

namespace nearcall {
namespace {

using ::soak::Item;
using Stub = ::soak::Soak::Stub;

constexpr int kThreads = 24;
constexpr uint64_t kShortestMs = 5, kLongestMs = 100;

// kBare: no call at all, a thread that sleeps as long: what the machine gives.
enum class Form { kWait, kThen, kRead, kNext, kNewChannel, kBare };
constexpr Form kForms[] = {Form::kWait, Form::kThen, Form::kRead, Form::kNext, Form::kNewChannel, Form::kBare};
const char* NameOf(Form form) {
  switch (form) {
    case Form::kWait:
      return "wait";
    case Form::kThen:
      return "then";
    case Form::kRead:
      return "stream_read";
    case Form::kNext:
      return "stream_next";
    case Form::kNewChannel:
      return "new_channel";
    case Form::kBare:
      return "bare_sleep";
  }
  return "";
}

struct Ending {
  absl::Status status;
  int64_t at_ns = 0;
};

// One call with a deadline, in that form, until its end.
Ending EndOf(Form form, const Stub& stub, const CallOptions& options) {
  Ending ending;
  if (form == Form::kThen) {
    std::promise<Ending> ended;
    stub.Unary(Item(), options).Then([&](absl::StatusOr<Item> reply) {
      ended.set_value({reply.status(), MonotonicNanos()});
    });
    return ended.get_future().get();
  }
  if (form == Form::kNext) {
    auto stream = stub.Output(Item(), options);
    std::promise<int64_t> ended;
    stream.Next().Then([&](const std::optional<Item>&) { ended.set_value(MonotonicNanos()); });
    ending.at_ns = ended.get_future().get();
    ending.status = stream.Finish();
    return ending;
  }
  if (form == Form::kRead) {
    auto stream = stub.Output(Item(), options);
    Item item;
    stream.Read(item);
    ending.status = stream.Finish();
  } else {
    ending.status = stub.Unary(Item(), options).Wait().status();
  }
  ending.at_ns = MonotonicNanos();
  return ending;
}

Ending SleepUntil(int64_t at_ns) {
  timespec until = {};
  until.tv_sec = at_ns / 1'000'000'000;
  until.tv_nsec = at_ns % 1'000'000'000;
  while (::clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, nullptr) != 0) {
  }
  return {absl::DeadlineExceededError("slept"), MonotonicNanos()};
}

// The threads that call a stopped server.
class DeadlineLoop {
 public:
  DeadlineLoop(std::string address, Channel channel, uint64_t seed)
      : address_(std::move(address)), channel_(std::move(channel)), seed_(seed) {}

  void Run(uint64_t count) {
    std::vector<std::thread> threads;
    for (int i = 0; i < kThreads; ++i) {
      threads.emplace_back([this, i, count] {
        Random random(seed_ * kThreads + static_cast<uint64_t>(i));
        while (next_.fetch_add(1) < count) CallOnce(kForms[static_cast<size_t>(i) % std::size(kForms)], &random);
      });
    }
    for (std::thread& thread : threads) thread.join();
  }

  void Report(const std::string& scheme, double slack, SoakReport* report, SoakTable* table) {
    for (Form form : kForms) {
      const std::string key = absl::StrCat(scheme, "_", NameOf(form));
      const bench::Latencies& late = late_[static_cast<size_t>(form)];
      const auto ms = [&late](double quantile) { return late.Micros(quantile) / 1000; };
      report->Figure(key + "_calls", static_cast<double>(late.size()));
      if (late.size() == 0) report->Finding(key + ": no call was made");
      if (form == Form::kBare) {
        report->Figure(key + "_late_p99_ms", ms(0.99));
        report->Figure(key + "_late_max_ms", ms(1));
      } else {
        report->Goal(key + "_late_p99_ms", ms(0.99), 5 * slack);
        report->Goal(key + "_late_max_ms", ms(1), 50 * slack);
      }
      if (ms(0) < 0) report->Finding(absl::StrCat(key, ": ", -ms(0), " ms before its deadline a call was late"));
      table->Row({scheme, NameOf(form), absl::StrCat(late.size()), absl::StrFormat("%.3f", ms(0.5)),
                  absl::StrFormat("%.3f", ms(0.99)), absl::StrFormat("%.3f", ms(1))});
    }
    for (const std::string& wrong : wrong_) report->Finding(scheme + ": " + wrong);
  }

 private:
  void CallOnce(Form form, Random* random) {
    Channel channel = channel_;
    if (form == Form::kNewChannel) {
      absl::StatusOr<Channel> fresh = Connect(address_);
      if (fresh.ok()) channel = *fresh;
    }
    const Stub stub(channel);
    const auto left = absl::Microseconds(1000 * kShortestMs + random->Below(1000 * (kLongestMs - kShortestMs)));
    // Both ends of the instant in which the deadline becomes a fixed one.
    const int64_t before_ns = MonotonicNanos();
    const CallOptions options = CallOptions().set_timeout(left);
    const int64_t after_ns = MonotonicNanos();
    const int64_t left_ns = absl::ToInt64Nanoseconds(left);
    const Ending ending = form == Form::kBare ? SleepUntil(after_ns + left_ns) : EndOf(form, stub, options);
    // Early is judged by the first, late by the second: then only the library can be at fault.
    const int64_t early_ns = ending.at_ns - (before_ns + left_ns);
    std::lock_guard<std::mutex> lock(mutex_);
    late_[static_cast<size_t>(form)].Add(early_ns < 0 ? early_ns
                                                      : std::max<int64_t>(0, ending.at_ns - (after_ns + left_ns)));
    if (ending.status.code() != absl::StatusCode::kDeadlineExceeded && wrong_.size() < 10) {
      wrong_.push_back(absl::StrCat("a call of the form ", NameOf(form), " to a stopped server ended with ",
                                    ending.status.ToString()));
    }
  }

  const std::string address_;
  const Channel channel_;
  const uint64_t seed_;
  std::atomic<uint64_t> next_{0};
  std::mutex mutex_;
  bench::Latencies late_[std::size(kForms)];
  std::vector<std::string> wrong_;
};

// Under way while the server is stopped: a call that its handler holds, and a stream between two messages.
class UnderWay {
 public:
  UnderWay(const Stub& stub, const CallOptions& options) : stream_(stub.Duplex(options)) {
    Item hold;
    hold.set_hold(true);
    call_.emplace(stub.Unary(hold, options));
    Item item;
    started_ = stream_.Write(item) && stream_.Read(item);
  }
  bool started() const { return started_; }
  absl::Status GoOn(ChildProcess& server) {
    if (absl::Status status = server.Tell("release"); !status.ok()) return status;
    if (absl::Status status = call_->Wait().status(); !status.ok()) return status;
    Item item;
    item.set_index(1);
    const bool echoed = stream_.Write(item) && stream_.Read(item) && item.index() == 1;
    const absl::Status status = stream_.Finish();
    return status.ok() && !echoed ? absl::DataLossError("the stream gave no echo") : status;
  }

 private:
  ClientReaderWriter<Item, Item> stream_;
  std::optional<Call<Item>> call_;
  bool started_ = false;
};

absl::Status Stop(const ChildProcess& server) {
  siginfo_t info = {};
  if (::kill(server.pid(), SIGSTOP) != 0 || ::waitid(P_PID, static_cast<id_t>(server.pid()), &info, WSTOPPED) != 0) {
    return absl::ErrnoToStatus(errno, "the server can't be stopped");
  }
  return absl::OkStatus();
}

absl::Status StopAndGoOn(const std::string& scheme, const SoakOptions& options, SoakReport* report, SoakTable* table) {
  absl::StatusOr<std::unique_ptr<ScratchFolder>> folder = ScratchFolder::Make("soak");
  if (!folder.ok()) return folder.status();
  const std::string address = AddressOf(scheme, **folder, "server");
  absl::StatusOr<std::unique_ptr<ChildProcess>> server = StartRole("server", {address, (*folder)->path()});
  if (!server.ok()) return server.status();
  absl::StatusOr<Channel> channel = Connect(address);
  if (!channel.ok()) return channel.status();
  const Stub stub(*channel);
  UnderWay under_way(stub, CallOptions().set_timeout(absl::Minutes(10)));
  absl::StatusOr<std::string> held = (*server)->Hear(absl::Seconds(10));
  if (!held.ok()) return held.status();
  if (!under_way.started()) return absl::InternalError("the stream did not begin");
  if (absl::Status status = Stop(**server); !status.ok()) return status;
  DeadlineLoop loop(address, *channel, options.seed);
  loop.Run(options.count != 0 ? options.count : 1000);
  ::kill((*server)->pid(), SIGCONT);
  loop.Report(scheme, options.slack, report, table);
  if (absl::Status status = under_way.GoOn(**server); !status.ok()) {
    return absl::Status(status.code(), absl::StrCat("after SIGCONT: ", status.message()));
  }
  if (absl::Status status = stub.Unary(Item()).Wait().status(); !status.ok()) return status;
  return (*server)->End(absl::Seconds(10));
}

}  // namespace

bool SoakStoppedPeer(const SoakOptions& options, SoakReport* report) {
  SoakTable table({"transport", "form", "calls", "late p50 ms", "late p99 ms", "late max ms"});
  for (const std::string& scheme : options.schemes) {
    if (absl::Status status = StopAndGoOn(scheme, options, report, &table); !status.ok()) {
      report->Finding(absl::StrCat(scheme, ": ", status.ToString()));
    }
  }
  report->Say(table.Text());
  return report->ok();
}

}  // namespace nearcall
