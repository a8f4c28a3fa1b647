// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
#include "nearcall/transports/rendezvous/place.h"

#include <grp.h>
#include <pwd.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "nearcall/transports/rendezvous/safe_bind.h"

namespace nearcall::internal {
namespace {

absl::Status Bad(const Address& address, absl::string_view why) {
  return absl::InvalidArgumentError(absl::StrCat(address.ToString(), ": ", why));
}

absl::StatusOr<mode_t> ParseMode(const Address& address, const std::string& text) {
  mode_t mode = 0;
  bool good = text.size() >= 3 && text.size() <= 4;
  for (const char c : text) {
    good = good && c >= '0' && c <= '7';
    mode = mode * 8 + static_cast<mode_t>(c - '0');
  }
  if (!good || (mode & ~mode_t{0777}) != 0 || (mode & 0600) != 0600) {
    return Bad(address, absl::StrCat("mode=", text, " is not an octal mode from 0600 to 0777 that lets the owner in"));
  }
  return mode;
}

std::optional<gid_t> FindGroup(const std::string& text) {
  uint32_t number;
  if (absl::SimpleAtoi(text, &number)) return number;
  char buffer[4096];
  group entry;
  group* found = nullptr;
  if (::getgrnam_r(text.c_str(), &entry, buffer, sizeof(buffer), &found) == 0 && found != nullptr) return found->gr_gid;
  return std::nullopt;
}

absl::Status ReadParameters(const Address& address, std::vector<absl::string_view> known_keys, Place* place) {
  known_keys.insert(known_keys.begin(), {"mode", "group", "server_uid"});
  absl::Status known = CheckParameters(address, known_keys);
  if (!known.ok()) return known;
  for (const auto& [key, value] : address.parameters) {
    if (key == "mode") {
      absl::StatusOr<mode_t> mode = ParseMode(address, value);
      if (!mode.ok()) return mode.status();
      place->mode = *mode;
    } else if (key == "group") {
      place->group = FindGroup(value);
      if (!place->group.has_value()) return Bad(address, absl::StrCat("there is no group \"", value, "\""));
    } else if (key == "server_uid") {
      const std::optional<uid_t> uid = FindUser(value);
      if (!uid.has_value()) return Bad(address, absl::StrCat("there is no user \"", value, "\""));
      place->server_uids.push_back(*uid);
    }
  }
  return absl::OkStatus();
}

}  // namespace

std::optional<uid_t> FindUser(const std::string& text) {
  uint32_t number;
  if (absl::SimpleAtoi(text, &number)) return number;
  char buffer[4096];
  passwd entry;
  passwd* found = nullptr;
  if (::getpwnam_r(text.c_str(), &entry, buffer, sizeof(buffer), &found) == 0 && found != nullptr) return found->pw_uid;
  return std::nullopt;
}

SocketName NameOfSocket(const Place& place) {
  if (!place.abstract) return {SocketAddress(place.path), sizeof(sockaddr_un)};
  SocketName name = {};
  name.address.sun_family = AF_UNIX;
  ::memcpy(name.address.sun_path + 1, place.path.data(), std::min(place.path.size(), kMaxSocketPath));
  name.size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + place.path.size());
  return name;
}

std::string NamesDirectory() {
  const uid_t self = ::geteuid();
  const char* runtime = ::secure_getenv("XDG_RUNTIME_DIR");
  struct stat found;
  // Under su and sudo it may still be another user's: then it is not for us, neither to use nor to write to.
  if (runtime != nullptr && runtime[0] == '/' && ::stat(runtime, &found) == 0 && S_ISDIR(found.st_mode) &&
      found.st_uid == self) {
    return absl::StrCat(runtime, "/nearcall");
  }
  if (self == 0) return "/run/nearcall";
  return absl::StrCat("/tmp/nearcall-", self);
}

std::string DirectoryOf(const std::string& path) {
  const size_t slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

absl::StatusOr<Place> PlaceOf(const Address& address, Names names, const std::vector<absl::string_view>& more) {
  Place place;
  absl::Status status = ReadParameters(address, more, &place);
  if (!status.ok()) return status;

  const std::string& rest = address.rest;
  if (rest.empty()) {
    return Bad(address, absl::StrCat("no path; write ", address.scheme, ":/path/of/the.sock",
                                     names == Names::kAllowed ? absl::StrCat(" or ", address.scheme, ":NAME") : ""));
  }
  if (names == Names::kAllowed && rest.find('/') == std::string::npos) {
    if (rest == "." || rest == ".." || rest.find('\0') != std::string::npos) return Bad(address, "not a name");
    place.path = absl::StrCat(NamesDirectory(), "/", rest);
    place.private_directory = true;
  } else if (absl::StartsWith(rest, "//")) {  // as gRPC spells it: unix:///absolute/path
    if (rest.size() < 4 || rest[2] != '/') {
      return Bad(address, absl::StrCat("after // an absolute path must follow (", address.scheme, ":///path); write ",
                                       address.scheme, ":relative/path for one in the working directory"));
    }
    place.path = rest.substr(2);
  } else {
    place.path = rest;
  }
  if (place.path.back() == '/') return Bad(address, "the path ends with a slash, so it does not name a socket");
  status = CheckSocketPath(place.path);
  if (!status.ok()) return Bad(address, status.message());
  return place;
}

}  // namespace nearcall::internal
