// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// Child: a forked process that is one end of a connection, and can be killed at a known point.
//
//   Child child([](Child::Side& side) { ...; side.Say('r'); side.AwaitEnd(); });
//   child.Await('r'); child.Kill();
//
// Thread safety: none; fork while this is the process's only thread. Lifetime: the destructor kills and
// reaps, and waits for the holders' end: what they held (a TCP port) is free by then.
// Errors: Await() is false where the child ended or 20 s passed.
#ifndef NEARCALL_TRANSPORTS_CONFORMANCE_CHILD_H_
#define NEARCALL_TRANSPORTS_CONFORMANCE_CHILD_H_

#include <sys/types.h>

#include <functional>

#include "nearcall/transports/api/unique_fd.h"

namespace nearcall {

class Child {
 public:
  // What the child's code uses.
  class Side {
   public:
    void Say(char word);
    void AwaitEnd();  // sleeps until the test's process lets go of it (or ends)
    // Forks a grandchild that holds every descriptor of the child until the test's process lets go.
    void ForkHolder();

   private:
    friend class Child;
    UniqueFd say_;
    UniqueFd hold_;
    UniqueFd holders_;
  };

  explicit Child(const std::function<void(Side&)>& body);
  ~Child();
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  pid_t pid() const { return pid_; }
  bool Await(char word);
  void Kill();  // SIGKILL; reaped by the destructor, so that the pid stays its own

 private:
  pid_t pid_ = -1;
  UniqueFd hear_;
  UniqueFd held_;
  UniqueFd holders_;  // their pids
};

}  // namespace nearcall

#endif  // NEARCALL_TRANSPORTS_CONFORMANCE_CHILD_H_
