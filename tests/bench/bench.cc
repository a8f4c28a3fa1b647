// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// The benchmark's program: bench --help says what it does. It starts itself again as server and as callgrind's client.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <memory>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "nearcall/tests/bench/allocations.h"
#include "nearcall/tests/bench/detector.h"
#include "nearcall/tests/bench/figures.h"
#include "nearcall/tests/bench/instructions.h"
#include "nearcall/tests/bench/load.h"
#include "nearcall/tests/bench/measure.h"
#include "nearcall/tests/bench/options.h"
#include "nearcall/tests/bench/peer.h"
#include "nearcall/tests/bench/plan.h"
#include "nearcall/tests/bench/report.h"
#include "nearcall/tests/bench/sharing.h"

namespace nearcall::bench {
namespace {

void Progress(const std::string& text) { absl::FPrintF(stderr, "bench: %s\n", text); }

// Client and server together, by peer, transport and payload.
using CountKey = std::pair<std::string, size_t>;
using Counts = std::map<CountKey, double>;
CountKey KeyOf(const PeerKind& kind, size_t payload) { return {kind.ToString(), payload}; }

class Bench {
 public:
  explicit Bench(Options options)
      : options_(std::move(options)),
        kinds_(KindsOf(options_.transports)),
        brief_kinds_(KindsOf(options_.briefly)),
        figures_only_(!options_.update.empty()) {}

  absl::Status Run() {
    if (options_.only_instructions) {
      if (absl::Status status = CountAllInstructions(options_.payloads); !status.ok()) return status;
      return Report();
    }
    if (figures_only_) {
      if (absl::Status status = CheckFigures(options_.update); !status.ok()) return status;
    }
    rows_ = DetectMachine();
    Progress(DetectorLine(rows_));
    if (absl::Status status = MeasureAll(); !status.ok()) return status;
    if (options_.count_instructions && !figures_only_) {
      const bool small = std::count(options_.payloads.begin(), options_.payloads.end(), kSmallPayload) > 0;
      const absl::Status status = CountAllInstructions({small ? kSmallPayload : options_.payloads.front()});
      if (absl::IsNotFound(status)) {
        Progress(absl::StrCat("no instructions counted: ", status.message()));
      } else if (!status.ok()) {
        return status;
      }
    }
    Progress(DetectorLine(DetectMachine()));
    return Report();
  }

 private:
  bool Wanted(const Workload& workload, const PeerKind& kind) const {
    if (figures_only_) return WantedFor(kind, workload);
    return Wanted(workload.Name(), kind.transport);
  }

  bool Wanted(const std::string& workload, const std::string& transport) const {
    if (options_.only.empty()) return true;
    for (const std::string& part : options_.only) {
      if (absl::StrContains(absl::StrCat(workload, "/", transport), part)) return true;
    }
    return false;
  }

  std::vector<PeerKind> KindsIn(const Workload& workload) const {
    std::vector<PeerKind> kinds = kinds_;
    for (const PeerKind& kind : brief_kinds_) {
      if (kind.name == kNearcall && workload.payload == kSmallPayload && workload.outstanding == 1) {
        kinds.push_back(kind);
      }
    }
    return kinds;
  }

  absl::Status MeasureAll() {
    absl::StatusOr<std::unique_ptr<ScratchFolder>> folder = ScratchFolder::Make("bench");
    if (!folder.ok()) return folder.status();
    Peers peers(**folder);
    std::vector<std::pair<Workload, Group>> plan;
    for (const Workload& workload : Workloads(options_.payloads)) {
      for (Group& group : GroupsOf(KindsIn(workload), workload)) {
        std::erase_if(group.kinds, [&](const PeerKind& kind) { return !Wanted(workload, kind); });
        if (!group.kinds.empty()) plan.emplace_back(workload, group);
      }
    }
    // Before anything is pinned, which a process might take for a machine of one core.
    std::vector<PeerKind> needed = kinds_;
    needed.push_back({kFloor, "unix"});
    for (const auto& [workload, group] : plan) {
      needed.push_back(group.floor);
      needed.insert(needed.end(), group.kinds.begin(), group.kinds.end());
    }
    for (const PeerKind& kind : needed) {
      if (absl::Status status = peers.Start(kind); !status.ok()) return status;
    }
    for (const auto& [workload, group] : plan) {
      if (absl::Status status = MeasureOne(peers, workload, group); !status.ok()) return status;
    }
    for (const PeerKind& kind : kinds_) {
      if (figures_only_ || StartCpus().size() < 2 || kind.name != kNearcall) continue;
      if (absl::Status status = MeasureShared(peers.Get(kind)); !status.ok()) return status;
    }
    UnpinThisProcess();
    if (CanCountAllocations() && !figures_only_) {
      if (absl::Status status = CountAllAllocations(peers); !status.ok()) return status;
    }
    return peers.End();
  }

  absl::Status MeasureOne(const Peers& peers, const Workload& workload, const Group& group) {
    std::vector<const Peer*> wanted = {&peers.Get(group.floor)};
    for (const PeerKind& kind : group.kinds) wanted.push_back(&peers.Get(kind));
    Progress(absl::StrCat(workload.Name(), ", ", workload.payload, " B, beside ", group.floor.ToString(), ": ",
                          options_.rounds.rounds, " rounds"));
    absl::StatusOr<std::vector<Row>> rows = MeasureRounds(wanted, workload, options_.rounds);
    if (!rows.ok()) return rows.status();
    rows_.insert(rows_.end(), rows->begin(), rows->end());
    return absl::OkStatus();
  }

