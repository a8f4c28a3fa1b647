// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// What cases with several processes share: this program again in a role, what a process holds, memory that outlives a
// kill, how often a process's threads woke.
//
//   absl::StatusOr<std::unique_ptr<ChildProcess>> server = StartRole("server", {address});   // it has said "ready"
//   (*server)->Ask("audit-begin");  ...  LeftOver(**server)
//
// Thread safety: none; children are started by the main thread, with which they end. Errors name the process.
#ifndef NEARCALL_TESTS_SOAK_SOAK_PROCESS_H_
#define NEARCALL_TESTS_SOAK_SOAK_PROCESS_H_

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "nearcall/tests/bench/process.h"
#include "nearcall/transports/conformance/leak_audit.h"

namespace nearcall {

using bench::ChildProcess;
using bench::ScratchFolder;

absl::StatusOr<std::unique_ptr<ChildProcess>> StartRole(const std::string& role,
                                                        const std::vector<std::string>& arguments);
// In the folder; of tcp:, a port that nobody has, and that nobody is given by chance. Not for exec:, whose address
// depends on the role: ExecAddress().
std::string AddressOf(absl::string_view scheme, const ScratchFolder& folder, absl::string_view name);

// A busy process for each core, until it is destroyed.
class BusyCores {
 public:
  static absl::StatusOr<BusyCores> Start();

 private:
  std::vector<std::unique_ptr<ChildProcess>> children_;
};

// A role's answers to "audit-begin" (now nothing is under way) and "audit-end" (again): "nothing", or what is left
// over.
class AuditLines {
 public:
  explicit AuditLines(std::string directory) : directory_(std::move(directory)) {}
  bool Obey(const std::string& line);  // false: it is another line

 private:
  const std::string directory_;
  std::optional<LeakAudit> audit_;
};
absl::Status BeginAudit(ChildProcess& process);
// OK: nothing. DATA_LOSS: what is left over. Others: the process has gone wrong.
absl::Status EndAudit(ChildProcess& process);
absl::StatusOr<double> HeapBytes(ChildProcess& process);
std::string OneLine(std::string text);  // as a line that may be said

// A file of the folder, mapped and shared, zeroed at first. It outlives kills. REQUIRES: T is made of lock-free
// atomics.
class SharedFile {
 public:
  static absl::StatusOr<SharedFile> Open(const std::string& path, size_t size);
  SharedFile(SharedFile&& other) noexcept;
  SharedFile& operator=(SharedFile&&) = delete;
  ~SharedFile();
  template <class T>
  T* As() const {
    return static_cast<T*>(data_);
  }

 private:
  SharedFile(void* data, size_t size) : data_(data), size_(size) {}
  void* data_;
  size_t size_;
};

// Voluntary and other context switches of each thread ("name tid"), from /proc.
struct Switches {
  uint64_t voluntary = 0;
  uint64_t involuntary = 0;
  bool operator==(const Switches& other) const = default;
};
using SwitchesByThread = std::map<std::string, Switches>;
SwitchesByThread ReadSwitches(pid_t pid);

// Polls until it holds, or the limit has passed (false).
bool Eventually(const std::function<bool()>& condition, int limit_ms = 10'000);

// Small, and the same everywhere; not for secrets.
class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed) {}
  uint64_t Next();
  uint64_t Below(uint64_t end) { return Next() % end; }

 private:
  uint64_t state_;
};

}  // namespace nearcall

#endif  // NEARCALL_TESTS_SOAK_SOAK_PROCESS_H_
