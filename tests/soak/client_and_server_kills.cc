// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// Kills of a client or of a server while their connection is in each of its states. A client goes through the states
// again and again and writes down where it is, in memory that outlives it; who survives is audited after each kill.
#include <sched.h>
#include <signal.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "nearcall/rpc/nearcall.h"
#include "nearcall/tests/soak/soak.h"
#include "nearcall/tests/soak/soak_process.h"
#include "nearcall/transports/api/clock.h"
#include "tests/soak/soak.nearcall.h"

namespace nearcall {
namespace {

using ::soak::Item;

// Where a client is; kNone: between two connections.
enum State : uint64_t { kNone, kConnecting, kIdle, kInFlight, kClosing };
constexpr int kStates = 4;
constexpr const char* kStateNames[] = {"none", "connecting", "idle", "in_flight", "closing"};
constexpr uint64_t kStateBits = 7;  // of the word; the rest counts cycles

constexpr useconds_t kIdleUs = 1500;    // how long a cycle stays idle
constexpr uint32_t kInFlightUs = 1500;  // how long its call takes
constexpr useconds_t kClosingUs = 300;  // how long the server is given to find out that the channel is gone
constexpr uint64_t kWarmUpCycles = 100;
constexpr int kLimitMs = 20'000;
constexpr uint64_t kMostTimes = 3;  // so many times the count are killed until each state has its tenth

struct CycleWord {
  std::atomic<uint64_t> word;  // cycles << 3 | State
  State state() const { return static_cast<State>(word.load() & kStateBits); }
  uint64_t cycles() const { return word.load() >> 3; }
};
static_assert(std::atomic<uint64_t>::is_always_lock_free);

// ---- the client

absl::Status Cycle(const std::string& address, uint64_t number, CycleWord* word) {
  const auto enter = [&](State state) { word->word.store(number << 3 | state); };
  absl::Status status;
  {
    absl::StatusOr<Channel> channel = Connect(address);
    if (!channel.ok()) return channel.status();
    enter(kConnecting);
    const bool connected = channel->WaitForConnected(absl::Milliseconds(50));
    if (connected) {
      enter(kIdle);
      ::usleep(kIdleUs);
    }
    enter(kInFlight);
    Item item;
    item.set_pause_us(kInFlightUs);
    status = ::soak::Soak::Stub(*channel).Unary(item).Wait().status();
    enter(kClosing);
  }
  ::usleep(kClosingUs);
  enter(kNone);
  return status;
}

// Cycles until it is told to pause. A server that is killed makes calls UNAVAILABLE, and nothing else.
class Cycler {
 public:
  Cycler(std::string address, CycleWord* word) : address_(std::move(address)), word_(word) {}
  void Run() {
    pause_.store(false);
    thread_ = std::thread([this] {
      while (!pause_.load()) {
        const absl::Status status = Cycle(address_, ++cycles_, word_);
        if (!status.ok() && status.code() != absl::StatusCode::kUnavailable) wrong_ = status;
      }
    });
  }
  absl::Status Pause() {
    pause_.store(true);
    if (thread_.joinable()) thread_.join();
    return std::exchange(wrong_, absl::OkStatus());
  }

 private:
  const std::string address_;
  CycleWord* const word_;
  std::atomic<bool> pause_{false};
  std::thread thread_;
  uint64_t cycles_ = 0;
  absl::Status wrong_;  // by the thread while it runs
};

// ---- who kills

struct Counts {
  std::array<uint64_t, kStates + 1> hits{};
  uint64_t kills = 0;
  State Rarest() const {
    int rarest = kConnecting;
    for (int i = kConnecting; i <= kStates; ++i) {
      if (hits[static_cast<size_t>(i)] < hits[static_cast<size_t>(rarest)]) rarest = i;
    }
    return static_cast<State>(rarest);
  }
  bool EachHasATenth() const { return hits[Rarest()] * 10 >= kills; }
};

class Killer {
 public:
  Killer(std::string scheme, const SoakOptions& options, SoakReport* report)
      : scheme_(std::move(scheme)), options_(options), report_(report), random_(options.seed) {}

