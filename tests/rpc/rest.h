// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// Whether the library's threads are at rest: the kernel counts how often each went to sleep, so whoever wakes is seen.
#ifndef NEARCALL_TESTS_RPC_REST_H_
#define NEARCALL_TESTS_RPC_REST_H_

#include <dirent.h>
#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <fstream>
#include <map>
#include <string>
#include <thread>

#include "nearcall/tests/transports/process_util.h"

namespace nearcall::test {

// The voluntary context switches so far of a thread of this process.
inline int64_t SwitchesOf(pid_t thread) {
  std::ifstream status("/proc/self/task/" + std::to_string(thread) + "/status");
  for (std::string line; std::getline(status, line);) {
    if (line.rfind("voluntary_ctxt_switches:", 0) == 0) return std::stoll(line.substr(24));
  }
  return 0;  // it has ended
}

// And of each of the library's threads (a sanitizer has threads too).
inline std::map<std::string, int64_t> Switches() {
  std::map<std::string, int64_t> switches;
  DIR* tasks = ::opendir("/proc/self/task");
  while (const dirent* entry = ::readdir(tasks)) {
    const std::string name = entry->d_name;
    std::string title;
    std::getline(std::ifstream("/proc/self/task/" + name + "/comm") >> std::ws, title);
    if (title.rfind("nearcall", 0) == 0) switches[name] = SwitchesOf(std::stoi(name));
  }
  ::closedir(tasks);
  return switches;
}

// At rest once two looks, 200 ms apart, are alike; a pin lasts 50 ms, the monitor 10.
inline bool ComesToRest() {
  return Eventually([] {
    const auto before = Switches();
    std::this_thread::sleep_for(std::chrono::milliseconds(200));
    return before == Switches();
  });
}

}  // namespace nearcall::test

#endif  // NEARCALL_TESTS_RPC_REST_H_
