// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
#include "nearcall/transports/rendezvous/process_fd.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdio>

#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434  // the same on every architecture
#endif
#ifndef SO_PEERPIDFD
#define SO_PEERPIDFD 77  // Linux 6.5
#endif

namespace nearcall::internal {
namespace {

UniqueFd OpenPidfd(pid_t pid) { return UniqueFd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0))); }

}  // namespace

UniqueFd OwnPidfd() { return OpenPidfd(::getpid()); }

PidfdCheck CheckPidfd(int fd, pid_t pid) {
  char path[48];
  std::snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
  UniqueFd info(::open(path, O_RDONLY | O_CLOEXEC));
  if (!info.valid()) return PidfdCheck::kUnknown;
  char text[1024];
  const ssize_t size = ::read(info.get(), text, sizeof(text) - 1);
  if (size <= 0) return PidfdCheck::kUnknown;
  text[size] = '\0';
  const char* line = ::strstr(text, "\nPid:\t");
  if (line == nullptr) return PidfdCheck::kOther;
  const long found = ::strtol(line + 6, nullptr, 10);
  if (found == -1) return PidfdCheck::kDead;
  if (found == 0 || pid == 0) return found == pid ? PidfdCheck::kUnknown : PidfdCheck::kOther;
  return found == pid ? PidfdCheck::kSame : PidfdCheck::kOther;
}

bool PidfdSaysDead(int pidfd) {
  pollfd entry = {pidfd, POLLIN, 0};
  return ::poll(&entry, 1, 0) == 1 && (entry.revents & POLLIN) != 0;
}

PeerProcess PeerProcessOf(int socket) {
  PeerProcess peer;
  ucred credentials;
  socklen_t size = sizeof(credentials);
  if (::getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &credentials, &size) != 0) return peer;
  peer.known = true;
  peer.credentials = {credentials.uid, credentials.gid, credentials.pid};
  int pidfd = -1;
  size = sizeof(pidfd);
  if (::getsockopt(socket, SOL_SOCKET, SO_PEERPIDFD, &pidfd, &size) == 0) {
    peer.pidfd.Reset(pidfd);
    peer.dead = PidfdSaysDead(pidfd);
  } else if (errno == ESRCH || errno == EINVAL) {  // kernels that give no pidfd of a reaped process
    peer.dead = credentials.pid != 0;
  } else if (credentials.pid > 0) {
    peer.pidfd = OpenPidfd(credentials.pid);
    peer.dead =
        peer.pidfd.valid() ? PidfdSaysDead(peer.pidfd.get()) : ::kill(credentials.pid, 0) != 0 && errno == ESRCH;
  }
  return peer;
}

}  // namespace nearcall::internal
