// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// CallScope: the cancellation and the deadline of a call being served, as the calls it makes inherit them. Shared by
// the served call and by those calls; made when the first of them asks for it.
//
// Thread safety: all of it. Lock order: a scope's lock is taken before any connection's.
#ifndef NEARCALL_RPC_RUNTIME_CALL_SCOPE_H_
#define NEARCALL_RPC_RUNTIME_CALL_SCOPE_H_

#include <cstdint>
#include <memory>
#include <mutex>

#include "nearcall/transports/api/clock.h"

namespace nearcall::internal {

class CallScope {
 public:
  // A call made within the scope. Linked while it is under way.
  class Child {
   public:
    virtual void OnScopeCancelled() = 0;  // at most once, under the scope's lock: must not link or unlink

   protected:
    ~Child() = default;

   private:
    friend class CallScope;
    Child* previous_ = nullptr;
    Child* next_ = nullptr;
    bool linked_ = false;
  };

  explicit CallScope(int64_t deadline_ns) : deadline_ns_(deadline_ns) {}
  int64_t deadline_ns() const { return deadline_ns_; }

  bool Link(Child* child);    // false: already cancelled, not linked
  void Unlink(Child* child);  // from its return on the child is not called
  void Cancel();

 private:
  const int64_t deadline_ns_;
  std::mutex mutex_;
  bool cancelled_ = false;
  Child* first_ = nullptr;
};

// The scope of the blocking handler that runs on this thread, made if need be, or null.
std::shared_ptr<CallScope> CurrentScope();

}  // namespace nearcall::internal

#endif  // NEARCALL_RPC_RUNTIME_CALL_SCOPE_H_
