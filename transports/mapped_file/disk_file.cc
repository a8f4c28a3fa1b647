// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
#include "nearcall/transports/mapped_file/disk_file.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <filesystem>
#include <random>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "nearcall/transports/api/errno_status.h"
#include "nearcall/transports/rendezvous/place.h"
#include "nearcall/transports/ring/memory_limits.h"

namespace nearcall::internal {
namespace {

constexpr char kElsewhere[] = "/var/tmp";
constexpr int kNames = 16;  // to try: they are random

std::string LeftPrefix(const std::string& path) { return absl::StrCat(".", path.substr(path.rfind('/') + 1), ".map-"); }

bool IsMemory(long type) { return type == TMPFS_MAGIC || type == RAMFS_MAGIC; }

// Those whose pages come from this machine's disks and memory. A page of others (FUSE, network) can take for ever.
bool IsLocal(long type) {
  for (const long known :
       {long{EXT4_SUPER_MAGIC}, long{XFS_SUPER_MAGIC}, long{BTRFS_SUPER_MAGIC}, long{F2FS_SUPER_MAGIC},
        long{OVERLAYFS_SUPER_MAGIC}, 0x2fc12fc1L /* zfs */, 0xca451a4eL /* bcachefs */, long{REISERFS_SUPER_MAGIC}}) {
    if (type == known) return true;
  }
  return IsMemory(type);
}

// Invalid and errno where none could be made.
UniqueFd Unnamed(const std::string& directory, const std::string& prefix) {
  UniqueFd file(::open(directory.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
  if (file.valid() || (errno != EOPNOTSUPP && errno != EISDIR)) return file;
  std::random_device random;
  for (int i = 0; i < kNames; ++i) {
    const std::string name = absl::StrCat(directory, "/", prefix, absl::Hex(random()), absl::Hex(random()));
    file.Reset(::open(name.c_str(), O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
    if (!file.valid() && errno == EEXIST) continue;
    if (file.valid()) ::unlink(name.c_str());
    break;
  }
  return file;
}

absl::Status Allocate(int file, size_t size, const std::string& directory) {
  int error;
  do {
    error = ::posix_fallocate(file, 0, static_cast<off_t>(size));
  } while (error == EINTR);
  if (error == 0) return absl::OkStatus();
  return absl::ResourceExhaustedError(
      absl::StrCat("cannot allocate ", size, " bytes of a file in ", directory, ": ", ErrnoText(error)));
}

absl::Status Bad(absl::string_view what) { return absl::InvalidArgumentError(absl::StrCat("its file ", what)); }

}  // namespace

absl::StatusOr<UniqueFd> MakeDiskFile(const std::string& socket_path, size_t size) {
  if (absl::Status room = CheckFileSizeLimit(size); !room.ok()) return room;
  std::string directory = DirectoryOf(socket_path);
  struct statfs system;
  if (::statfs(directory.c_str(), &system) != 0) {
    return absl::UnavailableError(absl::StrCat("no server is listening: ", directory, ": ", ErrnoText(errno)));
  }
  UniqueFd file;
  if (!IsMemory(system.f_type)) file = Unnamed(directory, LeftPrefix(socket_path));
  if (!file.valid()) {
    directory = kElsewhere;
    file = Unnamed(directory, LeftPrefix(socket_path));
  }
  if (!file.valid()) return ErrnoStatus(errno, absl::StrCat("cannot make a file in ", directory));
  if (::fstatfs(file.get(), &system) == 0 && IsMemory(system.f_type)) {
    if (absl::Status room = CheckMemoryLimits(size); !room.ok()) return room;
  }
  if (absl::Status allocated = Allocate(file.get(), size, directory); !allocated.ok()) return allocated;
  return file;
}

absl::Status CheckDiskFile(int file, size_t size) {
  struct stat found;
  struct statfs system;
  if (::fstat(file, &found) != 0 || ::fstatfs(file, &system) != 0) {
    return Bad(absl::StrCat("cannot be looked at: ", ErrnoText(errno)));
  }
  if (!S_ISREG(found.st_mode)) return Bad(absl::StrCat("is ", FileTypeText(found.st_mode), ", not a regular file"));
  if (!IsLocal(system.f_type)) {
    return Bad(absl::StrCat("is on a file system whose pages may never come (0x", absl::Hex(system.f_type), ")"));
  }
  if ((::fcntl(file, F_GETFL) & O_ACCMODE) != O_RDWR) return Bad("is not open for reading and writing");
  if (found.st_size != static_cast<off_t>(size)) {
    return Bad(absl::StrCat("has ", found.st_size, " bytes instead of ", size));
  }
  return absl::OkStatus();
}

void RemoveLeftFiles(const std::string& socket_path) {
  const std::string prefix = LeftPrefix(socket_path);
  for (const std::string& directory : {DirectoryOf(socket_path), std::string(kElsewhere)}) {
    std::error_code error;
    for (std::filesystem::directory_iterator entry(directory, error), end; !error && entry != end;
         entry.increment(error)) {
      // A live client has the file open by now or makes another: neither needs the name.
      if (absl::StartsWith(entry->path().filename().string(), prefix)) ::unlink(entry->path().c_str());
    }
  }
}

}  // namespace nearcall::internal
