// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// PlaceWatch: the coming of a server at a path, by inotify: something appears at the path, or the directories that lead
// there do, or their permissions change.
//
//   std::unique_ptr<ServerWatch> watch = WatchPlace(place.path);
//
// A bind makes its socket under another name and renames it (safe_bind.h), so what appears is listening already.
// Thread safety: none. Errors: null when there is no inotify instance (fs.inotify.max_user_instances, 128 per user).
// Arm() is false when a directory can't be read, or the path is a symbolic link: what it leads to may come elsewhere.
#ifndef NEARCALL_TRANSPORTS_RENDEZVOUS_PLACE_WATCH_H_
#define NEARCALL_TRANSPORTS_RENDEZVOUS_PLACE_WATCH_H_

#include <memory>
#include <string>

#include "nearcall/transports/api/address.h"
#include "nearcall/transports/api/server_watch.h"
#include "nearcall/transports/rendezvous/medium.h"
#include "nearcall/transports/rendezvous/place.h"

namespace nearcall::internal {

std::unique_ptr<ServerWatch> WatchPlace(std::string path);
// Of an address as ConnectRendezvous() takes it; null as well when the address is bad.
std::unique_ptr<ServerWatch> WatchRendezvous(const Address& address, Names names, const Media& media);

}  // namespace nearcall::internal

#endif  // NEARCALL_TRANSPORTS_RENDEZVOUS_PLACE_WATCH_H_
