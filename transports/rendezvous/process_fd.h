// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// What the kernel says about the process at the other end of a Unix socket.
//
//   UniqueFd mine = OwnPidfd();                                    // sent in the greeting
//   PidfdCheck seen = CheckPidfd(received.get(), credentials.pid);  // is it that process?
//   PeerProcess peer = PeerProcessOf(socket);                      // SO_PEERCRED, and whether that process is dead
//
// Thread-safe. Errors: without pidfds (old kernels, valgrind) or /proc, nothing is guessed: see each function.
#ifndef NEARCALL_TRANSPORTS_RENDEZVOUS_PROCESS_FD_H_
#define NEARCALL_TRANSPORTS_RENDEZVOUS_PROCESS_FD_H_

#include <sys/types.h>

#include "nearcall/transports/api/credentials.h"
#include "nearcall/transports/api/unique_fd.h"

namespace nearcall::internal {

// A pidfd of this process; invalid if the kernel has none (or at the limit of descriptors).
UniqueFd OwnPidfd();

enum class PidfdCheck {
  kSame,     // it is a pidfd of that process
  kOther,    // it is something else: the sender lies
  kDead,     // it is a pidfd, of a process that has been reaped
  kUnknown,  // cannot be told: no /proc, or the process is not visible in our pid namespace
};
PidfdCheck CheckPidfd(int fd, pid_t pid);

bool PidfdSaysDead(int pidfd);

struct PeerProcess {
  Credentials credentials = {static_cast<uid_t>(-1), static_cast<gid_t>(-1), 0};  // SO_PEERCRED
  bool known = false;                                                             // SO_PEERCRED worked
  bool dead = false;  // for certain; a process that cannot be looked at counts as alive
  UniqueFd pidfd;     // may be invalid; without it a reused pid can pass for the process
};
// Whoever called connect(), or, on the connecting side, listen().
PeerProcess PeerProcessOf(int socket);

}  // namespace nearcall::internal

#endif  // NEARCALL_TRANSPORTS_RENDEZVOUS_PROCESS_FD_H_
