// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
#include "nearcall/transports/api/errno_status.h"

#include <errno.h>
#include <pwd.h>
#include <string.h>
#include <sys/stat.h>

#include "absl/strings/str_cat.h"

namespace nearcall::internal {

std::string ErrnoText(int error) {
  const char* name = ::strerrorname_np(error);
  const char* text = ::strerrordesc_np(error);  // not translated, no locale, thread-safe
  return absl::StrCat(text == nullptr ? "unknown error" : text, " (", name == nullptr ? "?" : name, ")");
}

std::string UidText(uid_t uid) {
  char buffer[1024];
  passwd entry;
  passwd* found = nullptr;
  if (::getpwuid_r(uid, &entry, buffer, sizeof(buffer), &found) == 0 && found != nullptr) {
    return absl::StrCat("uid ", uid, " (", found->pw_name, ")");
  }
  return absl::StrCat("uid ", uid);
}

std::string FileTypeText(mode_t mode) {
  if (S_ISREG(mode)) return "a regular file";
  if (S_ISDIR(mode)) return "a directory";
  if (S_ISLNK(mode)) return "a symbolic link";
  if (S_ISFIFO(mode)) return "a FIFO";
  if (S_ISSOCK(mode)) return "a socket";
  return "a device";
}

absl::Status ErrnoStatus(int error, absl::string_view what) {
  std::string text = absl::StrCat(what, ": ", ErrnoText(error));
  switch (error) {
    case EACCES:
    case EPERM:
      return absl::PermissionDeniedError(text);
    case EMFILE:
    case ENFILE:
    case ENOMEM:
    case ENOBUFS:
    case ENOSPC:
    case EDQUOT:
    case ENOLCK:
      return absl::ResourceExhaustedError(text);
    case ENOENT:
      return absl::NotFoundError(text);
    case EEXIST:
    case EADDRINUSE:
      return absl::AlreadyExistsError(text);
    case ENAMETOOLONG:
    case EINVAL:
      return absl::InvalidArgumentError(text);
    default:
      return absl::FailedPreconditionError(text);
  }
}

}  // namespace nearcall::internal
