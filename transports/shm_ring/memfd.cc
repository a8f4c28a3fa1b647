// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
#include "nearcall/transports/shm_ring/memfd.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "nearcall/transports/api/errno_status.h"
#include "nearcall/transports/ring/memory_limits.h"

// Newer than Debian 12's headers.
#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 0x0008U
#endif

namespace nearcall::internal {
namespace {

constexpr int kSeals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;

absl::Status Exhausted(int error, absl::string_view what) {
  return absl::ResourceExhaustedError(absl::StrCat(what, ": ", ErrnoText(error)));
}

UniqueFd NewMemfd() {
  const unsigned flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
  UniqueFd file(::memfd_create("nearcall", flags | MFD_NOEXEC_SEAL));
  if (!file.valid() && errno == EINVAL) file.Reset(::memfd_create("nearcall", flags));  // before Linux 6.3
  return file;
}

absl::Status Bad(absl::string_view what) {
  return absl::InvalidArgumentError(absl::StrCat("its shared memory ", what));
}

}  // namespace

absl::Status CheckMemfd(int file, size_t size) {
  struct stat found;
  struct statfs system;
  if (::fstat(file, &found) != 0 || ::fstatfs(file, &system) != 0) {
    return Bad(absl::StrCat("cannot be looked at: ", ErrnoText(errno)));
  }
  if (!S_ISREG(found.st_mode)) return Bad(absl::StrCat("is ", FileTypeText(found.st_mode), ", not a memfd"));
  // Not a file on a disk, which may block and be truncated; not hugetlb, whose pages may be missing when touched.
  if (system.f_type != TMPFS_MAGIC) {
    return Bad(absl::StrCat("is not a memfd of plain pages (file system 0x", absl::Hex(system.f_type), ")"));
  }
  if ((::fcntl(file, F_GETFL) & O_ACCMODE) != O_RDWR) return Bad("is not open for reading and writing");
  const int seals = ::fcntl(file, F_GET_SEALS);
  if (seals < 0 || (seals & kSeals) != kSeals) {
    return Bad(absl::StrCat("is not sealed against shrinking, growing and unsealing (seals ", seals, ")"));
  }
  if ((seals & (F_SEAL_WRITE | F_SEAL_FUTURE_WRITE)) != 0) return Bad("is sealed against writing");
  if (found.st_size != static_cast<off_t>(size)) {
    return Bad(absl::StrCat("has ", found.st_size, " bytes instead of ", size));
  }
  // Else whoever touches it first pays for it, and that would be this process.
  if (found.st_blocks * 512 < found.st_size) {
    return Bad(absl::StrCat("is not allocated: ", found.st_blocks * 512, " bytes of ", size));
  }
  return absl::OkStatus();
}

absl::StatusOr<UniqueFd> MakeMemfd(size_t size) {
  absl::Status room = CheckMemoryLimits(size);
  if (!room.ok()) return room;
  UniqueFd made = NewMemfd();
  if (!made.valid()) return Exhausted(errno, "no memfd for shared memory");
  int result;
  do {
    result = ::fallocate(made.get(), 0, 0, static_cast<off_t>(size));
  } while (result != 0 && errno == EINTR);
  if (result != 0) return Exhausted(errno, absl::StrCat("cannot allocate ", size, " bytes of shared memory"));
  if (::fcntl(made.get(), F_ADD_SEALS, kSeals) != 0) return Exhausted(errno, "cannot seal shared memory");
  return made;
}

}  // namespace nearcall::internal
