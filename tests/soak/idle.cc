// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// Whether any thread of a client or a server wakes while nothing is to do. A third process looks, so that looking wakes
// neither.
#include <poll.h>

#include <future>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "nearcall/rpc/nearcall.h"
#include "nearcall/tests/soak/soak.h"
#include "nearcall/tests/soak/soak_process.h"
#include "nearcall/transports/api/clock.h"
#include "tests/soak/soak.nearcall.h"

namespace nearcall {
namespace {

using ::soak::Item;

constexpr int kCallsBefore = 50;           // for each connection: what learns from quick replies has learnt
constexpr int kSettleLimitMs = 5000;       // for what such use leaves running for a moment
constexpr int64_t kQuietNs = 200'000'000;  // so long without a wake-up it has settled

struct Scene {
  const char* name;
  int connections;
  const char* pending;  // none, wait (a thread in Wait()), then (a callback), stream (a thread in Read())
};
constexpr Scene kScenes[] = {{"1_connection", 1, "none"},
                             {"100_connections", 100, "none"},
                             {"call_in_wait", 1, "wait"},
                             {"call_with_then", 1, "then"},
                             {"stream_in_read", 1, "stream"}};

// Until no thread of either has run for a while; false: they never stop.
bool Settle(const ChildProcess& client, const ChildProcess& server) {
  SwitchesByThread seen;
  int64_t since_ns = MonotonicNanos();
  return Eventually(
      [&] {
        SwitchesByThread now = ReadSwitches(client.pid());
        now.merge(ReadSwitches(server.pid()));
        if (now != seen) {
          seen = std::move(now);
          since_ns = MonotonicNanos();
        }
        return MonotonicNanos() - since_ns >= kQuietNs;
      },
      kSettleLimitMs);
}

// How often threads went to sleep again, that is, had woken. What is new or gone has run too.
uint64_t Wakes(const char* side, const SwitchesByThread& before, const SwitchesByThread& after, std::string* who) {
  uint64_t wakes = 0;
  for (const auto& [thread, switches] : after) {
    const auto found = before.find(thread);
    const uint64_t more = found == before.end() ? switches.voluntary + 1 : switches.voluntary - found->second.voluntary;
    wakes += more;
    if (more > 0) absl::StrAppend(who, " ", side, " thread ", thread, ": ", more, ";");
  }
  for (const auto& [thread, switches] : before) {
    if (after.count(thread) != 0) continue;
    ++wakes;
    absl::StrAppend(who, " ", side, " thread ", thread, " has ended;");
  }
  return wakes;
}

void Watch(const std::string& scheme, const Scene& scene, int64_t idle_ms, SoakReport* report, SoakTable* table) {
  const std::string key = absl::StrCat(scheme, "_", scene.name);
  absl::StatusOr<std::unique_ptr<ScratchFolder>> folder = ScratchFolder::Make("soak");
  if (!folder.ok()) return report->Finding(folder.status().ToString());
  const std::string address = AddressOf(scheme, **folder, "server");
  absl::StatusOr<std::unique_ptr<ChildProcess>> server = StartRole("server", {address, (*folder)->path()});
  if (!server.ok()) return report->Finding(server.status().ToString());
  absl::StatusOr<std::unique_ptr<ChildProcess>> client =
      StartRole("idle-client", {address, absl::StrCat(scene.connections), scene.pending});
  if (!client.ok()) return report->Finding(client.status().ToString());
  if (std::string(scene.pending) != "none") {
    absl::StatusOr<std::string> held = (*server)->Hear(absl::Seconds(10));
    if (!held.ok()) return report->Finding(key + ": the call did not arrive: " + held.status().ToString());
  }
  if (!Settle(**client, **server)) report->Finding(key + ": threads run on and on after the last call");
  const SwitchesByThread client_before = ReadSwitches((*client)->pid());
  const SwitchesByThread server_before = ReadSwitches((*server)->pid());
  ::poll(nullptr, 0, static_cast<int>(idle_ms));  // the measured time
  std::string who;
  const uint64_t client_wakes = Wakes("client", client_before, ReadSwitches((*client)->pid()), &who);
  const uint64_t server_wakes = Wakes("server", server_before, ReadSwitches((*server)->pid()), &who);
  // What was there is there still: the silence was not that of the dead.
  absl::Status status = (*server)->Tell("release");
  if (status.ok()) status = (*client)->Ask("again").status();
  if (status.ok()) status = (*client)->End(absl::Seconds(10));
  if (status.ok()) status = (*server)->End(absl::Seconds(10));
  if (!status.ok()) report->Finding(key + ": after the idle time: " + status.ToString());
  if (client_before.empty() || server_before.empty()) report->Finding(key + ": no threads in /proc");
  report->Goal(key + "_client_wakes", static_cast<double>(client_wakes), 0);
  report->Goal(key + "_server_wakes", static_cast<double>(server_wakes), 0);
  if (!who.empty()) report->Say(absl::StrCat("woken in ", idle_ms, " ms:", who, "\n"));
  table->Row({scheme, scene.name, absl::StrCat(client_before.size()), absl::StrCat(server_before.size()),
              absl::StrCat(client_wakes), absl::StrCat(server_wakes)});
}

// The pending call or stream of a client, ended by the server's release.
class Pending {
 public:
  Pending(const ::soak::Soak::Stub& stub, const std::string& how) : how_(how), stub_(stub) {
    Item hold;
    hold.set_hold(true);
    if (how == "then") {
      stub_.Unary(hold).Then([this](absl::StatusOr<Item> reply) { ended_.set_value(reply.status()); });
    } else if (how == "wait") {
      thread_ = std::thread([this, hold] { ended_.set_value(stub_.Unary(hold).Wait().status()); });
    } else if (how == "stream") {
      thread_ = std::thread([this, hold] {
        auto stream = stub_.Duplex();
        Item echo;
        const bool echoed = stream.Write(hold) && stream.Read(echo);
        const absl::Status status = stream.Finish();
        ended_.set_value(echoed ? status : absl::DataLossError("no echo"));
      });
    }
  }
  absl::Status End() {
    if (how_ == "none") return absl::OkStatus();
    absl::Status status = ended_.get_future().get();
    if (thread_.joinable()) thread_.join();
    return status;
  }

