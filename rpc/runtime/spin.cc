// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
#include "nearcall/rpc/runtime/spin.h"

#include <fcntl.h>
#include <sched.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>
#include <string>

namespace nearcall::internal {
namespace {

constexpr int64_t kLookAgainNs = 10'000'000;

// Processors' worth of time that a cgroup of v2 may use, from its cpu.max ("max 100000", "50000 100000").
bool QuotaBelowTwo(const std::string& folder) {
  std::ifstream file(folder + "/cpu.max");
  double quota = 0;
  double period = 0;
  return file >> quota >> period && period > 0 && quota < 2 * period;  // "max" is no number
}
bool QuotaBelowTwoV1(const std::string& folder) {
  std::ifstream quota_file(folder + "/cpu.cfs_quota_us");
  std::ifstream period_file(folder + "/cpu.cfs_period_us");
  double quota = 0;
  double period = 0;
  return quota_file >> quota && period_file >> period && quota > 0 && period > 0 && quota < 2 * period;
}

// cgroups(7): lines "0::/path" (v2) and "4:cpu,cpuacct:/path" (v1). A quota of any group above holds too.
bool UnderQuota() {
  std::ifstream groups("/proc/self/cgroup");
  for (std::string line; std::getline(groups, line);) {
    const size_t first = line.find(':');
    const size_t second = line.find(':', first + 1);
    if (first == std::string::npos || second == std::string::npos) continue;
    const std::string controllers = "," + line.substr(first + 1, second - first - 1) + ",";
    const bool v2 = controllers == ",,";
    if (!v2 && controllers.find(",cpu,") == std::string::npos) continue;
    for (std::string path = line.substr(second + 1);; path.resize(path.rfind('/'))) {
      if (v2 ? QuotaBelowTwo("/sys/fs/cgroup" + path) : QuotaBelowTwoV1("/sys/fs/cgroup/cpu" + path)) return true;
      if (path.find('/') == std::string::npos) break;
    }
  }
  return false;
}

int Processors() {
  cpu_set_t set;
  if (::sched_getaffinity(0, sizeof(set), &set) != 0) return 1;
  return UnderQuota() ? 1 : CPU_COUNT(&set);
}

}  // namespace

SpinRoom::SpinRoom() : processors_(Processors()), load_(::open("/proc/loadavg", O_RDONLY | O_CLOEXEC)) {}

int SpinRoom::Runnable(const char* loadavg) {
  int runnable = -1;
  return std::sscanf(loadavg, "%*f %*f %*f %d/", &runnable) == 1 ? runnable : -1;
}

bool SpinRoom::Spare(int64_t now_ns) {
  if (processors_ < 2 || !load_.valid()) return false;
  int64_t looked_ns = looked_ns_.load(std::memory_order_relaxed);
  if (now_ns - looked_ns < kLookAgainNs) return spare_.load(std::memory_order_relaxed);
  if (!looked_ns_.compare_exchange_strong(looked_ns, now_ns, std::memory_order_relaxed)) {
    return spare_.load(std::memory_order_relaxed);  // another thread looks
  }
  char text[128] = {};
  const ssize_t size = ::pread(load_.get(), text, sizeof(text) - 1, 0);
  const int runnable = size > 0 ? Runnable(text) : -1;
  const bool spare = runnable >= 0 && runnable <= processors_;  // this thread is one of them
  spare_.store(spare, std::memory_order_relaxed);
  return spare;
}

}  // namespace nearcall::internal
