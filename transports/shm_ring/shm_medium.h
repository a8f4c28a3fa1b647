// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// The medium of shm: two rings in one memfd, which the client makes and sends along with its greeting.
//
//   ListenRendezvous(address, Names::kAllowed, {&TheShmMedium()});
//
// Parameters in the greeting, little-endian: u32 version of the layout (1), u32 bytes of each ring, 24 bytes zero. One
// descriptor: the memfd. Address parameter: size=256K, the client's wish, from 16K to 16M, rounded up to a power of
// two.
//
// Thread-safe, stateless, static. Errors: Serve() says RESOURCE_EXHAUSTED where this process is at a limit, and
// INVALID_ARGUMENT where the client's memory is not what it must be.
#ifndef NEARCALL_TRANSPORTS_SHM_RING_SHM_MEDIUM_H_
#define NEARCALL_TRANSPORTS_SHM_RING_SHM_MEDIUM_H_

#include <memory>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "nearcall/transports/rendezvous/medium.h"

namespace nearcall::internal {

class ShmMedium final : public Medium {
 public:
  MediumBit bit() const override { return kMediumShm; }
  absl::string_view name() const override { return "shm"; }
  uint32_t max_frame() const override;
  bool allows_max_frame(uint32_t max_frame) const override;
  absl::string_view parameter() const override { return "size"; }
  bool needs_offer() const override { return true; }

  absl::StatusOr<MediumOffer> MakeOffer(const Address& address) const override;
  std::unique_ptr<Endpoint> Dial(Meeting meeting) const override;
  absl::StatusOr<std::unique_ptr<Endpoint>> Serve(Meeting& meeting) const override;
};

const ShmMedium& TheShmMedium();

// The ring that `address` asks for.
absl::StatusOr<uint32_t> RingSizeOf(const Address& address);

}  // namespace nearcall::internal

#endif  // NEARCALL_TRANSPORTS_SHM_RING_SHM_MEDIUM_H_
