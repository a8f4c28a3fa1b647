// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// The keeper of spawn.h: what runs after the fork. Only system calls, no allocation, no lock (signal-safety(7)): the
// process it was copied from may have had any number of threads at any place.
//
//   KeeperPlan plan = {...};     // all that is needed, made before
//   if (RawFork(0) == 0) RunKeeper(plan);   // does not return
#ifndef NEARCALL_TRANSPORTS_PIPE_KEEPER_H_
#define NEARCALL_TRANSPORTS_PIPE_KEEPER_H_

#include <signal.h>
#include <sys/types.h>

#include <array>
#include <cstdint>

namespace nearcall::internal {

struct KeeperPlan {
  const char* program;  // resolved
  char* const* arguments;
  char** environment;       // ends in a null; the last but one is `variable`
  char* variable;           // "NEARCALL_PIPE=", then room for three numbers
  int child_in, child_out;  // the child's ends
  int errors_in, errors_out;
  int leash;      // the keeper's end
  int parent;     // pidfd of this process, or -1
  sigset_t mask;  // the child's signal mask
};

// What the keeper says, once, in one packet: a report and the last of stderr behind it.
struct KeeperReport {
  enum Kind : int32_t { kNotStarted, kExited, kKilled };
  Kind kind = kNotStarted;
  int32_t value = 0;  // errno, status, signal
};
inline constexpr size_t kKeptErrors = 2048;

// fork() without the handlers of pthread_atfork(3); `signal`: what the parent gets at the child's end, 0: nothing.
pid_t RawFork(int signal);

[[noreturn]] void RunKeeper(const KeeperPlan& plan);

}  // namespace nearcall::internal

#endif  // NEARCALL_TRANSPORTS_PIPE_KEEPER_H_
