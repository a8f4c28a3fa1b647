// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// SafeBind: a listening Unix socket at a path, without ever disturbing a live server and without being stopped by what
// a dead one left behind.
//
//   absl::StatusOr<std::unique_ptr<BoundSocket>> socket = SafeBind("/run/greeter.sock", {});
//   ::accept4((*socket)->fd(), ...);
//
// How: take the NameLock; make sure that what stands at the path is a dead socket; bind and listen at `NAME.new`, set
// its group and mode there, and rename it over NAME. So there is no instant without a listener and none with wider
// rights, and a process killed anywhere leaves at most NAME, NAME.lock and NAME.new, which the next bind replaces.
//
// Thread safety: SafeBind() from any thread; a BoundSocket is one owner's. Lifetime: the destructor removes the socket
// if it is still ours, then the lock; in a forked child it only closes descriptors.
// Errors name the path, the limit, the owner or the errno. ALREADY_EXISTS: another server is live there.
#ifndef NEARCALL_TRANSPORTS_RENDEZVOUS_SAFE_BIND_H_
#define NEARCALL_TRANSPORTS_RENDEZVOUS_SAFE_BIND_H_

#include <sys/stat.h>
#include <sys/types.h>
#include <sys/un.h>

#include <memory>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "nearcall/transports/api/unique_fd.h"
#include "nearcall/transports/rendezvous/listening_socket.h"
#include "nearcall/transports/rendezvous/name_lock.h"

namespace nearcall::internal {

// sun_path holds 108 bytes. 108 without a NUL would bind, but the kernel then reports an address that is too long.
inline constexpr size_t kMaxSocketPath = sizeof(sockaddr_un::sun_path) - 1;

// INVALID_ARGUMENT that names path and limit if no socket can be there.
absl::Status CheckSocketPath(const std::string& path);
// REQUIRES: CheckSocketPath(path) is OK.
sockaddr_un SocketAddress(const std::string& path);

struct SafeBindOptions {
  mode_t mode = 0600;               // of the socket; who may write to it may connect
  std::optional<gid_t> group = {};  // of the socket; unset: as the file system gives it
  bool private_directory = false;   // as in NameLock::Options
};

class BoundSocket final : public ListeningSocket {
 public:
  BoundSocket(UniqueFd fd, std::unique_ptr<NameLock> lock, const struct stat& node);
  ~BoundSocket() override;
  BoundSocket(const BoundSocket&) = delete;
  BoundSocket& operator=(const BoundSocket&) = delete;

  int fd() const override { return fd_.get(); }
  const std::string& path() const { return lock_->path(); }

 private:
  UniqueFd fd_;
  std::unique_ptr<NameLock> lock_;
  dev_t device_;
  ino_t inode_;
};

absl::StatusOr<std::unique_ptr<BoundSocket>> SafeBind(const std::string& path, const SafeBindOptions& options);

}  // namespace nearcall::internal

#endif  // NEARCALL_TRANSPORTS_RENDEZVOUS_SAFE_BIND_H_
