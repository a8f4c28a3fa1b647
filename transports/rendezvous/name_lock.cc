// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
#include "nearcall/transports/rendezvous/name_lock.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <unistd.h>

#include <map>
#include <mutex>
#include <tuple>
#include <utility>

#include "absl/strings/str_cat.h"
#include "nearcall/transports/api/errno_status.h"

namespace nearcall::internal {
namespace {

// The table of this process: which names it holds, and the one descriptor of each lock file. Opening and closing happen
// under its mutex, so a fork never catches a lock file half entered.
class BindTable {
 public:
  using Key = std::tuple<dev_t, ino_t, std::string>;

  static BindTable& Get() {
    static BindTable* const table = new BindTable;  // never destroyed: a Listener may outlive static destructors
    return *table;
  }

  // kTaken: this process holds it already and nothing was opened. Else `*fd`, or -1 with errno.
  enum class Opened { kTaken, kDone };
  Opened Open(const Key& key, int dir_fd, const char* lock_name, int* fd, int* error) {
    std::lock_guard<std::mutex> hold(mutex_);
    AfterFork();
    if (held_.count(key) != 0) return Opened::kTaken;
    // O_NONBLOCK: should somebody have put a FIFO there.
    *fd = ::openat(dir_fd, lock_name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY, 0600);
    *error = errno;
    if (*fd >= 0) held_.emplace(key, UniqueFd(*fd));
    return Opened::kDone;
  }

  void Close(const Key& key) {
    std::lock_guard<std::mutex> hold(mutex_);
    AfterFork();
    held_.erase(key);
  }

  int Size() {
    std::lock_guard<std::mutex> hold(mutex_);
    AfterFork();
    return static_cast<int>(held_.size());
  }

 private:
  BindTable() : pid_(::getpid()) { ::pthread_atfork(&Prepare, &Parent, &Child); }

  static void Prepare() { Get().mutex_.lock(); }
  static void Parent() { Get().mutex_.unlock(); }
  static void Child() {
    Get().AfterFork();
    Get().mutex_.unlock();
  }

  // A child inherits the descriptors, not the locks. They are closed at once: closing one later would lose a lock that
  // the child itself has taken on the same file by then.
  void AfterFork() {
    const pid_t now = ::getpid();
    if (pid_ == now) return;
    pid_ = now;
    held_.clear();
  }

