// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// RingMedium: the media of two rings in one file, which the client makes and sends along with its greeting. What kind
// of file is the derived class's to say: a memfd (shm), a file on a disk (mmap).
//
//   class ShmMedium final : public RingMedium { ... MakeFile() ... CheckFile() ... };
//
// Parameters in the greeting, little-endian: u32 version of the layout (1), u32 bytes of each ring, 24 bytes zero. One
// descriptor: the file. Address parameter: size=256K, the client's wish, from 16K to 16M, rounded up to a power of two.
//
// Thread-safe, stateless, static. Errors: Serve() says RESOURCE_EXHAUSTED where this process is at a limit, and
// INVALID_ARGUMENT where the client's memory is not what it must be.
#ifndef NEARCALL_TRANSPORTS_RING_RING_MEDIUM_H_
#define NEARCALL_TRANSPORTS_RING_RING_MEDIUM_H_

#include <cstddef>
#include <cstdint>
#include <memory>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "nearcall/transports/api/unique_fd.h"
#include "nearcall/transports/rendezvous/medium.h"
#include "nearcall/transports/ring/ring_memory.h"

namespace nearcall::internal {

class RingMedium : public Medium {
 public:
  uint32_t max_frame() const override;
  bool allows_max_frame(uint32_t max_frame) const override;
  absl::string_view parameter() const override { return "size"; }
  bool needs_offer() const override { return true; }

  absl::StatusOr<MediumOffer> MakeOffer(const Address& address) const override;
  std::unique_ptr<Endpoint> Dial(Meeting meeting) const override;
  absl::StatusOr<std::unique_ptr<Endpoint>> Serve(Meeting& meeting) const override;

 protected:
  // Client: a file of `bytes`, all of them allocated. RESOURCE_EXHAUSTED naming the limit.
  virtual absl::StatusOr<UniqueFd> MakeFile(const Address& address, size_t bytes) const = 0;
  // Server: whether `file` can be mapped without harm. INVALID_ARGUMENT saying what is wrong with it.
  virtual absl::Status CheckFile(int file, size_t bytes) const = 0;
  // For files that a peer can truncate.
  virtual MappingGuard::Maker guard() const { return nullptr; }
};

// The ring that `address` asks for.
absl::StatusOr<uint32_t> RingSizeOf(const Address& address);

}  // namespace nearcall::internal

#endif  // NEARCALL_TRANSPORTS_RING_RING_MEDIUM_H_
