// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
#include "nearcall/transports/ring/memory_limits.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <optional>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "nearcall/transports/api/unique_fd.h"

namespace nearcall::internal {
namespace {

// The names of one version of the interface.
struct Interface {
  const char* limit;
  const char* used;
  const char* cache;  // in memory.stat: these two lines are page cache
  const char* more_cache;
};
constexpr Interface kV1 = {"memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file ",
                           "total_active_file "};
constexpr Interface kV2 = {"memory.max", "memory.current", "inactive_file ", "active_file "};

// The first 16 KiB: more than any of these files holds.
std::string Contents(const std::string& path) {
  UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file.valid()) return "";
  std::string text(16384, '\0');
  const ssize_t n = ::read(file.get(), text.data(), text.size());
  text.resize(n < 0 ? 0 : static_cast<size_t>(n));
  return text;
}

std::optional<uint64_t> Number(absl::string_view text) {
  uint64_t value;
  if (!absl::SimpleAtoi(text, &value)) return std::nullopt;  // "max", or no such file
  return value;
}

uint64_t PageCache(const std::string& group, const Interface& names) {
  uint64_t total = 0;
  for (const absl::string_view line : absl::StrSplit(Contents(group + "/memory.stat"), '\n')) {
    for (const absl::string_view name : {names.cache, names.more_cache}) {
      if (absl::StartsWith(line, name)) total += Number(line.substr(name.size())).value_or(0);
    }
  }
  return total;
}

absl::Status CheckGroup(const std::string& group, const Interface& names, uint64_t bytes) {
  const std::optional<uint64_t> limit = Number(Contents(absl::StrCat(group, "/", names.limit)));
  const std::optional<uint64_t> used = Number(Contents(absl::StrCat(group, "/", names.used)));
  if (!limit.has_value() || !used.has_value()) return absl::OkStatus();
  const auto fits = [&](uint64_t in_use) { return in_use <= *limit && bytes <= *limit - in_use; };
  if (fits(*used)) return absl::OkStatus();
  const uint64_t cache = PageCache(group, names);  // slower to read than the others together
  if (fits(*used - std::min(*used, cache))) return absl::OkStatus();
  return absl::ResourceExhaustedError(
      absl::StrCat(bytes, " bytes of shared memory do not fit into the memory cgroup: ", group, "/", names.limit,
                   " is ", *limit, ", of which ", *used, " are in use"));
}

// The group and all above it, as far as they can be seen from here.
absl::Status CheckGroupAndParents(const std::string& root, std::string path, const Interface& names, uint64_t bytes) {
  for (;;) {
    while (!path.empty() && path.back() == '/') path.pop_back();
    absl::Status status = CheckGroup(root + path, names, bytes);
    if (!status.ok() || path.empty()) return status;
    path.resize(path.rfind('/') == std::string::npos ? 0 : path.rfind('/'));
  }
}

}  // namespace

absl::Status CheckFileSizeLimit(uint64_t bytes) {
  rlimit limit;
  if (::getrlimit(RLIMIT_FSIZE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY || bytes <= limit.rlim_cur) {
    return absl::OkStatus();
  }
  return absl::ResourceExhaustedError(absl::StrCat(bytes, " bytes of shared memory are over RLIMIT_FSIZE, which is ",
                                                   static_cast<uint64_t>(limit.rlim_cur), " (ulimit -f)"));
}

absl::Status CheckMemoryCgroups(absl::string_view membership, const std::string& root, uint64_t bytes) {
  for (const absl::string_view line : absl::StrSplit(membership, '\n')) {  // "4:memory:/path" or "0::/path"
    const std::vector<absl::string_view> parts = absl::StrSplit(line, absl::MaxSplits(':', 2));
    if (parts.size() != 3) continue;
    absl::Status status;
    if (parts[1].empty()) {
      status = CheckGroupAndParents(root, std::string(parts[2]), kV2, bytes);
    } else if (parts[1] == "memory") {
      status = CheckGroupAndParents(root + "/memory", std::string(parts[2]), kV1, bytes);
    }
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::Status CheckMemoryLimits(uint64_t bytes) {
  absl::Status status = CheckFileSizeLimit(bytes);
  if (!status.ok()) return status;
  return CheckMemoryCgroups(Contents("/proc/self/cgroup"), "/sys/fs/cgroup", bytes);
}

}  // namespace nearcall::internal
