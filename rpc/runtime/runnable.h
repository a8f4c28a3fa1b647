// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// Runnable: a piece of work that can stand in one queue without an allocation. RunnableQueue: a list of them, in order.
#ifndef NEARCALL_RPC_RUNTIME_RUNNABLE_H_
#define NEARCALL_RPC_RUNTIME_RUNNABLE_H_

namespace nearcall::internal {

class Runnable {
 public:
  virtual void Run() = 0;    // may destroy the Runnable
  virtual void Discard() {}  // in its place: it was queued when its pool ended; lets go of what it keeps

 protected:
  ~Runnable() = default;

 private:
  friend class RunnableQueue;
  Runnable* next_ = nullptr;
};

// Thread safety: none. Owns nothing.
class RunnableQueue {
 public:
  bool empty() const { return head_ == nullptr; }
  void Push(Runnable* runnable) {
    runnable->next_ = nullptr;
    (tail_ == nullptr ? head_ : tail_->next_) = runnable;
    tail_ = runnable;
  }
  Runnable* Pop() {  // null: empty
    Runnable* first = head_;
    if (first != nullptr) {
      head_ = first->next_;
      if (head_ == nullptr) tail_ = nullptr;
    }
    return first;
  }

 private:
  Runnable* head_ = nullptr;
  Runnable* tail_ = nullptr;
};

}  // namespace nearcall::internal

#endif  // NEARCALL_RPC_RUNTIME_RUNNABLE_H_
