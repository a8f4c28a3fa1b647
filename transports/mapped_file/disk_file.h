// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// The file of mmap: made without a name, allocated, checked.
//
//   absl::StatusOr<UniqueFd> file = MakeDiskFile("/run/greeter.sock", size);   // client: beside that socket
//   absl::Status good = CheckDiskFile(received.get(), size);                   // server
//
// Beside the socket if that is on a disk, else (a tmpfs, a folder that this user cannot write to) in /var/tmp. Where
// the file system has no O_TMPFILE a name exists between two system calls; RemoveLeftFiles() takes away what a process
// left that was killed there.
//
// Thread-safe. Errors: RESOURCE_EXHAUSTED naming the limit (disk, quota, RLIMIT_FSIZE), UNAVAILABLE where there is no
// folder, and so no server; INVALID_ARGUMENT saying what is wrong with the peer's file.
#ifndef NEARCALL_TRANSPORTS_MAPPED_FILE_DISK_FILE_H_
#define NEARCALL_TRANSPORTS_MAPPED_FILE_DISK_FILE_H_

#include <cstddef>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "nearcall/transports/api/unique_fd.h"

namespace nearcall::internal {

absl::StatusOr<UniqueFd> MakeDiskFile(const std::string& socket_path, size_t size);
absl::Status CheckDiskFile(int file, size_t size);
void RemoveLeftFiles(const std::string& socket_path);

}  // namespace nearcall::internal

#endif  // NEARCALL_TRANSPORTS_MAPPED_FILE_DISK_FILE_H_
