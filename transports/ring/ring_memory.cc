// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
#include "nearcall/transports/ring/ring_memory.h"

#include <errno.h>
#include <sys/mman.h>

#include "absl/strings/str_cat.h"
#include "nearcall/transports/api/errno_status.h"

namespace nearcall::internal {

absl::StatusOr<RingMemory> RingMemory::Map(int file, uint32_t ring, MappingGuard::Maker guard) {
  void* const base = ::mmap(nullptr, SizeFor(ring), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  if (base == MAP_FAILED) {
    return absl::ResourceExhaustedError(
        absl::StrCat("cannot map ", SizeFor(ring),
                     " bytes of shared memory (limits: vm.max_map_count, RLIMIT_AS): ", ErrnoText(errno)));
  }
  RingMemory memory(static_cast<char*>(base), ring);
  if (guard != nullptr) {
    absl::StatusOr<std::unique_ptr<MappingGuard>> made = guard(base, SizeFor(ring));
    if (!made.ok()) return made.status();
    memory.guard_ = *std::move(made);
  }
  return memory;
}

RingMemory::~RingMemory() {
  if (base_ == nullptr) return;
  guard_.reset();
  ::munmap(base_, SizeFor(ring_));
}

}  // namespace nearcall::internal
