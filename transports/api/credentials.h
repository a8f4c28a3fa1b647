// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// Credentials: who a process is, as the kernel says and never as the process says.
#ifndef NEARCALL_TRANSPORTS_API_CREDENTIALS_H_
#define NEARCALL_TRANSPORTS_API_CREDENTIALS_H_

#include <sys/types.h>

namespace nearcall {

struct Credentials {
  uid_t uid;
  gid_t gid;
  pid_t pid;  // 0: not visible from this pid namespace
};

}  // namespace nearcall

#endif  // NEARCALL_TRANSPORTS_API_CREDENTIALS_H_
