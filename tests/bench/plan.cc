// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
#include "nearcall/tests/bench/plan.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "nearcall/tests/bench/floors.h"

namespace nearcall::bench {
namespace {

constexpr int kOutstanding = 64;
constexpr int kFirstCalls = 500;

// On one core nobody should spin: there the adaptive are compared with what sleeps, and only where calls are shortest.
bool Measured(const PeerKind& kind, const Workload& workload) {
  return kind.name != kAdaptive || workload.placement == Placement::kTwoCores ||
         (workload.payload == kSmallPayload && workload.outstanding == 1);
}

PeerKind FloorOf(const PeerKind& kind, const Workload& workload) {
  if (workload.outstanding > 1) return {kFloor, "unix"};  // batched: there is enough to do, nobody waits long
  static const std::map<std::string, std::string> own = {
      {"mq", "mq"}, {"exec", "pipe"}, {"fifo", "fifo"}, {"tcp", "tcp"}};
  if (const auto it = own.find(kind.transport); it != own.end()) return {kFloor, it->second};
  const bool spins = kind.name == kAdaptive && workload.placement == Placement::kTwoCores;
  return {kFloor, absl::StrCat(kind.transport == "unix" ? "unix" : "shm", spins ? kSpinSuffix : "")};
}

}  // namespace

absl::Status Peers::Start(const PeerKind& kind) {
  if (peers_.count(kind.ToString()) != 0) return absl::OkStatus();
  absl::StatusOr<std::unique_ptr<Peer>> peer = Peer::Start(kind, folder_);
  if (!peer.ok()) return peer.status();
  absl::StatusOr<std::unique_ptr<EchoLink>> link = (*peer)->Open(kSmallPayload, 1);
  if (!link.ok()) return link.status();
  for (int i = 0; i < kFirstCalls; ++i) {
    if (absl::Status status = (*link)->Echo(); !status.ok()) return status;
  }
  peers_.emplace(kind.ToString(), *std::move(peer));
  return absl::OkStatus();
}

absl::Status Peers::End() {
  absl::Status status;
  for (const auto& [name, peer] : peers_) status.Update(peer->End());
  return status;
}

std::vector<PeerKind> KindsOf(const std::vector<std::string>& transports) {
  std::vector<PeerKind> kinds;
  for (const char* name : {kNearcall, kAdaptive}) {
    for (const std::string& transport : transports) kinds.push_back({name, transport});
  }
  return kinds;
}

std::vector<Workload> Workloads(const std::vector<size_t>& payloads) {
  std::vector<Workload> workloads;
  std::vector<Placement> placements = {Placement::kOneCore};
  if (StartCpus().size() >= 2) placements.insert(placements.begin(), Placement::kTwoCores);
  for (Placement placement : placements) {
    for (size_t payload : payloads) workloads.push_back({payload, 1, placement});
  }
  for (Placement placement : placements) workloads.push_back({kSmallPayload, kOutstanding, placement});
  return workloads;
}

std::vector<Group> GroupsOf(const std::vector<PeerKind>& kinds, const Workload& workload) {
  std::vector<Group> groups;
  for (const PeerKind& kind : kinds) {
    if (!Measured(kind, workload)) continue;
    const PeerKind floor = FloorOf(kind, workload);
    auto group = std::find_if(groups.begin(), groups.end(), [&](const Group& g) { return g.floor == floor; });
    if (group == groups.end()) group = groups.insert(groups.end(), {floor, {}});
    group->kinds.push_back(kind);
  }
  // A ring of slots, to say how far a socket's throughput is from memory's.
  const bool memory = std::any_of(kinds.begin(), kinds.end(), [](const PeerKind& k) { return k.transport != "unix"; });
  if (workload.outstanding > 1 && workload.placement == Placement::kTwoCores && memory) {
    groups.front().kinds.push_back({kFloor, absl::StrCat("shm", kSpinSuffix)});
  }
  return groups;
}

}  // namespace nearcall::bench
