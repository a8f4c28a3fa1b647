// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// How long a call that is under way does not know that its server was killed.
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include <future>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>

#include "absl/strings/numbers.h"
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

constexpr uint64_t kBareEvery = 5;
constexpr absl::Duration kHang = absl::Seconds(10);

enum class Surroundings { kQuiet, kBusy, kForkedChild };
constexpr Surroundings kAllSurroundings[] = {Surroundings::kQuiet, Surroundings::kBusy, Surroundings::kForkedChild};

const char* NameOf(Surroundings surroundings) {
  switch (surroundings) {
    case Surroundings::kQuiet:
      return "quiet";
    case Surroundings::kBusy:
      return "busy";
    case Surroundings::kForkedChild:
      return "forked_child";
  }
  return "";
}

// How a call ended, and when.
struct Ending {
  absl::Status status;
  int64_t at_ns = 0;
};

class KillLoop {
 public:
  KillLoop(std::string address, std::string folder, Surroundings surroundings, Channel channel)
      : address_(std::move(address)),
        folder_(std::move(folder)),
        surroundings_(surroundings),
        stub_(std::move(channel)) {}

  // Starts a server, calls it, kills it. `by_callback`: Then(), else a thread in Wait().
  absl::Status Kill(bool by_callback) {
    absl::StatusOr<std::unique_ptr<ChildProcess>> started = StartRole("server", {address_, folder_});
    if (!started.ok()) return started.status();
    ChildProcess& server = **started;
    Item request;
    request.set_hold(true);
    std::promise<Ending> ended;
    std::future<Ending> ending = ended.get_future();
    std::optional<Call<Item>> call(stub_.Unary(request, CallOptions().set_timeout(kHang)));
    std::thread waiter;
    if (by_callback) {
      call->Then([&ended](absl::StatusOr<Item> reply) { ended.set_value({reply.status(), MonotonicNanos()}); });
    } else {
      waiter = std::thread([&] {
        absl::StatusOr<Item> reply = call->Wait();
        ended.set_value({reply.status(), MonotonicNanos()});
      });
    }
    absl::StatusOr<std::string> heard = server.Hear(kHang);
    std::optional<pid_t> holder;
    absl::Status status = heard.status();
    if (status.ok() && surroundings_ == Surroundings::kForkedChild) status = ForkHolder(server, &holder);
    const int64_t killed_ns = MonotonicNanos();
    ::kill(server.pid(), SIGKILL);
    const Ending end = ending.get();  // at the call's deadline at the latest
    if (waiter.joinable()) waiter.join();
    server.Kill();  // reaps it
    if (holder.has_value()) {
      ::kill(*holder, SIGKILL);
      ::waitpid(*holder, nullptr, 0);  // ours, as the subreaper of what outlives a server
    }
    if (!status.ok()) return status;
    if (end.status.code() != absl::StatusCode::kUnavailable) {
      return absl::DataLossError(absl::StrCat("a call to a killed server ended with ", end.status.ToString()));
    }
    latencies_.Add(end.at_ns - killed_ns);
    return absl::OkStatus();
  }

  // The floor: how long the end of a bare process's socket takes.
  absl::Status KillBare() {
    absl::StatusOr<std::unique_ptr<ChildProcess>> bare = StartRole("bare", {});
    if (!bare.ok()) return bare.status();
    const int64_t killed_ns = MonotonicNanos();
    ::kill((*bare)->pid(), SIGKILL);
    const absl::Status end = (*bare)->Hear(kHang).status();
    bare_.Add(MonotonicNanos() - killed_ns);
    (*bare)->Kill();
    return end.code() == absl::StatusCode::kUnavailable ? absl::OkStatus() : end;
  }

  void Report(const std::string& scheme, double slack, SoakReport* report, SoakTable* table) const {
    const std::string key = absl::StrCat(scheme, "_", NameOf(surroundings_));
    const auto ms = [this](double quantile) { return latencies_.Micros(quantile) / 1000; };
    report->Figure(key + "_kills", static_cast<double>(latencies_.size()));
    report->Figure(key + "_bare_p50_ms", bare_.Micros(0.5) / 1000);
    report->Figure(key + "_bare_max_ms", bare_.Micros(1) / 1000);
    report->Goal(key + "_p50_ms", ms(0.5), 1 * slack);
    report->Goal(key + "_p99_ms", ms(0.99), 25 * slack);
    report->Goal(key + "_max_ms", ms(1), 100 * slack);
    table->Row({scheme, NameOf(surroundings_), absl::StrCat(latencies_.size()), absl::StrFormat("%.3f", ms(0.5)),
                absl::StrFormat("%.3f", ms(0.99)), absl::StrFormat("%.3f", ms(1)),
                absl::StrFormat("%.3f", bare_.Micros(0.5) / 1000), absl::StrFormat("%.3f", bare_.Micros(1) / 1000)});
  }

 private:
  static absl::Status ForkHolder(ChildProcess& server, std::optional<pid_t>* holder) {
    absl::StatusOr<std::string> line = server.Ask("fork");
    if (!line.ok()) return line.status();
    pid_t pid = -1;
    if (!absl::SimpleAtoi(*line, &pid) || pid <= 0) return absl::InternalError("the server can't fork: " + *line);
    *holder = pid;
    return absl::OkStatus();
  }

  const std::string address_;
  const std::string folder_;
  const Surroundings surroundings_;
  const ::soak::Soak::Stub stub_;
  bench::Latencies latencies_;
  bench::Latencies bare_;
};

void KillServers(const std::string& scheme, Surroundings surroundings, const SoakOptions& options, SoakReport* report,
                 SoakTable* table) {
  const uint64_t count = options.count != 0 ? options.count : 1000;
  absl::StatusOr<std::unique_ptr<ScratchFolder>> folder = ScratchFolder::Make("soak");
  if (!folder.ok()) return report->Finding(folder.status().ToString());
  std::optional<BusyCores> busy;
  if (surroundings == Surroundings::kBusy) {
    absl::StatusOr<BusyCores> started = BusyCores::Start();
    if (!started.ok()) return report->Finding(started.status().ToString());
    busy.emplace(*std::move(started));
  }
  const std::string address = AddressOf(scheme, **folder, "server");
  absl::StatusOr<Channel> channel = Connect(address);
  if (!channel.ok()) return report->Finding(channel.status().ToString());
  KillLoop loop(address, (*folder)->path(), surroundings, *channel);
  for (uint64_t i = 0; i < count && report->findings() < 10 && !report->TimeIsUp(options); ++i) {
    report->Progress(i, count);
    absl::Status status = loop.Kill(i % 2 == 1);
    if (status.ok() && i % kBareEvery == 0) status = loop.KillBare();
    if (!status.ok()) {
      report->Finding(absl::StrCat(scheme, " ", NameOf(surroundings), ", kill ", i, ": ", status.ToString()));
    }
  }
  loop.Report(scheme, options.slack, report, table);
}

}  // namespace

bool SoakServerKills(const SoakOptions& options, SoakReport* report) {
  ::prctl(PR_SET_CHILD_SUBREAPER, 1);
  SoakTable table({"transport", "surroundings", "kills", "p50 ms", "p99 ms", "max ms", "bare p50", "bare max"});
  for (const std::string& scheme : options.schemes) {
    for (Surroundings surroundings : kAllSurroundings) KillServers(scheme, surroundings, options, report, &table);
  }
  ::prctl(PR_SET_CHILD_SUBREAPER, 0);
  report->Say(table.Text());
  return report->ok();
}

}  // namespace nearcall
