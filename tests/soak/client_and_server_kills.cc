// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// Kills of a client or of a server while their connection is in each of its states (cycle_client.h). Who survives is
// audited after each kill, what both may have left by name after each bind.
#include <sched.h>
#include <signal.h>

#include <array>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "nearcall/tests/bench/stats.h"
#include "nearcall/tests/soak/cycle_client.h"
#include "nearcall/tests/soak/names_left.h"
#include "nearcall/tests/soak/soak.h"
#include "nearcall/tests/soak/soak_process.h"
#include "nearcall/transports/api/clock.h"

namespace nearcall {
namespace {

constexpr uint64_t kWarmUpCycles = 100;
constexpr uint64_t kWarmUpCyclesOfExec = 10;  // each starts a process
constexpr int kLimitMs = 20'000;
constexpr int kProcessesLimitMs = 4000;      // for those of exec: to end by themselves: they are sent SIGTERM after 5 s
constexpr uint64_t kMostTimes = 3;           // so many times the count are killed until each state has its tenth
constexpr uint64_t kKillsBetweenBinds = 50;  // of clients
constexpr double kCallsEndMs = 100;

struct Counts {
  std::array<uint64_t, kCycleStates + 1> hits{};
  uint64_t kills = 0;
  CycleState Rarest() const {
    int rarest = kConnecting;
    for (int i = kConnecting; i <= kCycleStates; ++i) {
      if (hits[static_cast<size_t>(i)] < hits[static_cast<size_t>(rarest)]) rarest = i;
    }
    return static_cast<CycleState>(rarest);
  }
  bool EachHasATenth() const { return hits[Rarest()] * 10 >= kills; }
};

absl::Status Prefixed(const std::string& prefix, const absl::Status& status) {
  return status.ok() ? status : absl::Status(status.code(), absl::StrCat(prefix, ": ", status.message()));
}

class Killer {
 public:
  Killer(std::string scheme, bool of_clients, const SoakOptions& options, SoakReport* report)
      : scheme_(std::move(scheme)),
        of_clients_(of_clients),
        options_(options),
        report_(report),
        random_(options.seed) {}

  absl::Status Run(uint64_t count, SoakTable* table) {
    absl::StatusOr<std::unique_ptr<ScratchFolder>> folder = ScratchFolder::Make("soak");
    if (!folder.ok()) return folder.status();
    word_path_ = (*folder)->Path("word");
    absl::StatusOr<SharedFile> shared = SharedFile::Open(word_path_, sizeof(CycleWord));
    if (!shared.ok()) return shared.status();
    word_ = shared->As<CycleWord>();
    word_->killed_ns.store(CycleWord::kNoKill);
    folder_ = (*folder)->path();
    address_ = is_exec() ? bench::ExecAddress({bench::SelfPath(), "--role", kExecRole, folder_, word_path_})
                         : AddressOf(scheme_, **folder, "server");
    names_.emplace(folder_);
    absl::Status status = of_clients_ ? KillClients(count) : KillServers(count);
    if (!status.ok()) return Prefixed(absl::StrCat("after ", counts_.kills, " kills of ", Victim(), "s"), status);
    Judge(table);
    return absl::OkStatus();
  }

 private:
  using Process = std::unique_ptr<ChildProcess>;
  static constexpr char kExecRole[] = "cycle-server";

  bool is_exec() const { return scheme_ == "exec"; }  // each client starts its own server
  const char* Victim() const { return of_clients_ ? "client" : "server"; }

  // Takes over what the last one left. Null: of exec:.
  absl::StatusOr<Process> StartServer() {
    absl::StatusOr<Process> server = is_exec() ? Process() : StartRole("server", {address_, folder_});
    if (!server.ok()) return server.status();
    if (!std::exchange(bound_, true)) names_->Begin();
    if (absl::Status none = names_->Check(); !none.ok()) return none;
    return server;
  }
  absl::StatusOr<Process> StartClient() { return StartRole("cycle-client", {address_, folder_, word_path_}); }

  static absl::Status Pause(ChildProcess& client) {
    absl::StatusOr<std::string> answer = client.Ask("pause");
    if (!answer.ok()) return answer.status();
    return *answer == "paused" ? absl::OkStatus() : absl::DataLossError(absl::StrCat("a cycle gave: ", *answer));
  }

  uint64_t WarmUpCycles() const { return is_exec() ? kWarmUpCyclesOfExec : kWarmUpCycles; }

  // The address is in use: cycles go by.
  absl::Status AwaitCycles(uint64_t more) const {
    const uint64_t from = word_->cycles();
    if (Eventually([&] { return word_->cycles() > from + more; }, kLimitMs)) return absl::OkStatus();
    return absl::DeadlineExceededError(absl::StrCat("no cycle in ", kLimitMs, " ms, state ",
                                                    kCycleStateNames[word_->state()], ": the address is not usable"));
  }

