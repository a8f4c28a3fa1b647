// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// Whether there is room for shared memory, asked before any is taken: allocating beyond a memory cgroup's limit is a
// SIGKILL, growing a file beyond RLIMIT_FSIZE a SIGXFSZ.
//
//   absl::Status room = CheckMemoryLimits(bytes);    // RESOURCE_EXHAUSTED naming the limit
//
// Page cache that the kernel can drop counts as room. What others take between the question and the allocation is not
// foreseen. Thread-safe. Errors: what cannot be read (no /proc, no cgroups) limits nothing.
#ifndef NEARCALL_TRANSPORTS_RING_MEMORY_LIMITS_H_
#define NEARCALL_TRANSPORTS_RING_MEMORY_LIMITS_H_

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace nearcall::internal {

absl::Status CheckMemoryLimits(uint64_t bytes);

// Its two halves; the second with the text of /proc/self/cgroup and where /sys/fs/cgroup is, for tests.
absl::Status CheckFileSizeLimit(uint64_t bytes);
absl::Status CheckMemoryCgroups(absl::string_view membership, const std::string& root, uint64_t bytes);

}  // namespace nearcall::internal

#endif  // NEARCALL_TRANSPORTS_RING_MEMORY_LIMITS_H_
