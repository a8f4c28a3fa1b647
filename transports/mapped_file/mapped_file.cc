// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
#include "nearcall/transports/mapped_file/mapped_file.h"

#include "nearcall/transports/mapped_file/disk_file.h"
#include "nearcall/transports/mapped_file/file_medium.h"
#include "nearcall/transports/rendezvous/connector.h"
#include "nearcall/transports/rendezvous/listener.h"
#include "nearcall/transports/rendezvous/place_watch.h"

namespace nearcall {

absl::StatusOr<std::unique_ptr<Listener>> MappedFileTransport::Listen(const Address& address) {
  auto listener = internal::ListenRendezvous(address, internal::Names::kAllowed, {&internal::TheFileMedium()});
  if (!listener.ok()) return listener;
  const auto place = internal::PlaceOf(address, internal::Names::kAllowed, {internal::TheFileMedium().parameter()});
  if (place.ok()) internal::RemoveLeftFiles(place->path);
  return listener;
}

absl::StatusOr<std::unique_ptr<Endpoint>> MappedFileTransport::Connect(const Address& address) {
  return internal::ConnectRendezvous(address, internal::Names::kAllowed, {&internal::TheFileMedium()});
}

std::unique_ptr<ServerWatch> MappedFileTransport::Watch(const Address& address) {
  return internal::WatchRendezvous(address, internal::Names::kAllowed, {&internal::TheFileMedium()});
}

}  // namespace nearcall