  absl::Status Run(SoakTable* table) {
    const uint64_t count = options_.count != 0 ? options_.count : 2000;
    for (bool of_clients : {true, false}) {
      absl::StatusOr<std::unique_ptr<ScratchFolder>> folder = ScratchFolder::Make("soak");
      if (!folder.ok()) return folder.status();
      absl::StatusOr<SharedFile> shared = SharedFile::Open((*folder)->Path("word"), sizeof(CycleWord));
      if (!shared.ok()) return shared.status();
      word_ = shared->As<CycleWord>();
      folder_ = (*folder)->path();
      word_path_ = (*folder)->Path("word");
      address_ = AddressOf(scheme_, **folder, "server");
      Counts counts;
      if (absl::Status status = of_clients ? KillClients(count / 2, &counts) : KillServers(count - count / 2, &counts);
          !status.ok()) {
        return absl::Status(status.code(), absl::StrCat("after ", counts.kills, " kills of ",
                                                        of_clients ? "clients" : "servers", ": ", status.message()));
      }
      Judge(of_clients ? "client" : "server", counts, table);
    }
    return absl::OkStatus();
  }

 private:
  using Process = std::unique_ptr<ChildProcess>;

  absl::StatusOr<Process> StartServer() { return StartRole("server", {address_, folder_}); }
  absl::StatusOr<Process> StartClient() { return StartRole("cycle-client", {address_, folder_, word_path_}); }

  static absl::Status Pause(ChildProcess& client) {
    absl::StatusOr<std::string> answer = client.Ask("pause");
    if (!answer.ok()) return answer.status();
    return *answer == "paused" ? absl::OkStatus() : absl::DataLossError(absl::StrCat("a cycle gave: ", *answer));
  }

  // The address is in use: cycles go by.
  absl::Status AwaitCycles(uint64_t more) const {
    const uint64_t from = word_->cycles();
    if (Eventually([&] { return word_->cycles() > from + more; }, kLimitMs)) return absl::OkStatus();
    return absl::DeadlineExceededError(absl::StrCat("no cycle in ", kLimitMs, " ms, state ",
                                                    kStateNames[word_->state()], ": the address is not usable"));
  }

