// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
#include "nearcall/rpc/runtime/call_scope.h"

namespace nearcall::internal {

bool CallScope::Link(Child* child) {
  std::lock_guard<std::mutex> lock(mutex_);
  if (cancelled_) return false;
  child->previous_ = nullptr;
  child->next_ = first_;
  if (first_ != nullptr) first_->previous_ = child;
  first_ = child;
  child->linked_ = true;
  return true;
}

void CallScope::Unlink(Child* child) {
  std::lock_guard<std::mutex> lock(mutex_);
  if (!child->linked_) return;
  child->linked_ = false;
  (child->previous_ == nullptr ? first_ : child->previous_->next_) = child->next_;
  if (child->next_ != nullptr) child->next_->previous_ = child->previous_;
}

void CallScope::Cancel() {
  std::lock_guard<std::mutex> lock(mutex_);
  cancelled_ = true;
  while (first_ != nullptr) {
    Child* child = first_;
    first_ = child->next_;
    if (first_ != nullptr) first_->previous_ = nullptr;
    child->linked_ = false;
    child->OnScopeCancelled();
  }
}

}  // namespace nearcall::internal
