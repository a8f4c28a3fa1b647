// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// Place: what an address with a rendezvous means in the file system, and its parameters.
//
//   absl::StatusOr<Place> place = PlaceOf(*ParseAddress("local:greeter"), Names::kAllowed);
//   place->path == "/run/user/1000/nearcall/greeter"; place->private_directory == true;
//
// Parameters (at either end, so that both can use one text): mode=0660 and group=NAME|GID of the server's socket;
// server_uid=UID|NAME, any number of times: who else may be the server, beside root and the client's own uid.
// Thread-safe: pure, but for XDG_RUNTIME_DIR and the user database. Errors: INVALID_ARGUMENT quoting the address.
#ifndef NEARCALL_TRANSPORTS_RENDEZVOUS_PLACE_H_
#define NEARCALL_TRANSPORTS_RENDEZVOUS_PLACE_H_

#include <sys/socket.h>
#include <sys/types.h>
#include <sys/un.h>

#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "nearcall/transports/api/address.h"

namespace nearcall::internal {

struct Place {
  std::string path;
  bool abstract = false;           // `path` is a name in the abstract namespace: no file, no mode
  bool private_directory = false;  // the directory of names: ours, 0700, made by the server
  mode_t mode = 0600;
  std::optional<gid_t> group = {};
  std::vector<uid_t> server_uids;
};

// kAllowed: a rest without a slash is a name in NamesDirectory() (local:); else it is a path in the working directory.
enum class Names { kAllowed, kNotAllowed };
// `more`: parameters that are none of the rendezvous's.
absl::StatusOr<Place> PlaceOf(const Address& address, Names names, const std::vector<absl::string_view>& more = {});

struct SocketName {
  sockaddr_un address;
  socklen_t size;
};
// For bind() and connect(). REQUIRES: a path or name that fits: CheckSocketPath() is OK.
SocketName NameOfSocket(const Place& place);

// By name or number; none if there is no such user.
std::optional<uid_t> FindUser(const std::string& text);

// $XDG_RUNTIME_DIR/nearcall if that directory is the user's own, else /run/nearcall for root, else /tmp/nearcall-UID.
std::string NamesDirectory();

// "/a/b/c" -> "/a/b", "b/c" -> "b", "c" -> ".", "/a" -> "/".
std::string DirectoryOf(const std::string& path);

}  // namespace nearcall::internal

#endif  // NEARCALL_TRANSPORTS_RENDEZVOUS_PLACE_H_
