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
#include "nearcall/tests/bench/instructions.h"
#include "nearcall/tests/bench/measure.h"
#include "nearcall/tests/bench/options.h"
#include "nearcall/tests/bench/peer.h"
#include "nearcall/tests/bench/report.h"
#include "nearcall/tests/bench/sharing.h"

namespace nearcall::bench {
namespace {

constexpr int kOutstanding = 64;
constexpr size_t kLargePayload = 1 << 20;
constexpr size_t kSmallPayload = 64;

void Progress(const std::string& text) { absl::FPrintF(stderr, "bench: %s\n", text); }

// Client and server together, by peer, transport and payload.
using CountKey = std::pair<std::string, size_t>;
using Counts = std::map<CountKey, double>;
CountKey KeyOf(const PeerKind& kind, size_t payload) { return {absl::StrCat(kind.name, "/", kind.transport), payload}; }

class Bench {
 public:
  explicit Bench(Options options) : options_(std::move(options)) {
    kinds_.push_back({"floor", "unix"});
    for (const std::string& transport : options_.transports) kinds_.push_back({"nearcall", transport});
  }

  absl::Status Run() {
    if (options_.only_instructions) {
      if (absl::Status status = CountAllInstructions(options_.payloads); !status.ok()) return status;
      return Report();
    }
    rows_ = DetectMachine();
    Progress(DetectorLine(rows_));
    if (absl::Status status = MeasureAll(); !status.ok()) return status;
    if (options_.count_instructions) {
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
  bool Wanted(const std::string& workload, const std::string& transport) const {
    if (options_.only.empty()) return true;
    for (const std::string& part : options_.only) {
      if (absl::StrContains(absl::StrCat(workload, "/", transport), part)) return true;
    }
    return false;
  }

  std::vector<Workload> Workloads() const {
    std::vector<Workload> workloads;
    for (Placement placement : {Placement::kTwoCores, Placement::kOneCore}) {
      if (placement == Placement::kTwoCores && StartCpus().size() < 2) continue;
      for (size_t payload : options_.payloads) workloads.push_back({payload, 1, placement});
    }
    for (Placement placement : {Placement::kTwoCores, Placement::kOneCore}) {
      if (placement == Placement::kTwoCores && StartCpus().size() < 2) continue;
      workloads.push_back({kSmallPayload, kOutstanding, placement});
    }
    return workloads;
  }

  absl::Status MeasureAll() {
    absl::StatusOr<std::unique_ptr<ScratchFolder>> folder = ScratchFolder::Make();
    if (!folder.ok()) return folder.status();
    std::vector<std::unique_ptr<Peer>> peers;
    for (const PeerKind& kind : kinds_) {
      absl::StatusOr<std::unique_ptr<Peer>> peer = Peer::Start(kind, **folder);
      if (!peer.ok()) return peer.status();
      peers.push_back(*std::move(peer));
    }
    for (const Workload& workload : Workloads()) {
      if (absl::Status status = MeasureOne(peers, workload); !status.ok()) return status;
    }
    if (StartCpus().size() >= 2) {
      for (size_t i = 1; i < peers.size(); ++i) {
        if (absl::Status status = MeasureShared(*peers[i]); !status.ok()) return status;
      }
    }
    UnpinThisProcess();
    if (CanCountAllocations()) {
      if (absl::Status status = CountAllAllocations(peers); !status.ok()) return status;
    }
    for (const std::unique_ptr<Peer>& peer : peers) {
      if (absl::Status status = peer->End(); !status.ok()) return status;
    }
    return absl::OkStatus();
  }

  absl::Status MeasureOne(const std::vector<std::unique_ptr<Peer>>& peers, const Workload& workload) {
    std::vector<const Peer*> wanted = {peers[0].get()};
    for (size_t i = 1; i < peers.size(); ++i) {
      if (Wanted(workload.Name(), peers[i]->kind().transport)) wanted.push_back(peers[i].get());
    }
    if (wanted.size() == 1) return absl::OkStatus();
    Progress(absl::StrCat(workload.Name(), ", ", workload.payload, " B: ", options_.rounds.rounds, " rounds"));
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

  absl::Status CountAllAllocations(const std::vector<std::unique_ptr<Peer>>& peers) {
    Progress("allocations per call");
    for (const std::unique_ptr<Peer>& peer : peers) {
      for (size_t payload : options_.payloads) {
        const int64_t calls = options_.calls > 0 ? options_.calls : payload < kLargePayload ? 10'000 : 1'000;
        absl::StatusOr<double> count = MeasureAllocations(*peer, payload, calls, Waiting::kWait);
        if (!count.ok()) return count.status();
        allocations_[KeyOf(peer->kind(), payload)] = *count;
        if (peer->kind().name == "floor" || payload != options_.payloads.front()) continue;
        count = MeasureAllocations(*peer, payload, calls, Waiting::kThen);
        if (!count.ok()) return count.status();
        Row row;
        row.peer = peer->kind().name;
        row.transport = peer->kind().transport;
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
    for (const PeerKind& kind : kinds_) {
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
    if (options_.json.empty()) return absl::OkStatus();
    return WriteJson(options_.json, rows_);
  }

  const Options options_;
  std::vector<PeerKind> kinds_;  // the floor first
  std::vector<Row> rows_;
  Counts allocations_;
  Counts instructions_;
};

absl::Status Main(const Options& options) {
  const PeerKind kind = {options.serve + options.call, options.transports.front()};
  if (!options.serve.empty()) return RunServer(kind, options.address);
  if (!options.call.empty()) return RunClient(kind, options.address, options.payloads.front(), options.calls);
  CatchInterrupts();
  return Bench(options).Run();
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