  // Until the client is in that state, and a random moment.
  absl::Status Aim(CycleState target) {
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

  // Which processes to kill. Those of exec: are found by their command line until main(): exec(2) and the loader take
  // most of connecting. One that is left of the last cycle is on its way out.
  std::vector<pid_t> Targets(const Process& server, CycleState target) {
    if (!is_exec()) return {server->pid()};
    if (target != kConnecting) return {word_->server.load()};
    const bool early = random_.Below(2) == 0;
    while (word_->state() == target) {
      if (const pid_t pid = word_->server.load(); pid != 0) return {pid};
      if (!early) continue;
      std::vector<pid_t> found = bench::ProcessesNaming(absl::StrCat(kExecRole, absl::string_view("\0", 1), folder_));
      if (!found.empty()) return found;
    }
    return {};
  }

  bool GoOn(uint64_t count) {
    report_->Progress(counts_.kills, count);
    const bool enough = counts_.kills >= count && (counts_.EachHasATenth() || counts_.kills >= kMostTimes * count);
    return !enough && !report_->TimeIsUp(options_);
  }

  // Of exec:, whose processes must end with those that they were started for.
  absl::Status AwaitProcesses(const std::vector<pid_t>& expected) {
    if (!is_exec()) return absl::OkStatus();
    const int64_t start_ns = MonotonicNanos();
    std::vector<pid_t> found;
    const bool gone =
        Eventually([&] { return (found = bench::ProcessesNaming(folder_)) == expected; }, kProcessesLimitMs);
    processes_.Add(MonotonicNanos() - start_ns);
    if (gone) return absl::OkStatus();
    return absl::DataLossError(absl::StrCat("processes left over, or gone: there are ", absl::StrJoin(found, ", "),
                                            " instead of ", absl::StrJoin(expected, ", ")));
  }

  // The survivor is a server. The state a client died in stands in its word.
  absl::Status KillClients(uint64_t count) {
    while (GoOn(count)) {
      absl::StatusOr<Process> server = StartServer();
      if (!server.ok()) return server.status();
      if (absl::Status status = WarmUpServer(*server); !status.ok()) return status;
      for (uint64_t i = 0; i < kKillsBetweenBinds && GoOn(count); ++i) {
        absl::Status status = KillOneClient();
        if (status.ok() && *server != nullptr) status = EndAudit(**server);
        if (status.ok()) status = AwaitProcesses({});
        if (!status.ok()) return Prefixed(absl::StrCat("killed in ", kCycleStateNames[word_->state()]), status);
      }
      if (*server == nullptr) continue;
      if (absl::Status ended = (*server)->End(absl::Seconds(10)); !ended.ok()) return ended;
    }
    return StartServer().status();  // the bind after the last kill
  }

  absl::Status WarmUpServer(const Process& server) {
    if (server == nullptr) return absl::OkStatus();
    absl::StatusOr<Process> client = StartClient();
    if (!client.ok()) return client.status();
    if (absl::Status status = (*client)->Tell("run"); !status.ok()) return status;
    if (absl::Status status = AwaitCycles(WarmUpCycles()); !status.ok()) return status;
    (*client)->Kill();
    return BeginAudit(*server);
  }

  absl::Status KillOneClient() {
    absl::StatusOr<Process> client = StartClient();
    if (!client.ok()) return client.status();
    word_->word.store(0);
    if (absl::Status status = (*client)->Tell("run"); !status.ok()) return status;
    if (absl::Status status = AwaitCycles(1 + random_.Below(3)); !status.ok()) return status;
    if (absl::Status status = Aim(counts_.Rarest()); !status.ok()) return status;
    (*client)->Kill();
    ++counts_.hits[word_->state()];
    ++counts_.kills;
    return absl::OkStatus();
  }

  // The survivor is a client.
  absl::Status KillServers(uint64_t count) {
    std::optional<Process> client;
    while (GoOn(count)) {
      absl::StatusOr<Process> server = StartServer();
      if (!server.ok()) return server.status();
      if (!client.has_value()) {
        absl::StatusOr<Process> started = StartClient();
        if (!started.ok()) return started.status();
        client.emplace(*std::move(started));
        if (absl::Status status = WarmUpClient(**client); !status.ok()) return status;
      }
      if (absl::Status status = (*client)->Tell("run"); !status.ok()) return status;
      if (absl::Status status = AwaitCycles(1 + random_.Below(3)); !status.ok()) return status;
      CycleState state = kNone;
      if (absl::Status status = KillOneServer(*server, &state); !status.ok()) return status;
      absl::Status status = Pause(**client);
      if (status.ok()) status = EndAudit(**client);
      if (status.ok()) status = AwaitProcesses({(*client)->pid()});
      if (!status.ok()) return Prefixed(absl::StrCat("killed in ", kCycleStateNames[state], ", the client"), status);
      NoteCalls();
    }
    if (absl::Status last = StartServer().status(); !last.ok()) return last;
    return client.has_value() ? (*client)->End(absl::Seconds(10)) : absl::OkStatus();
  }

  // A kill whose client left the state during kill(2) counts for none.
  absl::Status KillOneServer(const Process& server, CycleState* state) {
    const CycleState target = counts_.Rarest();
    if (absl::Status status = Aim(target); !status.ok()) return status;
    const std::vector<pid_t> targets = Targets(server, target);
    const uint64_t before = word_->word.load();
    word_->pending_ns.store(0);
    word_->started_ns.store(0);
    word_->killed_ns.store(MonotonicNanos());
    bool killed = false;
    for (const pid_t pid : targets) killed = (pid > 0 && ::kill(pid, SIGKILL) == 0) || killed;
    if (killed && word_->word.load() == before) *state = static_cast<CycleState>(before & kCycleStateBits);
    if (server != nullptr) server->Kill();
    ++counts_.hits[*state];
    ++counts_.kills;
    return absl::OkStatus();
  }

  absl::Status WarmUpClient(ChildProcess& client) {
    if (absl::Status status = client.Tell("run"); !status.ok()) return status;
    if (absl::Status status = AwaitCycles(WarmUpCycles()); !status.ok()) return status;
    if (absl::Status status = Pause(client); !status.ok()) return status;
    return BeginAudit(client);
  }

  // How late the calls of a paused client ended. Those that it started after the kill had no server; of exec:, they
  // started one.
  void NoteCalls() {
    word_->killed_ns.store(CycleWord::kNoKill);
    if (const int64_t ns = word_->pending_ns.load(); ns != 0) pending_.Add(ns);
    if (const int64_t ns = word_->started_ns.load(); ns != 0 && !is_exec()) started_.Add(ns);
  }

  void Judge(SoakTable* table) {
    std::vector<std::string> row = {scheme_, Victim(), absl::StrCat(counts_.kills)};
    const std::string prefix = absl::StrCat(scheme_, "_", Victim(), "_");
    report_->Figure(prefix + "kills", static_cast<double>(counts_.kills));
    for (size_t state = kConnecting; state <= kCycleStates; ++state) {
      const std::string key = absl::StrCat(prefix, "killed_", kCycleStateNames[state]);
      report_->Figure(key, static_cast<double>(counts_.hits[state]));
      row.push_back(absl::StrCat(counts_.hits[state]));
      if (counts_.hits[state] * 10 < counts_.kills) report_->Finding(key + ": less than a tenth of the kills");
    }
    row.push_back(absl::StrCat(counts_.hits[kNone]));
    for (const auto& [name, calls] : {std::pair("pending", &pending_), std::pair("later", &started_)}) {
      const double max_ms = calls->Micros(1) / 1000;
      row.push_back(calls->size() == 0 ? "-" : absl::StrFormat("%.1f", max_ms));
      if (calls->size() == 0) continue;
      report_->Figure(absl::StrCat(prefix, name, "_calls"), static_cast<double>(calls->size()));
      report_->Goal(absl::StrCat(prefix, name, "_calls_end_max_ms"), max_ms, kCallsEndMs * options_.slack);
    }
    if (!of_clients_ && pending_.size() == 0) report_->Finding(prefix + "pending_calls: none");
    row.push_back(processes_.size() == 0 ? "-" : absl::StrFormat("%.0f", processes_.Micros(1) / 1000));
    table->Row(std::move(row));
  }

  const std::string scheme_;
  const bool of_clients_;
  const SoakOptions& options_;
  SoakReport* const report_;
  Random random_;
  Counts counts_;
  bench::Latencies pending_;    // calls that were under way, from the kill
  bench::Latencies started_;    // calls that were started after it
  bench::Latencies processes_;  // until those of exec: had ended
  CycleWord* word_ = nullptr;
  std::optional<NamesLeft> names_;
  bool bound_ = false;
  std::string folder_;
  std::string word_path_;
  std::string address_;
};

// The rendezvous and its death watch are what unix: and local: share with others.
uint64_t DefaultCount(const std::string& scheme) {
  return scheme == "unix" || scheme == "local" || scheme == "shm" ? 2000 : 500;
}

}  // namespace

bool SoakClientAndServerKills(const SoakOptions& options, SoakReport* report) {
  SoakTable table({"transport", "killed", "kills", "connecting", "idle", "in flight", "closing", "between",
                   "pending max ms", "later max ms", "processes max ms"});
  for (const std::string& scheme : options.schemes) {
    const uint64_t count = options.count != 0 ? options.count : DefaultCount(scheme);
    for (const bool of_clients : {true, false}) {
      Killer killer(scheme, of_clients, options, report);
      const absl::Status status = killer.Run(of_clients ? count / 2 : count - count / 2, &table);
      if (!status.ok()) report->Finding(absl::StrCat(scheme, ": ", status.ToString()));
    }
  }
  report->Say(table.Text());
  return report->ok();
}

}  // namespace nearcall
