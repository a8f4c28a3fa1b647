// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// NewSigbusGuard(): a mapping of a file that somebody else can truncate. Touching bytes that are gone is a SIGBUS
// (mmap(2)); with a guard the mapping becomes private zeros instead, and broken() says so from then on.
//
//   absl::StatusOr<RingMemory> memory = RingMemory::Map(file.get(), ring, &NewSigbusGuard);
//   ... touch it ...  if (memory->broken()) Close(...);
//
// The first guard of a process installs its handler of SIGBUS, for good. A fault elsewhere goes to the handler that was
// there before, or to the default action. A program that installs a handler of its own later has to call the one that
// it found.
//
// Thread-safe. Lifetime: gone before the mapping is. Errors: those of sigaction(2).
#ifndef NEARCALL_TRANSPORTS_MAPPED_FILE_SIGBUS_GUARD_H_
#define NEARCALL_TRANSPORTS_MAPPED_FILE_SIGBUS_GUARD_H_

#include <cstddef>
#include <memory>

#include "absl/status/statusor.h"
#include "nearcall/transports/ring/ring_memory.h"

namespace nearcall::internal {

absl::StatusOr<std::unique_ptr<MappingGuard>> NewSigbusGuard(void* base, size_t size);

}  // namespace nearcall::internal

#endif  // NEARCALL_TRANSPORTS_MAPPED_FILE_SIGBUS_GUARD_H_
