// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// The medium of mmap: two rings in a file without a name.
//
//   ListenRendezvous(address, Names::kAllowed, {&TheFileMedium()});
//
// Thread-safe, stateless, static. Parameters and errors: ring/ring_medium.h.
#ifndef NEARCALL_TRANSPORTS_MAPPED_FILE_FILE_MEDIUM_H_
#define NEARCALL_TRANSPORTS_MAPPED_FILE_FILE_MEDIUM_H_

#include "nearcall/transports/mapped_file/sigbus_guard.h"
#include "nearcall/transports/ring/ring_medium.h"

namespace nearcall::internal {

class FileMedium final : public RingMedium {
 public:
  MediumBit bit() const override { return kMediumFile; }
  absl::string_view name() const override { return "mmap"; }

 private:
  absl::StatusOr<UniqueFd> MakeFile(const Address& address, size_t bytes) const override;
  absl::Status CheckFile(int file, size_t bytes) const override;
  MappingGuard::Maker guard() const override { return &NewSigbusGuard; }
};

const FileMedium& TheFileMedium();

}  // namespace nearcall::internal

#endif  // NEARCALL_TRANSPORTS_MAPPED_FILE_FILE_MEDIUM_H_
