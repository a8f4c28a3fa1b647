// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// Words for errors: an errno with its name, a uid or mode as people read it.
//
//   ErrnoText(ENOENT) == "No such file or directory (ENOENT)"; UidText(65534) == "uid 65534 (nobody)"
//
// Thread-safe. Not for a signal handler or a forked child of a threaded program (they allocate).
#ifndef NEARCALL_TRANSPORTS_API_ERRNO_STATUS_H_
#define NEARCALL_TRANSPORTS_API_ERRNO_STATUS_H_

#include <sys/types.h>

#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace nearcall::internal {

std::string ErrnoText(int error);
std::string UidText(uid_t uid);
std::string FileTypeText(mode_t mode);  // "a directory", "a regular file", ...

// `what` names the thing and the action ("cannot create /run/x.lock"); the code fits the errno (EACCES:
// PERMISSION_DENIED, EMFILE: RESOURCE_EXHAUSTED, ENOENT: NOT_FOUND, ...).
absl::Status ErrnoStatus(int error, absl::string_view what);

}  // namespace nearcall::internal

#endif  // NEARCALL_TRANSPORTS_API_ERRNO_STATUS_H_
