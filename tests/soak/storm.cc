// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// Connect, call, close, again and again: what is left over in the client and in the server.
#include <algorithm>
#include <atomic>
#include <future>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "nearcall/rpc/nearcall.h"
#include "nearcall/tests/soak/soak.h"
#include "nearcall/tests/soak/soak_process.h"
#include "nearcall/transports/api/clock.h"
#include "tests/soak/soak.nearcall.h"

namespace nearcall {
namespace {

using ::soak::Item;

constexpr int kThreads = 8;
constexpr uint64_t kWarmUp = 400;   // cycles after which caches, pools and arenas have their size
constexpr uint64_t kRound = 2'000;  // cycles between two lines of progress
// The heap may differ by what caches of calls and of malloc hold; what each cycle leaks shows in the many.
constexpr double kHeapSlackBytes = 1 << 20;
constexpr double kHeapBytesPerCycle = 4;

// One cycle. In turn: a call in Wait(), a callback, a stream; and a call that is under way when the channel goes away.
absl::Status Cycle(const std::string& address, uint64_t number) {
  absl::StatusOr<Channel> channel = Connect(address);
  if (!channel.ok()) return channel.status();
  const ::soak::Soak::Stub stub(*channel);
  Item item;
  item.set_body(std::string(number % 16 == 0 ? 100'000 : 64, 's'));
  switch (number % 4) {
    case 0:
      return stub.Unary(item).Wait().status();
    case 1: {
      std::promise<absl::Status> ended;
      stub.Unary(item).Then([&](absl::StatusOr<Item> reply) { ended.set_value(reply.status()); });
      return ended.get_future().get();
    }
    case 2: {
      auto stream = stub.Duplex();
      Item echo;
      const bool echoed = stream.Write(item) && stream.Read(echo);
      absl::Status status = stream.Finish();
      return status.ok() && !echoed ? absl::DataLossError("no echo") : status;
    }
    default: {
      item.set_pause_us(100);
      Call<Item> dropped = stub.Unary(item);
      return stub.Unary(Item()).Wait().status();
    }
  }
}

// Cycles in several threads; the first error.
absl::Status Cycles(const std::string& address, uint64_t count) {
  std::atomic<uint64_t> next{0};
  std::mutex mutex;
  absl::Status first;
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([&] {
      for (uint64_t number; (number = next.fetch_add(1)) < count;) {
        const absl::Status status = Cycle(address, number);
        std::lock_guard<std::mutex> lock(mutex);
        if (!status.ok() && first.ok()) first = status;
        if (!first.ok()) return;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  return first;
}

class Storm {
 public:
  Storm(std::string scheme, const SoakOptions& options, SoakReport* report)
      : scheme_(std::move(scheme)), options_(options), report_(report) {}

  absl::Status Run(SoakTable* table) {
    absl::StatusOr<std::unique_ptr<ScratchFolder>> folder = ScratchFolder::Make("soak");
    if (!folder.ok()) return folder.status();
    const std::string address = AddressOf(scheme_, **folder, "server");
    absl::StatusOr<std::unique_ptr<ChildProcess>> server = StartRole("server", {address, (*folder)->path()});
    if (!server.ok()) return server.status();
    absl::StatusOr<std::unique_ptr<ChildProcess>> client = StartRole("storm-client", {address, (*folder)->path()});
    if (!client.ok()) return client.status();
    ChildProcess* const both[] = {client->get(), server->get()};
    if (absl::Status status = Ask(**client, kWarmUp); !status.ok()) return status;
    for (int side = 0; side < 2; ++side) {
      if (absl::Status status = BeginAudit(*both[side]); !status.ok()) return status;
      absl::StatusOr<double> heap = HeapBytes(*both[side]);
      if (!heap.ok()) return heap.status();
      heap_[side] = *heap;
    }
    const int64_t begun_ns = MonotonicNanos();
    if (absl::Status status = Rounds(**client); !status.ok()) return status;
    const double seconds = static_cast<double>(MonotonicNanos() - begun_ns) / 1e9;
    for (int side = 0; side < 2; ++side) JudgeSide(*both[side], side == 0 ? "client" : "server", heap_[side]);
    report_->Figure(scheme_ + "_cycles", static_cast<double>(done_));
    report_->Figure(scheme_ + "_cycles_per_second", static_cast<double>(done_) / seconds);
    table->Row({scheme_, absl::StrCat(done_), absl::StrFormat("%.0f", static_cast<double>(done_) / seconds), left_[0],
                left_[1]});
    if (absl::Status status = (*client)->End(absl::Seconds(10)); !status.ok()) return status;
    return (*server)->End(absl::Seconds(10));
  }

 private:
  static absl::Status Ask(ChildProcess& client, uint64_t count) {
    absl::StatusOr<std::string> answer = client.Ask(absl::StrCat("cycles ", count), absl::Seconds(120));
    if (!answer.ok()) return answer.status();
    return *answer == "done" ? absl::OkStatus() : absl::DataLossError(absl::StrCat("a cycle failed: ", *answer));
  }

  absl::Status Rounds(ChildProcess& client) {
    const uint64_t count = options_.count != 0 ? options_.count : 100'000;
    while (done_ < count && !report_->TimeIsUp(options_)) {
      const uint64_t round = std::min(kRound, count - done_);
      if (absl::Status status = Ask(client, round); !status.ok()) return status;
      done_ += round;
      report_->Progress(done_, count);
    }
    return absl::OkStatus();
  }

  void JudgeSide(ChildProcess& process, const std::string& side, double heap_before) {
    const absl::Status audit = EndAudit(process);
    left_[side == "client" ? 0 : 1] = audit.ok() ? "nothing" : "see finding";
    if (!audit.ok()) report_->Finding(absl::StrCat(scheme_, " ", side, ": ", audit.message()));
    const absl::StatusOr<double> heap = HeapBytes(process);
    if (!heap.ok()) return report_->Finding(absl::StrCat(scheme_, " ", side, ": ", heap.status().ToString()));
    report_->Goal(absl::StrCat(scheme_, "_", side, "_heap_growth_bytes"), *heap - heap_before,
                  kHeapSlackBytes + kHeapBytesPerCycle * static_cast<double>(done_));
  }

  const std::string scheme_;
  const SoakOptions& options_;
  SoakReport* const report_;
  uint64_t done_ = 0;
  double heap_[2] = {};
  std::string left_[2];
};

}  // namespace

// ADDRESS FOLDER. Obeys: cycles COUNT, heap, and the lines of AuditLines.
int RunStormClient(const std::vector<std::string>& arguments) {
  if (arguments.size() != 2) return 2;
  AuditLines audit(arguments[1]);
  bench::SayLine("ready");
  for (std::string line; bench::HearLine(line);) {
    uint64_t count = 0;
    if (line.rfind("cycles ", 0) == 0 && absl::SimpleAtoi(line.substr(7), &count)) {
      const absl::Status status = Cycles(arguments[0], count);
      bench::SayLine(status.ok() ? "done" : OneLine(status.ToString()));
    } else if (!audit.Obey(line)) {
      return 2;
    }
  }
  return 0;
}

bool SoakStorm(const SoakOptions& options, SoakReport* report) {
  SoakTable table({"transport", "cycles", "cycles/s", "left in client", "left in server"});
  for (const std::string& scheme : options.schemes) {
    if (absl::Status status = Storm(scheme, options, report).Run(&table); !status.ok()) {
      report->Finding(absl::StrCat(scheme, ": ", status.ToString()));
    }
  }
  report->Say(table.Text());
  return report->ok();
}

}  // namespace nearcall
