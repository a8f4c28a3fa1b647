// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// NameLock: the right to a name in the file system. Whoever holds the lock of `DIR/NAME` may create, replace and remove
// that name and its temporaries; nobody else touches them. The kernel drops it when the process dies, however it dies,
// also while a forked child lives on.
//
//   absl::StatusOr<std::unique_ptr<NameLock>> lock = NameLock::Take("/run/greeter.sock", {});
//   ::renameat(lock->dir_fd(), ..., lock->dir_fd(), lock->base().c_str());
//
// How: a POSIX record lock (F_SETLK) on `NAME.lock`, 0600. Such a lock belongs to the process, not to a descriptor: a
// forked child does not inherit it (an OFD lock would stay with the child), but closing *any* descriptor of the file
// loses it. So the process opens the file once, and a table inside the process is asked before any open.
//
// Thread safety: Take() from any thread; an object is one owner's. Lifetime: the destructor removes the lock file and
// gives the lock up; in a forked child it does neither (the child holds nothing).
// Errors: ALREADY_EXISTS "another server is live at PATH (pid N)"; PERMISSION_DENIED naming the owner of a foreign lock
// file; others name path and errno.
#ifndef NEARCALL_TRANSPORTS_RENDEZVOUS_NAME_LOCK_H_
#define NEARCALL_TRANSPORTS_RENDEZVOUS_NAME_LOCK_H_

#include <sys/stat.h>
#include <sys/types.h>

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "nearcall/transports/api/unique_fd.h"

namespace nearcall::internal {

class NameLock {
 public:
  struct Options {
    // The directory must be a real one of ours that nobody else may enter (0700); it is made if it is missing.
    bool private_directory = false;
  };

  // `path`: DIR/NAME or NAME. The directory is pinned: what happens to the path later does not matter.
  static absl::StatusOr<std::unique_ptr<NameLock>> Take(const std::string& path, const Options& options);

  NameLock(const NameLock&) = delete;
  NameLock& operator=(const NameLock&) = delete;
  ~NameLock();

  const std::string& path() const { return path_; }
  const std::string& base() const { return base_; }  // NAME
  int dir_fd() const { return dir_.get(); }          // O_PATH
  bool ours() const;                                 // false in a forked child

  // May a file of `owner` stand in our way? OK if it is ours, or if only we and root could have put it there.
  // PERMISSION_DENIED naming owner and path otherwise.
  absl::Status CheckOwner(const std::string& name, uid_t owner) const;

 private:
  NameLock() = default;
  absl::Status OpenDirectory(const Options& options);
  absl::Status TryOnce(bool* retry);
  absl::Status OpenFailed(int error) const;
  std::string Full(const std::string& name) const;

  std::string path_;
  std::string dir_path_;
  std::string base_;
  std::string lock_name_;
  UniqueFd dir_;
  struct stat dir_stat_ = {};
  pid_t pid_ = 0;
  int lock_fd_ = -1;  // owned by the table of the process
};

// How many names this process holds. For tests and leak audits.
int HeldNameLocks();

}  // namespace nearcall::internal

#endif  // NEARCALL_TRANSPORTS_RENDEZVOUS_NAME_LOCK_H_
