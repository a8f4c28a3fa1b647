// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// What a run measures: which kinds of peers, in which workloads, each beside its own floor; and their servers.
// Thread safety: none of Peers; all else. Errors name the peer's address.
#ifndef NEARCALL_TESTS_BENCH_PLAN_H_
#define NEARCALL_TESTS_BENCH_PLAN_H_

#include <cstddef>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "nearcall/tests/bench/measure.h"
#include "nearcall/tests/bench/peer.h"

namespace nearcall::bench {

inline constexpr size_t kSmallPayload = 64;

// One server of each kind that is needed.
class Peers {
 public:
  explicit Peers(const ScratchFolder& folder) : folder_(folder) {}
  // And makes some calls: a process that first waits when it is pinned already would take that for a machine of one
  // core. Nothing where it runs.
  absl::Status Start(const PeerKind& kind);
  const Peer& Get(const PeerKind& kind) const { return *peers_.at(kind.ToString()); }  // REQUIRES: it was started
  absl::Status End();                                                                  // of all; the first error

 private:
  const ScratchFolder& folder_;
  std::map<std::string, std::unique_ptr<Peer>> peers_;
};

// A floor and those that are measured beside it.
struct Group {
  PeerKind floor;
  std::vector<PeerKind> kinds;
};

std::vector<PeerKind> KindsOf(const std::vector<std::string>& transports);  // sleeping, then adaptive
std::vector<Workload> Workloads(const std::vector<size_t>& payloads);       // that this machine has the cores for
std::vector<Group> GroupsOf(const std::vector<PeerKind>& kinds, const Workload& workload);

}  // namespace nearcall::bench

#endif  // NEARCALL_TESTS_BENCH_PLAN_H_
