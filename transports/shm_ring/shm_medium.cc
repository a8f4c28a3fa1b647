// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
#include "nearcall/transports/shm_ring/shm_medium.h"

#include "nearcall/transports/shm_ring/memfd.h"

namespace nearcall::internal {

absl::StatusOr<UniqueFd> ShmMedium::MakeFile(const Address&, size_t bytes) const { return MakeMemfd(bytes); }

absl::Status ShmMedium::CheckFile(int file, size_t bytes) const { return CheckMemfd(file, bytes); }

const ShmMedium& TheShmMedium() {
  static const ShmMedium* const medium = new ShmMedium;  // listeners may outlive static destructors
  return *medium;
}

}  // namespace nearcall::internal
