// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// CallHooks: the observers of one intercepted call, on either side. A call without any has none of it: a null pointer.
//
// Messages are shown by whoever sends or takes them, and two threads may do so at once; the end waits for them, and
// after it nothing is shown. Thread safety: all but Add(). No lock is held, its own included, while user code runs.
#ifndef NEARCALL_RPC_RUNTIME_CALL_HOOKS_H_
#define NEARCALL_RPC_RUNTIME_CALL_HOOKS_H_

#include <condition_variable>
#include <memory>
#include <mutex>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "nearcall/rpc/interceptor.h"
#include "nearcall/rpc/runtime/message.h"

namespace nearcall::internal {

class CallHooks {
 public:
  enum class Side { kClient, kServer };

  CallHooks(absl::string_view path, Side side) : path_(path), side_(side) {}  // `path` outlives it
  void Add(std::unique_ptr<CallObserver> observer) { observers_.push_back(std::move(observer)); }

  // An error: the message is refused, and the caller ends the call with it.
  absl::Status Sent(const Message& message) { return Show(message, side_ == Side::kClient); }
  absl::Status Received(const Message& message) { return Show(message, side_ == Side::kServer); }

  void End(const absl::Status& status, const Metadata& trailing);  // the first time; then nothing

 private:
  class Showing;

  absl::Status Show(const Message& message, bool is_request);
  absl::Status ShowAll(const Message& message, bool is_request) const;

  const absl::string_view path_;
  const Side side_;
  std::vector<std::unique_ptr<CallObserver>> observers_;  // constant until the end, whose thread then has them alone
  std::mutex mutex_;
  std::condition_variable shown_;
  int showing_ = 0;  // threads
  bool ended_ = false;
};

// Both start a call: each interceptor's OnStart in turn. An error: one refused it, and no later one was asked. What
// observers there are is in *hooks, also then.
absl::Status StartHooks(const std::vector<std::shared_ptr<ClientInterceptor>>& interceptors, OutgoingCall& call,
                        std::unique_ptr<CallHooks>* hooks);
absl::Status StartHooks(const std::vector<std::shared_ptr<ServerInterceptor>>& interceptors, absl::string_view path,
                        ServerContext& context, std::unique_ptr<CallHooks>* hooks);

}  // namespace nearcall::internal

#endif  // NEARCALL_RPC_RUNTIME_CALL_HOOKS_H_
