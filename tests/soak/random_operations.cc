// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// Random calls from several processes while servers are killed and drained, and the check of what they recorded.
#include <signal.h>

#include <array>
#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "nearcall/rpc/nearcall.h"
#include "nearcall/tests/soak/history.h"
#include "nearcall/tests/soak/operations.h"
#include "nearcall/tests/soak/soak.h"
#include "nearcall/tests/soak/soak_process.h"
#include "nearcall/transports/api/clock.h"

namespace nearcall {
namespace {

constexpr uint32_t kClients = 3;
constexpr int kThreads = 4;                             // of each client
constexpr uint64_t kShortestMs = 20, kLongestMs = 200;  // a server's life
constexpr uint64_t kLongestDrainMs = 50;
constexpr int64_t kHangNs = 60'000'000'000;
constexpr uint32_t kFullTable = 50'000;  // calls from which on each cell of the table must be filled
constexpr uint64_t kMostFindings = 10;

struct Ends {
  uint64_t calls = 0, ok = 0, cancelled = 0, deadline = 0, unavailable = 0;
};
using EndsByPlan = std::array<std::array<Ends, kCallForms>, kCallKinds>;

class RandomOperations {
 public:
  RandomOperations(std::string scheme, const SoakOptions& options, SoakReport* report)
      : scheme_(std::move(scheme)),
        seed_(options.seed),
        calls_(static_cast<uint32_t>(options.count != 0 ? options.count : 300'000)),
        options_(options),
        report_(report),
        random_(options.seed) {}

  absl::Status Run(SoakTable* table) {
    absl::StatusOr<std::unique_ptr<ScratchFolder>> folder = ScratchFolder::Make("soak");
    if (!folder.ok()) return folder.status();
    address_ = AddressOf(scheme_, **folder, "server");
    folder_ = (*folder)->path();
    history_path_ = (*folder)->Path("history");
    absl::StatusOr<History> history = History::Open(history_path_, calls_);
    if (!history.ok()) return history.status();
    if (absl::Status status = StartServer(); !status.ok()) return status;
    if (absl::Status status = StartClients(); !status.ok()) return status;
    const bool whole = Disturb(*history);
    for (const std::unique_ptr<ChildProcess>& client : clients_) {
      if (!whole) {
        client->Kill();
      } else if (absl::Status status = client->End(absl::Seconds(10)); !status.ok()) {
        return status;
      }
    }
    if (whole || report_->ok()) Check(*history, whole, table);
    report_->Figure(scheme_ + "_server_kills", static_cast<double>(kills_));
    report_->Figure(scheme_ + "_server_drains", static_cast<double>(drains_));
    return server_->End(absl::Seconds(10));
  }

 private:
  absl::Status StartServer() {
    absl::StatusOr<std::unique_ptr<ChildProcess>> server =
        StartRole("server", {address_, folder_, history_path_, absl::StrCat(calls_)});
    if (!server.ok()) return server.status();
    server_ = *std::move(server);
    return absl::OkStatus();
  }

  absl::Status StartClients() {
    for (uint32_t i = 0; i < kClients; ++i) {
      const uint64_t first = uint64_t{calls_} * i / kClients;
      const uint64_t end = uint64_t{calls_} * (i + 1) / kClients;
      absl::StatusOr<std::unique_ptr<ChildProcess>> client = StartRole(
          "history-client",
          {address_, history_path_, absl::StrCat(calls_), absl::StrCat(first), absl::StrCat(end), absl::StrCat(seed_)});
      if (!client.ok()) return client.status();
      clients_.push_back(*std::move(client));
    }
    return absl::OkStatus();
  }

  // Servers come and go until the clients are through. False: they are not, and won't be.
  bool Disturb(const History& history) {
    size_t through = 0;
    uint32_t ended = 0;
    int64_t moved_ns = MonotonicNanos();
    while (through < clients_.size()) {
      const auto life = absl::Milliseconds(kShortestMs + random_.Below(kLongestMs - kShortestMs));
      absl::StatusOr<std::string> line = clients_[through]->Hear(life);
      if (line.ok()) {
        ++through;
        continue;
      }
      if (line.status().code() != absl::StatusCode::kDeadlineExceeded) {
        report_->Finding(absl::StrCat(scheme_, ": ", line.status().ToString()));
        return false;
      }
      if (absl::Status status = Replace(); !status.ok()) {
        report_->Finding(absl::StrCat(scheme_, ": the next server: ", status.ToString()));
        return false;
      }
      const uint32_t now_ended = CountEnded(history);
      if (now_ended != std::exchange(ended, now_ended)) moved_ns = MonotonicNanos();
      report_->Progress(ended, calls_);
      if (MonotonicNanos() - moved_ns > kHangNs) {
        report_->Finding(absl::StrCat(scheme_, ": no call has ended for a minute; --seed ", seed_, Unended(history)));
        return false;
      }
      if (report_->TimeIsUp(options_)) return false;
    }
    return true;
  }

  absl::Status Replace() {
    if (random_.Below(2) == 0) {
      ++kills_;
      server_->Kill();
    } else {
      ++drains_;
      if (absl::Status status = server_->Tell(absl::StrCat("drain ", random_.Below(kLongestDrainMs))); !status.ok()) {
        return status;
      }
      if (absl::Status status = server_->End(absl::Seconds(20)); !status.ok()) return status;
    }
    return StartServer();
  }

  static uint32_t CountEnded(const History& history) {
    uint32_t ended = 0;
    for (uint32_t call = 0; call < history.size(); ++call) ended += history[call].statuses.load() != 0 ? 1 : 0;
    return ended;
  }

  std::string Unended(const History& history) const {
    std::string text;
    int listed = 0;
    for (uint32_t call = 0; call < history.size() && listed < 20; ++call) {
      if (history[call].statuses.load() != 0) continue;
      ++listed;
      absl::StrAppend(&text, "\n  call ", call, ", executions ", history[call].executions.load(), ": ",
                      Describe(seed_, call));
    }
    return text;
  }

  // Of a history that is not whole, only the calls that have ended.
  void Check(const History& history, bool whole, SoakTable* table) {
    EndsByPlan ends{};
    uint64_t executions = 0, ended = 0, wrong = 0;
    for (uint32_t call = 0; call < history.size(); ++call) {
      const CallRecord& record = history[call];
      executions += record.executions.load();
      if (record.statuses.load() == 0 && !whole) continue;
      ++ended;
      if (const std::string what = history.Check(call); !what.empty() && ++wrong <= kMostFindings) {
        report_->Finding(absl::StrCat(scheme_, ": ", what, "; --seed ", seed_, ": ", Describe(seed_, call)));
      }
      const CallPlan plan = PlanOf(seed_, call);
      Count(static_cast<absl::StatusCode>(record.code.load()),
            &ends[static_cast<size_t>(plan.kind)][static_cast<size_t>(plan.form)]);
    }
    report_->Figure(scheme_ + "_calls", static_cast<double>(ended));
    report_->Figure(scheme_ + "_executions", static_cast<double>(executions));
    report_->Goal(scheme_ + "_violations", static_cast<double>(wrong), 0);
    Fill(ends, ended >= kFullTable, table);
  }

  static void Count(absl::StatusCode code, Ends* ends) {
    ++ends->calls;
    if (code == absl::StatusCode::kOk) ++ends->ok;
    if (code == absl::StatusCode::kCancelled) ++ends->cancelled;
    if (code == absl::StatusCode::kDeadlineExceeded) ++ends->deadline;
    if (code == absl::StatusCode::kUnavailable) ++ends->unavailable;
  }

  void Fill(const EndsByPlan& ends, bool every_cell, SoakTable* table) {
    for (size_t kind = 0; kind < kCallKinds; ++kind) {
      for (size_t form = 0; form < kCallForms; ++form) {
        const Ends& row = ends[kind][form];
        const std::string name =
            absl::StrCat(NameOf(static_cast<CallKind>(kind)), " ", NameOf(static_cast<CallForm>(form)));
        table->Row({scheme_, name, absl::StrCat(row.calls), absl::StrCat(row.ok), absl::StrCat(row.cancelled),
                    absl::StrCat(row.deadline), absl::StrCat(row.unavailable)});
        const bool empty = row.cancelled == 0 || row.deadline == 0 || row.unavailable == 0;
        if (row.ok == 0 || (every_cell && empty)) {
          report_->Finding(absl::StrCat(scheme_, ": an empty cell in the row ", name));
        }
      }
    }
  }

  const std::string scheme_;
  const uint64_t seed_;
  const uint32_t calls_;
  const SoakOptions& options_;
  SoakReport* const report_;
  Random random_;
  std::string address_;
  std::string folder_;
  std::string history_path_;
  std::unique_ptr<ChildProcess> server_;
  std::vector<std::unique_ptr<ChildProcess>> clients_;
  uint64_t kills_ = 0;
  uint64_t drains_ = 0;
};

}  // namespace

// ADDRESS HISTORY CALLS FIRST END SEED. Says "done" when its calls have ended.
int RunHistoryClient(const std::vector<std::string>& arguments) {
  uint32_t calls = 0, first = 0, end = 0;
  uint64_t seed = 0;
  if (arguments.size() != 6 || !absl::SimpleAtoi(arguments[2], &calls) || !absl::SimpleAtoi(arguments[3], &first) ||
      !absl::SimpleAtoi(arguments[4], &end) || !absl::SimpleAtoi(arguments[5], &seed)) {
    return 2;
  }
  absl::StatusOr<History> history = History::Open(arguments[1], calls);
  if (!history.ok()) return ExitWith(history.status());
  bench::SayLine("ready");
  {
    OperationRunner runner(arguments[0], *history, seed);
    std::atomic<uint32_t> next{first};
    std::vector<std::thread> threads;
    for (int i = 0; i < kThreads; ++i) {
      threads.emplace_back([&] {
        for (uint32_t call; (call = next.fetch_add(1)) < end;) runner.Run(call);
      });
    }
    for (std::thread& thread : threads) thread.join();
    runner.Finish();
  }
  bench::SayLine("done");
  for (std::string line; bench::HearLine(line);) {
  }
  return 0;
}

bool SoakRandomOperations(const SoakOptions& options, SoakReport* report) {
  report->Say(absl::StrCat("random-operations: --seed ", options.seed, "\n"));
  SoakTable table({"transport", "kind and form", "calls", "ok", "cancelled", "deadline", "unavailable"});
  for (const std::string& scheme : options.schemes) {
    if (absl::Status status = RandomOperations(scheme, options, report).Run(&table); !status.ok()) {
      report->Finding(absl::StrCat(scheme, ": ", status.ToString()));
    }
  }
  report->Say(table.Text());
  return report->ok();
}

}  // namespace nearcall
