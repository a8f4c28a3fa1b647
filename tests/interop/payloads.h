// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// What the interop clients and servers share: payloads, the names of echoed metadata, delays without a sleeping thread.
#ifndef NEARCALL_TESTS_INTEROP_PAYLOADS_H_
#define NEARCALL_TESTS_INTEROP_PAYLOADS_H_

#include <coroutine>
#include <string>
#include <utility>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/time/time.h"
#include "grpc/testing/messages.pb.h"
#include "nearcall/rpc/nearcall.h"

namespace nearcall::interop {

inline constexpr char kEchoInitialKey[] = "x-grpc-test-echo-initial";
inline constexpr char kEchoTrailingKey[] = "x-grpc-test-echo-trailing-bin";

inline void FillPayload(int size, grpc::testing::Payload* payload) {
  payload->set_body(std::string(static_cast<size_t>(size), '\0'));
}

inline absl::Status StatusOf(const grpc::testing::EchoStatus& echo) {
  return absl::Status(static_cast<absl::StatusCode>(echo.code()), echo.message());
}

// Runs the callback after the delay, on a thread of its own that all delays share.
void After(absl::Duration delay, absl::AnyInvocable<void() &&> callback);

// co_await SleepFor(delay);
class SleepFor {
 public:
  explicit SleepFor(absl::Duration delay) : delay_(delay) {}
  bool await_ready() const noexcept { return delay_ <= absl::ZeroDuration(); }
  // Out of line, as Op's: inlined by Clang 16 its temporary lands in the frame of a coroutine that runs again
  // meanwhile.
  __attribute__((noinline)) void await_suspend(std::coroutine_handle<> waiting) const {
    After(delay_, [waiting]() { waiting.resume(); });
  }
  void await_resume() const noexcept {}

 private:
  absl::Duration delay_;
};

}  // namespace nearcall::interop

#endif  // NEARCALL_TESTS_INTEROP_PAYLOADS_H_
