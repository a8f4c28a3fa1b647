// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
#include "nearcall/transports/rendezvous/safe_bind.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "nearcall/transports/api/errno_status.h"
#include "nearcall/transports/rendezvous/process_fd.h"

namespace nearcall::internal {
namespace {

// Only the holder of the lock makes this name, so it needs no random part, and one look finds a dead one's.
std::string TemporaryName(const std::string& base) {
  if (base.size() <= 64) return base + ".new";
  uint64_t hash = 14695981039346656037u;  // FNV-1a: a long name shares its beginning with others
  for (const char c : base) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211u;
  return absl::StrFormat("%s.%016x.new", base.substr(0, 40), hash);
}

// The temporary's path for bind(); through the pinned directory where the plain one is too long.
absl::StatusOr<std::string> TemporaryPath(const NameLock& lock, const std::string& temporary) {
  const size_t slash = lock.path().rfind('/');
  std::string plain = slash == std::string::npos ? temporary : lock.path().substr(0, slash + 1) + temporary;
  if (plain.size() <= kMaxSocketPath) return plain;
  std::string pinned = absl::StrCat("/proc/self/fd/", lock.dir_fd(), "/", temporary);
  if (::access(absl::StrCat("/proc/self/fd/", lock.dir_fd()).c_str(), F_OK) != 0) {
    return absl::FailedPreconditionError(absl::StrCat("cannot bind ", lock.path(), ": its temporary name ", plain,
                                                      " is over ", kMaxSocketPath,
                                                      " bytes, and /proc is not mounted to shorten it"));
  }
  return pinned;
}

// Whoever called listen() on the socket at `path`: OK if nobody, or a process that is dead while a forked child of it
// still holds the socket. ALREADY_EXISTS if it lives: a server that does not know our lock, or whose lock file somebody
// deleted.
absl::Status CheckDead(const std::string& path) {
  UniqueFd probe(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!probe.valid()) return ErrnoStatus(errno, absl::StrCat("cannot make a socket to probe ", path));
  const sockaddr_un address = SocketAddress(path);
  if (::connect(probe.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) {
    if (errno == ECONNREFUSED || errno == ENOENT) return absl::OkStatus();
    if (errno == EAGAIN || errno == EPROTOTYPE) {  // its backlog is full; or it is a datagram or seqpacket socket
      return absl::AlreadyExistsError(absl::StrCat("another program is live at ", path));
    }
    return ErrnoStatus(errno, absl::StrCat("cannot tell whether a server is live at ", path));
  }
  const PeerProcess listener = PeerProcessOf(probe.get());
  if (listener.dead) return absl::OkStatus();
  return absl::AlreadyExistsError(absl::StrCat("another server is live at ", path, " (pid ", listener.credentials.pid,
                                               "; it does not hold ", path, ".lock)"));
}

// OK if NAME can be replaced: it is not there, or it is a dead server's socket that was ours to begin with.
absl::Status CheckReplaceable(const NameLock& lock) {
  struct stat found;
  if (::fstatat(lock.dir_fd(), lock.base().c_str(), &found, AT_SYMLINK_NOFOLLOW) != 0) {
    if (errno == ENOENT) return absl::OkStatus();
    return ErrnoStatus(errno, absl::StrCat("cannot stat ", lock.path()));
  }
  if (!S_ISSOCK(found.st_mode)) {
    return absl::FailedPreconditionError(absl::StrCat(lock.path(), " is ", FileTypeText(found.st_mode),
                                                      ", not a socket; remove it or use another path"));
  }
  absl::Status owner = lock.CheckOwner(lock.base(), found.st_uid);
  if (!owner.ok()) return owner;
  return CheckDead(lock.path());
}

absl::Status RemoveDeadTemporary(const NameLock& lock, const std::string& temporary) {
  struct stat found;
  if (::fstatat(lock.dir_fd(), temporary.c_str(), &found, AT_SYMLINK_NOFOLLOW) != 0) return absl::OkStatus();
  if (!S_ISSOCK(found.st_mode)) {
    return absl::FailedPreconditionError(absl::StrCat("cannot bind ", lock.path(), ": its temporary name ", temporary,
                                                      " is taken by ", FileTypeText(found.st_mode)));
  }
  absl::Status owner = lock.CheckOwner(temporary, found.st_uid);
  if (!owner.ok()) return owner;
  if (::unlinkat(lock.dir_fd(), temporary.c_str(), 0) != 0 && errno != ENOENT) {
    return ErrnoStatus(errno, absl::StrCat("cannot remove ", temporary, " beside ", lock.path()));
  }
  return absl::OkStatus();
}

// Gives the bound node its group, then its mode: never wider than asked for, not even between the two.
absl::Status SetRights(const NameLock& lock, const std::string& temporary, const SafeBindOptions& options) {
  struct stat node;
  if (::fstatat(lock.dir_fd(), temporary.c_str(), &node, AT_SYMLINK_NOFOLLOW) != 0) {
    return ErrnoStatus(errno, absl::StrCat("cannot stat ", temporary, " beside ", lock.path()));
  }
  if (!options.group.has_value() && (node.st_mode & 07777) == options.mode) return absl::OkStatus();
  // By descriptor: a name could have been exchanged for a link to some file of ours, if others may write here.
  UniqueFd pinned(::openat(lock.dir_fd(), temporary.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
  struct stat held;
  if (!pinned.valid() || ::fstat(pinned.get(), &held) != 0 || held.st_ino != node.st_ino || !S_ISSOCK(held.st_mode)) {
    return absl::FailedPreconditionError(absl::StrCat("somebody replaced ", temporary, " beside ", lock.path()));
  }
  if (options.group.has_value() &&
      ::fchownat(pinned.get(), "", static_cast<uid_t>(-1), *options.group, AT_EMPTY_PATH) != 0) {
    return ErrnoStatus(errno, absl::StrCat("cannot give ", lock.path(), " to group ", *options.group));
  }
  if (::chmod(absl::StrCat("/proc/self/fd/", pinned.get()).c_str(), options.mode) != 0) {
    return ErrnoStatus(
        errno, absl::StrCat("cannot set the mode of ", lock.path(), " to ", absl::StrFormat("%04o", options.mode)));
  }
  return absl::OkStatus();
}

// Binds and listens at the temporary name. On error nothing is left.
absl::StatusOr<UniqueFd> ListenAtTemporary(const NameLock& lock, const std::string& temporary,
                                           const SafeBindOptions& options) {
  absl::StatusOr<std::string> path = TemporaryPath(lock, temporary);
  if (!path.ok()) return path.status();
  UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd.valid()) return ErrnoStatus(errno, absl::StrCat("cannot make a socket for ", lock.path()));
  // Before anybody can connect: since Linux 6.16 a connection has what the listener had when it was begun, not
  // accepted.
  const int on = 1;
  if (::setsockopt(fd.get(), SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)) != 0) {
    return ErrnoStatus(errno, absl::StrCat("cannot ask for credentials at ", lock.path()));
  }
  // bind() makes the node with the socket's own mode, less the umask: so it is 0600 from its first instant, without
  // touching the umask, which belongs to the whole process.
  if (::fchmod(fd.get(), 0600) != 0) return ErrnoStatus(errno, absl::StrCat("cannot chmod a socket for ", lock.path()));
  const sockaddr_un address = SocketAddress(*path);
  if (::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) {
    return ErrnoStatus(errno, absl::StrCat("cannot bind ", lock.path()));
  }
  absl::Status status = SetRights(lock, temporary, options);
  if (status.ok() && ::listen(fd.get(), SOMAXCONN) != 0) {
    status = ErrnoStatus(errno, absl::StrCat("cannot listen at ", lock.path()));
  }
  if (status.ok()) return fd;
  ::unlinkat(lock.dir_fd(), temporary.c_str(), 0);
  return status;
}

}  // namespace

absl::Status CheckSocketPath(const std::string& path) {
  if (path.empty()) return absl::InvalidArgumentError("the path of the socket is empty");
  if (path.find('\0') != std::string::npos) return absl::InvalidArgumentError("the path of the socket has a NUL byte");
  if (path.size() > kMaxSocketPath) {
    return absl::InvalidArgumentError(
        absl::StrCat("the path of the socket has ", path.size(), " bytes, the limit is ", kMaxSocketPath, ": ", path));
  }
  return absl::OkStatus();
}

sockaddr_un SocketAddress(const std::string& path) {
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  ::memcpy(address.sun_path, path.data(), path.size() < kMaxSocketPath ? path.size() : kMaxSocketPath);
  return address;
}

BoundSocket::BoundSocket(UniqueFd fd, std::unique_ptr<NameLock> lock, const struct stat& node)
    : fd_(std::move(fd)), lock_(std::move(lock)), device_(node.st_dev), inode_(node.st_ino) {}

BoundSocket::~BoundSocket() {
  if (!lock_->ours()) return;
  struct stat named;
  if (::fstatat(lock_->dir_fd(), lock_->base().c_str(), &named, AT_SYMLINK_NOFOLLOW) == 0 && named.st_dev == device_ &&
      named.st_ino == inode_) {
    ::unlinkat(lock_->dir_fd(), lock_->base().c_str(), 0);
  }
  fd_.Reset();
  lock_.reset();
}

absl::StatusOr<std::unique_ptr<BoundSocket>> SafeBind(const std::string& path, const SafeBindOptions& options) {
  absl::Status status = CheckSocketPath(path);
  if (!status.ok()) return status;
  absl::StatusOr<std::unique_ptr<NameLock>> taken =
      NameLock::Take(path, {.private_directory = options.private_directory});
  if (!taken.ok()) return taken.status();
  std::unique_ptr<NameLock> lock = *std::move(taken);

  const std::string temporary = TemporaryName(lock->base());
  status = CheckReplaceable(*lock);
  if (status.ok()) status = RemoveDeadTemporary(*lock, temporary);
  if (!status.ok()) return status;
  absl::StatusOr<UniqueFd> fd = ListenAtTemporary(*lock, temporary, options);
  if (!fd.ok()) return fd.status();
  struct stat node;
  if (::fstatat(lock->dir_fd(), temporary.c_str(), &node, AT_SYMLINK_NOFOLLOW) != 0 ||
      ::renameat(lock->dir_fd(), temporary.c_str(), lock->dir_fd(), lock->base().c_str()) != 0) {
    status = ErrnoStatus(errno, absl::StrCat("cannot put the socket at ", path));
    ::unlinkat(lock->dir_fd(), temporary.c_str(), 0);
    return status;
  }
  return std::make_unique<BoundSocket>(*std::move(fd), std::move(lock), node);
}

}  // namespace nearcall::internal