 private:
  const std::string how_;
  const ::soak::Soak::Stub stub_;
  std::promise<absl::Status> ended_;
  std::thread thread_;
};

absl::Status CallAll(const std::vector<::soak::Soak::Stub>& stubs, int times) {
  for (int i = 0; i < times; ++i) {
    for (const ::soak::Soak::Stub& stub : stubs) {
      if (absl::Status status = stub.Unary(Item()).Wait().status(); !status.ok()) return status;
    }
  }
  return absl::OkStatus();
}

}  // namespace

// ADDRESS CONNECTIONS PENDING. Obeys: again (ends what is pending, calls once more on each connection).
int RunIdleClient(const std::vector<std::string>& arguments) {
  int connections = 0;
  if (arguments.size() != 3 || !absl::SimpleAtoi(arguments[1], &connections)) return 2;
  std::vector<::soak::Soak::Stub> stubs;
  for (int i = 0; i < connections; ++i) {
    absl::StatusOr<Channel> channel = Connect(arguments[0]);
    if (!channel.ok()) return ExitWith(channel.status());
    stubs.emplace_back(*channel);
  }
  if (absl::Status status = CallAll(stubs, kCallsBefore); !status.ok()) return ExitWith(status);
  Pending pending(stubs[0], arguments[2]);
  bench::SayLine("ready");
  for (std::string line; bench::HearLine(line);) {
    absl::Status status = pending.End();
    if (status.ok()) status = CallAll(stubs, 1);
    if (!status.ok()) return ExitWith(status);
    bench::SayLine("done");
  }
  return 0;
}

bool SoakIdle(const SoakOptions& options, SoakReport* report) {
  const auto idle_ms = static_cast<int64_t>(options.count != 0 ? options.count : 10'000);
  SoakTable table({"transport", "scene", "client threads", "server threads", "client wakes", "server wakes"});
  for (const std::string& scheme : options.schemes) {
    for (const Scene& scene : kScenes) {
      if (!report->TimeIsUp(options)) Watch(scheme, scene, idle_ms, report, &table);
    }
  }
  report->Say(table.Text());
  return report->ok();
}

}  // namespace nearcall