  absl::Status MeasureShared(const Peer& peer) {
    for (const Sharing sharing : {Sharing::kThreads, Sharing::kSlowStream}) {
      if (!Wanted(NameOf(sharing), peer.kind().transport)) continue;
      Progress(absl::StrCat(NameOf(sharing), ", ", peer.kind().transport, ", ", kSmallPayload,
                            " B: ", options_.rounds.rounds, " rounds"));
      absl::StatusOr<Row> row = MeasureSharing(peer, sharing, kSmallPayload, options_.rounds);
      if (!row.ok()) return row.status();
      rows_.push_back(*std::move(row));
    }
    return absl::OkStatus();
  }

  absl::Status CountAllAllocations(const Peers& peers) {
    Progress("allocations per call");
    std::vector<PeerKind> kinds = kinds_;
    kinds.push_back({kFloor, "unix"});
    for (const PeerKind& kind : kinds) {
      if (kind.served_by_link()) continue;
      for (size_t payload : options_.payloads) {
        const int64_t calls = options_.calls > 0 ? options_.calls : payload < kLargePayload ? 10'000 : 1'000;
        absl::StatusOr<double> count = MeasureAllocations(peers.Get(kind), payload, calls, Waiting::kWait);
        if (!count.ok()) return count.status();
        allocations_[KeyOf(kind, payload)] = *count;
        if (kind.is_floor() || payload != options_.payloads.front()) continue;
        count = MeasureAllocations(peers.Get(kind), payload, calls, Waiting::kThen);
        if (!count.ok()) return count.status();
        Row row;
        row.peer = kind.name;
        row.transport = kind.transport;
        row.workload = kThenWorkload;
        row.payload = payload;
        row.allocations = *count;
        rows_.push_back(row);
      }
    }
    return absl::OkStatus();
  }

  absl::Status CountAllInstructions(const std::vector<size_t>& payloads) {
    std::string profile;
    std::vector<PeerKind> kinds = kinds_;
    // Spinning is not counted, nor what a link starts.
    std::erase_if(kinds, [](const PeerKind& kind) { return kind.name != kNearcall || kind.served_by_link(); });
    kinds.insert(kinds.begin(), {kFloor, "unix"});
    for (const PeerKind& kind : kinds) {
      for (size_t payload : payloads) {
        if (Interrupted()) return absl::CancelledError("interrupted");
        const int64_t calls = options_.calls > 0 ? options_.calls : payload < kLargePayload ? 1'000 : 100;
        absl::StatusOr<Instructions> count = CountInstructions(kind, payload, calls, !options_.profile.empty());
        if (!count.ok()) return count.status();
        Progress(absl::StrFormat("instructions per call, %s %s %d B: client %.0f, server %.0f", kind.name,
                                 kind.transport, payload, count->client, count->server));
        instructions_[KeyOf(kind, payload)] = count->client + count->server;
        profile += count->profile;
        if (options_.only_instructions) {
          Row row;
          row.peer = kind.name;
          row.transport = kind.transport;
          row.workload = "unary";
          row.payload = payload;
          rows_.push_back(row);
        }
      }
    }
    return options_.profile.empty() ? absl::OkStatus() : WriteText(options_.profile, profile);
  }

  absl::Status Report() {
    for (Row& row : rows_) {
      // Both were counted with one call at a time.
      if (row.peer == "machine" || !absl::StartsWith(row.workload, "unary")) continue;
      const CountKey key = KeyOf({row.peer, row.transport}, row.payload);
      if (const auto it = allocations_.find(key); it != allocations_.end()) row.allocations = it->second;
      if (const auto it = instructions_.find(key); it != instructions_.end()) row.instructions = it->second;
    }
    std::printf("%s\n%s", Table(rows_).c_str(), GoalLines(rows_).c_str());
    if (figures_only_) {
      const absl::Status status = UpdateFigures(options_.update, FiguresText(rows_, options_.rounds));
      if (!status.ok()) return status;
    }
    if (options_.json.empty()) return absl::OkStatus();
    return WriteJson(options_.json, rows_);
  }

  const Options options_;
  const std::vector<PeerKind> kinds_;        // in all workloads
  const std::vector<PeerKind> brief_kinds_;  // in the shortest alone
  const bool figures_only_;
  std::vector<Row> rows_;
  Counts allocations_;
  Counts instructions_;
};

absl::Status RunLoad(const Options& options) {
  Progress(DetectorLine(DetectMachine()));
  Progress(absl::StrCat("load: ", options.rounds.rounds, " rounds"));
  absl::StatusOr<std::vector<Row>> rows = MeasureLoad(options.transports, options.rounds);
  if (!rows.ok()) return rows.status();
  std::fputs(LoadTable(*rows).c_str(), stdout);
  return options.json.empty() ? absl::OkStatus() : WriteJson(options.json, *rows);
}

absl::Status Main(const Options& options) {
  const PeerKind kind = PeerKind::Parse(options.serve + options.call);
  if (!options.serve.empty()) return RunServer(kind, options.address);
  if (!options.call.empty()) return RunClient(kind, options.address, options.payloads.front(), options.calls);
  CatchInterrupts();
  return options.load ? RunLoad(options) : Bench(options).Run();
}

}  // namespace
}  // namespace nearcall::bench

int main(int argc, char** argv) {
  nearcall::bench::StartCpus();  // remembers them before anything is pinned
  absl::StatusOr<nearcall::bench::Options> options = nearcall::bench::ParseOptions(argc, argv);
  absl::Status status = options.status();
  if (options.ok() && options->help) {
    std::fputs(nearcall::bench::HelpText().c_str(), stdout);
    return EXIT_SUCCESS;
  }
  if (options.ok()) status = nearcall::bench::Main(*options);
  if (status.ok()) return EXIT_SUCCESS;
  std::fprintf(stderr, "bench: %s\n", status.ToString().c_str());
  return EXIT_FAILURE;
}
