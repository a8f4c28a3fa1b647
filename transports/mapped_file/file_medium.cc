// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
#include "nearcall/transports/mapped_file/file_medium.h"

#include "nearcall/transports/mapped_file/disk_file.h"
#include "nearcall/transports/rendezvous/place.h"

namespace nearcall::internal {

absl::StatusOr<UniqueFd> FileMedium::MakeFile(const Address& address, size_t bytes) const {
  const absl::StatusOr<Place> place = PlaceOf(address, Names::kAllowed, {parameter()});
  if (!place.ok()) return place.status();
  return MakeDiskFile(place->path, bytes);
}

absl::Status FileMedium::CheckFile(int file, size_t bytes) const { return CheckDiskFile(file, bytes); }

const FileMedium& TheFileMedium() {
  static const FileMedium* const medium = new FileMedium;  // listeners may outlive static destructors
  return *medium;
}

}  // namespace nearcall::internal