  // Until the client is in that state, and a random moment.
  absl::Status Aim(State target) {
    const int64_t end_ns = MonotonicNanos() + int64_t{kLimitMs} * 1'000'000;
    while (word_->state() != target) {
      if (MonotonicNanos() > end_ns) return absl::DeadlineExceededError("the state to kill in does not come");
      ::sched_yield();
    }
    const int64_t until_ns = MonotonicNanos() + static_cast<int64_t>(random_.Below(100'000));
    while (MonotonicNanos() < until_ns && word_->state() == target) {
    }
    return absl::OkStatus();
  }

  bool GoOn(uint64_t count, const Counts& counts) {
    report_->Progress(counts.kills, count);
    const bool enough = counts.kills >= count && (counts.EachHasATenth() || counts.kills >= kMostTimes * count);
    return !enough && !report_->TimeIsUp(options_);
  }

  // The survivor is a server. The state a client died in stands in its word.
  absl::Status KillClients(uint64_t count, Counts* counts) {
    absl::StatusOr<Process> server = StartServer();
    if (!server.ok()) return server.status();
    {
      absl::StatusOr<Process> client = StartClient();
      if (!client.ok()) return client.status();
      if (absl::Status status = (*client)->Tell("run"); !status.ok()) return status;
      if (absl::Status status = AwaitCycles(kWarmUpCycles); !status.ok()) return status;
      (*client)->Kill();
    }
    if (absl::Status status = BeginAudit(**server); !status.ok()) return status;
    while (GoOn(count, *counts)) {
      absl::StatusOr<Process> client = StartClient();
      if (!client.ok()) return client.status();
      word_->word.store(0);
      if (absl::Status status = (*client)->Tell("run"); !status.ok()) return status;
      if (absl::Status status = AwaitCycles(1 + random_.Below(3)); !status.ok()) return status;
      if (absl::Status status = Aim(counts->Rarest()); !status.ok()) return status;
      (*client)->Kill();
      ++counts->hits[word_->state()];
      ++counts->kills;
      if (absl::Status status = EndAudit(**server); !status.ok()) {
        return absl::Status(
            status.code(), absl::StrCat("killed in ", kStateNames[word_->state()], ", the server: ", status.message()));
      }
    }
    return (*server)->End(absl::Seconds(10));
  }

  // The survivor is a client. A kill whose client left the state during kill(2) counts for none.
  absl::Status KillServers(uint64_t count, Counts* counts) {
    std::optional<Process> client;
    while (GoOn(count, *counts)) {
      absl::StatusOr<Process> server = StartServer();  // takes over what the last one left
      if (!server.ok()) return server.status();
      if (!client.has_value()) {
        absl::StatusOr<Process> started = StartClient();
        if (!started.ok()) return started.status();
        client.emplace(*std::move(started));
        if (absl::Status status = WarmUp(**client); !status.ok()) return status;
      }
      if (absl::Status status = (*client)->Tell("run"); !status.ok()) return status;
      if (absl::Status status = AwaitCycles(1 + random_.Below(3)); !status.ok()) return status;
      if (absl::Status status = Aim(counts->Rarest()); !status.ok()) return status;
      const uint64_t before = word_->word.load();
      ::kill((*server)->pid(), SIGKILL);
      const bool same = word_->word.load() == before;
      (*server)->Kill();
      const State state = same ? static_cast<State>(before & kStateBits) : kNone;
      ++counts->hits[state];
      ++counts->kills;
      absl::Status status = Pause(**client);
      if (status.ok()) status = EndAudit(**client);
      if (!status.ok()) {
        return absl::Status(status.code(),
                            absl::StrCat("killed in ", kStateNames[state], ", the client: ", status.message()));
      }
    }
    return client.has_value() ? (*client)->End(absl::Seconds(10)) : absl::OkStatus();
  }

  absl::Status WarmUp(ChildProcess& client) {
    if (absl::Status status = client.Tell("run"); !status.ok()) return status;
    if (absl::Status status = AwaitCycles(kWarmUpCycles); !status.ok()) return status;
    if (absl::Status status = Pause(client); !status.ok()) return status;
    return BeginAudit(client);
  }

  void Judge(const std::string& victim, const Counts& counts, SoakTable* table) {
    std::vector<std::string> row = {scheme_, victim, absl::StrCat(counts.kills)};
    report_->Figure(absl::StrCat(scheme_, "_", victim, "_kills"), static_cast<double>(counts.kills));
    for (size_t state = kConnecting; state <= kStates; ++state) {
      const std::string key = absl::StrCat(scheme_, "_", victim, "_killed_", kStateNames[state]);
      report_->Figure(key, static_cast<double>(counts.hits[state]));
      row.push_back(absl::StrCat(counts.hits[state]));
      if (counts.hits[state] * 10 < counts.kills) report_->Finding(key + ": less than a tenth of the kills");
    }
    row.push_back(absl::StrCat(counts.hits[kNone]));
    table->Row(std::move(row));
  }

  const std::string scheme_;
  const SoakOptions& options_;
  SoakReport* const report_;
  Random random_;
  CycleWord* word_ = nullptr;
  std::string folder_;
  std::string word_path_;
  std::string address_;
};

}  // namespace

// ADDRESS FOLDER WORD_FILE. Obeys: run, pause (says "paused", or what went wrong), and the lines of AuditLines.
int RunCycleClient(const std::vector<std::string>& arguments) {
  if (arguments.size() != 3) return 2;
  absl::StatusOr<SharedFile> word = SharedFile::Open(arguments[2], sizeof(CycleWord));
  if (!word.ok()) return ExitWith(word.status());
  AuditLines audit(arguments[1]);
  Cycler cycler(arguments[0], word->As<CycleWord>());
  bench::SayLine("ready");
  for (std::string line; bench::HearLine(line);) {
    if (line == "run") {
      cycler.Run();
    } else if (line == "pause") {
      const absl::Status status = cycler.Pause();
      bench::SayLine(status.ok() ? "paused" : OneLine(status.ToString()));
    } else if (!audit.Obey(line)) {
      return 2;
    }
  }
  return cycler.Pause().ok() ? 0 : 1;
}

bool SoakClientAndServerKills(const SoakOptions& options, SoakReport* report) {
  SoakTable table({"transport", "killed", "kills", "connecting", "idle", "in flight", "closing", "between"});
  for (const std::string& scheme : options.schemes) {
    if (absl::Status status = Killer(scheme, options, report).Run(&table); !status.ok()) {
      report->Finding(absl::StrCat(scheme, ": ", status.ToString()));
    }
  }
  report->Say(table.Text());
  return report->ok();
}

}  // namespace nearcall
