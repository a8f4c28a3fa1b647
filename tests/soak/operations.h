// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// Calls whose every choice follows from a seed and the call's number, made and checked by a client.
//
//   OperationRunner runner(address, history, seed);
//   for (uint32_t call = first; call < end; ++call) runner.Run(call);   // from several threads
//   runner.Finish();
//
// Thread safety: Run() from any thread. Lifetime: Finish() before the runner goes. Errors: in the history.
#ifndef NEARCALL_TESTS_SOAK_OPERATIONS_H_
#define NEARCALL_TESTS_SOAK_OPERATIONS_H_

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "nearcall/rpc/nearcall.h"
#include "nearcall/tests/soak/history.h"
#include "tests/soak/soak.nearcall.h"

namespace nearcall {

enum class CallKind { kUnary, kOutput, kInput, kDuplex };
enum class CallForm { kBlocking, kCallback, kCoroutine };
inline constexpr int kCallKinds = 4;
inline constexpr int kCallForms = 3;
const char* NameOf(CallKind kind);
const char* NameOf(CallForm form);

struct CallPlan {
  CallKind kind = CallKind::kUnary;
  CallForm form = CallForm::kBlocking;
  uint32_t messages = 1;  // in each direction in which they stream
  uint32_t body_size = 0;
  uint32_t pause_us = 0;  // of the handler, for each message that it reads
  bool wait_for_ready = false;
  bool fresh_channel = false;
  std::optional<uint32_t> timeout_us;
  std::optional<uint32_t> cancel_after_messages;  // written and read
  std::optional<uint32_t> cancel_after_us;        // by another thread
  bool cancels() const { return cancel_after_messages.has_value() || cancel_after_us.has_value(); }
};
CallPlan PlanOf(uint64_t seed, uint32_t call);
std::string Describe(uint64_t seed, uint32_t call);

// Calls functions at their time, on a thread of its own.
class Canceller {
 public:
  Canceller();
  ~Canceller();
  uint64_t Add(int64_t at_ns, std::function<void()> cancel);
  void Remove(uint64_t key);  // it does not run when this returns, nor will it

 private:
  void Run();

  std::mutex mutex_;
  std::condition_variable changed_;
  std::map<std::pair<int64_t, uint64_t>, std::function<void()>> entries_;  // by time
  std::map<uint64_t, int64_t> times_;
  uint64_t last_key_ = 0;
  bool ending_ = false;
  std::thread thread_;
};

class OperationRunner {
 public:
  OperationRunner(std::string address, const History& history, uint64_t seed);
  void Run(uint32_t call);  // a blocking form to its end; others are started, and wait while too many are under way
  void Finish();

 private:
  friend class Operation;
  ::soak::Soak::Stub StubFor(uint32_t call, const CallPlan& plan) const;
  void Enter();
  void Leave();

  const std::string address_;
  const History& history_;
  const uint64_t seed_;
  std::vector<Channel> channels_;
  Canceller canceller_;
  std::mutex mutex_;
  std::condition_variable left_;
  int under_way_ = 0;
};

}  // namespace nearcall

#endif  // NEARCALL_TESTS_SOAK_OPERATIONS_H_