  std::mutex mutex_;
  pid_t pid_;
  std::map<Key, UniqueFd> held_;
};

BindTable::Key KeyOf(const struct stat& dir, const std::string& base) { return {dir.st_dev, dir.st_ino, base}; }

bool SameFile(const struct stat& a, const struct stat& b) { return a.st_dev == b.st_dev && a.st_ino == b.st_ino; }

std::string HolderText(const struct flock& held) {
  return held.l_pid > 0 ? absl::StrCat("pid ", held.l_pid) : "a process that is not visible from here";
}

}  // namespace

int HeldNameLocks() { return BindTable::Get().Size(); }

std::string NameLock::Full(const std::string& name) const {
  if (dir_path_ == ".") return name;
  return absl::StrCat(dir_path_, dir_path_ == "/" ? "" : "/", name);
}

bool NameLock::ours() const { return pid_ == ::getpid(); }

absl::Status NameLock::OpenDirectory(const Options& options) {
  if (options.private_directory && ::mkdir(dir_path_.c_str(), 0700) != 0 && errno != EEXIST) {
    return ErrnoStatus(errno, absl::StrCat("cannot make the directory ", dir_path_));
  }
  const int follow = options.private_directory ? O_NOFOLLOW : 0;
  dir_.Reset(::open(dir_path_.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC | follow));
  if (!dir_.valid() || ::fstat(dir_.get(), &dir_stat_) != 0) {
    return ErrnoStatus(errno, absl::StrCat("cannot open the directory ", dir_path_, " of ", path_));
  }
  if (!options.private_directory) return absl::OkStatus();
  if (dir_stat_.st_uid != ::geteuid()) {
    return absl::PermissionDeniedError(absl::StrCat("the directory ", dir_path_, " belongs to ",
                                                    UidText(dir_stat_.st_uid), ", not to ", UidText(::geteuid())));
  }
  if ((dir_stat_.st_mode & 077) != 0) {
    return absl::PermissionDeniedError(
        absl::StrCat("others may enter the directory ", dir_path_, "; run chmod 700 ", dir_path_));
  }
  return absl::OkStatus();
}

absl::Status NameLock::CheckOwner(const std::string& name, uid_t owner) const {
  const uid_t self = ::geteuid();
  if (owner == self) return absl::OkStatus();
  // Only we and root can have put it there, or let its owner do so.
  const bool others_write = (dir_stat_.st_mode & 022) != 0 || (dir_stat_.st_uid != self && dir_stat_.st_uid != 0);
  if (!others_write) return absl::OkStatus();
  return absl::PermissionDeniedError(
      absl::StrCat(Full(name), " belongs to ", UidText(owner), ", not to ", UidText(self),
                   ", in a directory that others can write; remove it or use another path"));
}

absl::Status NameLock::OpenFailed(int error) const {
  struct stat found;
  if (::fstatat(dir_.get(), lock_name_.c_str(), &found, AT_SYMLINK_NOFOLLOW) == 0) {
    if (!S_ISREG(found.st_mode)) {
      return absl::FailedPreconditionError(absl::StrCat(
          "the lock file ", Full(lock_name_), " is ", FileTypeText(found.st_mode), "; remove it or use another path"));
    }
    if (found.st_uid != ::geteuid()) {
      return absl::PermissionDeniedError(absl::StrCat("the lock file ", Full(lock_name_), " belongs to ",
                                                      UidText(found.st_uid), ", not to ", UidText(::geteuid()), ": ",
                                                      ErrnoText(error)));
    }
  }
  return ErrnoStatus(error, absl::StrCat("cannot create the lock file ", Full(lock_name_)));
}

absl::Status NameLock::TryOnce(bool* retry) {
  const BindTable::Key key = KeyOf(dir_stat_, base_);
  int error = 0;
  if (BindTable::Get().Open(key, dir_.get(), lock_name_.c_str(), &lock_fd_, &error) == BindTable::Opened::kTaken) {
    return absl::AlreadyExistsError(
        absl::StrCat("another server is live at ", path_, " (pid ", ::getpid(), ", this process)"));
  }
  if (lock_fd_ < 0) return OpenFailed(error);
  const auto fail = [&](absl::Status why) {
    lock_fd_ = -1;
    BindTable::Get().Close(key);
    return why;
  };

  struct stat opened;
  if (::fstat(lock_fd_, &opened) != 0) return fail(ErrnoStatus(errno, absl::StrCat("cannot stat ", Full(lock_name_))));
  if (!S_ISREG(opened.st_mode) || opened.st_nlink > 1) {
    return fail(absl::FailedPreconditionError(
        absl::StrCat("the lock file ", Full(lock_name_), " is ", FileTypeText(opened.st_mode),
                     opened.st_nlink > 1 ? " with other names too" : "", "; remove it or use another path")));
  }
  absl::Status owner = CheckOwner(lock_name_, opened.st_uid);
  if (!owner.ok()) return fail(std::move(owner));

  struct flock lock = {};
  lock.l_type = F_WRLCK;
  lock.l_whence = SEEK_SET;
  if (::fcntl(lock_fd_, F_SETLK, &lock) != 0) {
    if (errno != EAGAIN && errno != EACCES) {
      return fail(ErrnoStatus(errno, absl::StrCat("cannot lock ", Full(lock_name_))));
    }
    const bool asked = ::fcntl(lock_fd_, F_GETLK, &lock) == 0;
    if (asked && lock.l_type == F_UNLCK) *retry = true;  // its holder has gone in between
    return fail(
        absl::AlreadyExistsError(absl::StrCat("another server is live at ", path_, " (", HolderText(lock), ")")));
  }
  // The holder before us may have removed the file between our open and our lock: then we have locked nothing.
  struct stat named;
  if (::fstatat(dir_.get(), lock_name_.c_str(), &named, AT_SYMLINK_NOFOLLOW) != 0 || !SameFile(opened, named)) {
    *retry = true;
    return fail(absl::AlreadyExistsError(
        absl::StrCat("servers come and go at ", path_, ": its lock file was replaced again and again")));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<NameLock>> NameLock::Take(const std::string& path, const Options& options) {
  std::unique_ptr<NameLock> lock(new NameLock);
  lock->path_ = path;
  const size_t slash = path.rfind('/');
  lock->base_ = slash == std::string::npos ? path : path.substr(slash + 1);
  lock->dir_path_ = slash == std::string::npos ? "." : slash == 0 ? "/" : path.substr(0, slash);
  lock->lock_name_ = lock->base_ + ".lock";
  if (lock->base_.empty() || lock->base_ == "." || lock->base_ == ".." || path.find('\0') != std::string::npos) {
    return absl::InvalidArgumentError(absl::StrCat("\"", path, "\" does not name a file"));
  }
  absl::Status status = lock->OpenDirectory(options);
  if (!status.ok()) return status;
  lock->pid_ = ::getpid();
  for (int attempt = 0; attempt < 100; ++attempt) {
    bool retry = false;
    status = lock->TryOnce(&retry);
    if (status.ok()) return lock;
    if (!retry) break;
  }
  return status;
}

NameLock::~NameLock() {
  if (lock_fd_ < 0 || !ours()) return;
  struct stat opened;
  struct stat named;
  if (::fstat(lock_fd_, &opened) == 0 && ::fstatat(dir_.get(), lock_name_.c_str(), &named, AT_SYMLINK_NOFOLLOW) == 0 &&
      SameFile(opened, named)) {
    ::unlinkat(dir_.get(), lock_name_.c_str(), 0);
  }
  BindTable::Get().Close(KeyOf(dir_stat_, base_));
}

}  // namespace nearcall::internal
