// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// ForkGuard: what happens to the library in a child that was forked after it was used. Threads do not survive fork(),
// locks that they held stay locked, and connections belong to the parent: so everything made before is left alone for
// ever (neither locked nor closed nor destroyed), and every use of the library in the child gives FAILED_PRECONDITION.
// A child that executes a program, or was forked before the first use, is not concerned. docs/decisions/0010.
//
//   ForkGuard::Install();                                      // by the first channel, the first server
//   if (ForkGuard::Forked()) return ForkGuard::Error();        // before any lock
//
// Thread safety: all of it. In the child's handler only what is async-signal-safe runs (pthread_atfork(3)).
#ifndef NEARCALL_RPC_RUNTIME_FORK_GUARD_H_
#define NEARCALL_RPC_RUNTIME_FORK_GUARD_H_

#include <atomic>
#include <cstdint>
#include <memory>
#include <utility>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"

namespace nearcall::internal {

class ForkGuard {
 public:
  static void Install();
  // How often this process's ancestors were forked since the first Install(): what was made under another number is the
  // parent's.
  static uint32_t generation() { return generation_.load(std::memory_order_relaxed); }
  static bool Forked() { return generation() != 0; }
  static absl::Status Error();
  // For user code that forked on a thread of the library and returned to it in the child: that thread would go on with
  // the parent's connections. Says so on stderr, and ends the process.
  [[noreturn]] static void EndChild();

 private:
  static void InChild();
  inline static std::atomic<uint32_t> generation_{0};
};

// As std::make_shared(), for what must not end in a forked child: its locks may be held for ever, its descriptors,
// registrations and names are the parent's.
template <class T, class... Arguments>
std::shared_ptr<T> MakeParents(Arguments&&... arguments) {
  return std::shared_ptr<T>(new T(std::forward<Arguments>(arguments)...), [](T* object) {
    if (!ForkGuard::Forked()) delete object;
  });
}

// In a forked child: on a thread made for it, soon.
void RunInForkedChild(absl::AnyInvocable<void() &&> work);

}  // namespace nearcall::internal

#endif  // NEARCALL_RPC_RUNTIME_FORK_GUARD_H_
