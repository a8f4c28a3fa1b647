// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// The memfd of shm: made, allocated and sealed by the client, checked by the server.
//
//   absl::StatusOr<UniqueFd> file = MakeMemfd(RingMemory::SizeFor(65536));     // client
//   absl::Status good = CheckMemfd(received.get(), RingMemory::SizeFor(65536));  // server
//
// Thread-safe. Errors: RESOURCE_EXHAUSTED naming the limit; INVALID_ARGUMENT saying what is wrong with the peer's
// memory.
#ifndef NEARCALL_TRANSPORTS_SHM_RING_MEMFD_H_
#define NEARCALL_TRANSPORTS_SHM_RING_MEMFD_H_

#include <cstddef>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "nearcall/transports/api/unique_fd.h"

namespace nearcall::internal {

absl::StatusOr<UniqueFd> MakeMemfd(size_t size);
absl::Status CheckMemfd(int file, size_t size);

}  // namespace nearcall::internal

#endif  // NEARCALL_TRANSPORTS_SHM_RING_MEMFD_H_
