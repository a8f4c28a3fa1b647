// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
#include "nearcall/rpc/runtime/op_state.h"

namespace nearcall::internal {
namespace {

// Op looks at orphaned() before it calls anything.
class Orphan final : public OpState {
 public:
  Orphan() : OpState(UINT32_MAX) {}
  void Wait() override {}
  bool Ready() override { return true; }
  bool Subscribe(Runnable*, bool) override { return false; }
  void Cancel() override {}
  void Abandon() override {}
};

}  // namespace

OpState* NewOrphan() { return new Orphan; }

}  // namespace nearcall::internal
