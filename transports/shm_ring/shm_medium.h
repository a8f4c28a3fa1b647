// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// The medium of shm: two rings in one memfd.
//
//   ListenRendezvous(address, Names::kAllowed, {&TheShmMedium()});
//
// Thread-safe, stateless, static. Parameters and errors: ring/ring_medium.h.
#ifndef NEARCALL_TRANSPORTS_SHM_RING_SHM_MEDIUM_H_
#define NEARCALL_TRANSPORTS_SHM_RING_SHM_MEDIUM_H_

#include "nearcall/transports/ring/ring_medium.h"

namespace nearcall::internal {

class ShmMedium final : public RingMedium {
 public:
  MediumBit bit() const override { return kMediumShm; }
  absl::string_view name() const override { return "shm"; }

 private:
  absl::StatusOr<UniqueFd> MakeFile(const Address& address, size_t bytes) const override;
  absl::Status CheckFile(int file, size_t bytes) const override;
};

const ShmMedium& TheShmMedium();

}  // namespace nearcall::internal

#endif  // NEARCALL_TRANSPORTS_SHM_RING_SHM_MEDIUM_H_
