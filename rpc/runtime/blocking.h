// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// BlockingScope: says that the calling thread, if it is one of the library's, blocks while this lives, so that another
// takes its place; what the thread owes is paid first (worker.h), so no connection's lock may be held. Kept apart from
// pool.h for the public headers' sake.
#ifndef NEARCALL_RPC_RUNTIME_BLOCKING_H_
#define NEARCALL_RPC_RUNTIME_BLOCKING_H_

namespace nearcall::internal {

class Pool;

class BlockingScope {
 public:
  BlockingScope();
  ~BlockingScope();
  BlockingScope(const BlockingScope&) = delete;
  BlockingScope& operator=(const BlockingScope&) = delete;

 private:
  Pool* pool_;
};

}  // namespace nearcall::internal

#endif  // NEARCALL_RPC_RUNTIME_BLOCKING_H_
