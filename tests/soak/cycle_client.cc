// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
#include "nearcall/tests/soak/cycle_client.h"

#include <unistd.h>

#include <algorithm>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "nearcall/rpc/nearcall.h"
#include "nearcall/tests/soak/soak.h"
#include "nearcall/tests/soak/soak_process.h"
#include "nearcall/transports/api/clock.h"
#include "tests/soak/soak.nearcall.h"

namespace nearcall {
namespace {

using ::soak::Item;

constexpr useconds_t kIdleUs = 1500;    // how long a cycle stays idle
constexpr uint32_t kInFlightUs = 1500;  // how long its call takes
constexpr useconds_t kClosingUs = 300;  // how long the server is given to find out that the channel is gone

// Where no server is, each cycle takes so long; exec: always has one, once it is started.
absl::Duration ConnectLimit(const std::string& address) {
  return absl::StartsWith(address, "exec:") ? absl::Seconds(5) : absl::Milliseconds(50);
}

// A call that has outlived a kill.
void NoteLate(int64_t started_ns, CycleWord* word) {
  const int64_t killed_ns = word->killed_ns.load(), now_ns = MonotonicNanos();
  if (now_ns < killed_ns) return;
  std::atomic<int64_t>& late_ns = started_ns <= killed_ns ? word->pending_ns : word->started_ns;
  late_ns.store(std::max(late_ns.load(), now_ns - std::max(started_ns, killed_ns)));
}

absl::Status Cycle(const std::string& address, uint64_t number, CycleWord* word) {
  const auto enter = [&](CycleState state) { word->word.store(number << 3 | state); };
  absl::Status status;
  {
    absl::StatusOr<Channel> channel = Connect(address);
    if (!channel.ok()) return channel.status();
    word->server.store(0);
    enter(kConnecting);
    const bool connected = channel->WaitForConnected(ConnectLimit(address));
    if (connected) {
      enter(kIdle);
      ::usleep(kIdleUs);
    }
    enter(kInFlight);
    Item item;
    item.set_pause_us(kInFlightUs);
    const int64_t started_ns = MonotonicNanos();
    status = ::soak::Soak::Stub(*channel).Unary(item).Wait().status();
    NoteLate(started_ns, word);
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

}  // namespace nearcall
