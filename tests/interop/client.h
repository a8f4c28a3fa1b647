// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// What the interop cases need of a client, so that each case is written once and run with each client form. Every
// method blocks until its calls have ended; how it gets there is the form's: Wait and Read, Then, or co_await.
#ifndef NEARCALL_TESTS_INTEROP_CLIENT_H_
#define NEARCALL_TESTS_INTEROP_CLIENT_H_

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "grpc/testing/test.nearcall.h"

namespace nearcall::interop {

// How a stream is used.
struct Script {
  std::vector<grpc::testing::StreamingOutputCallRequest> requests;
  CallOptions options;
  bool in_turn = true;     // the replies to a request are read before the next is written
  bool half_close = true;  // after the last request
  absl::Duration pause_before_reading = absl::ZeroDuration();
  std::optional<int> cancel_after_replies;  // cancels once so many have been read
  bool cancel_after_headers = false;        // cancels when the initial metadata has come, before reading
  bool cancel_after_half_close = false;     // cancels when all is written, before reading
};

// How a stream went.
struct Outcome {
  absl::Status status;
  std::vector<int> sizes;  // of the replies' bodies, in order
  Metadata initial;
  Metadata trailing;
};

enum class CancelInput { kNever, kBeforeFirst, kAfterFirst };

class InteropClient {
 public:
  virtual ~InteropClient() = default;

  virtual absl::StatusOr<grpc::testing::Empty> EmptyCall(const CallOptions& options) = 0;
  virtual absl::StatusOr<grpc::testing::SimpleResponse> UnaryCall(const grpc::testing::SimpleRequest& request,
                                                                  const CallOptions& options) = 0;
  virtual absl::StatusOr<grpc::testing::Empty> UnimplementedMethod() = 0;
  virtual absl::StatusOr<grpc::testing::Empty> UnimplementedService() = 0;
  // `count` calls that are all under way at once; what each gave: its status, INTERNAL if the body had another size.
  virtual std::vector<absl::Status> UnaryCalls(int count, const grpc::testing::SimpleRequest& request) = 0;
  virtual absl::StatusOr<grpc::testing::StreamingInputCallResponse> StreamingInput(
      const std::vector<grpc::testing::StreamingInputCallRequest>& requests, CancelInput cancel) = 0;
  virtual Outcome StreamingOutput(const Script& script) = 0;  // of its first request
  virtual Outcome FullDuplex(const Script& script) = 0;
  virtual Outcome HalfDuplex(const Script& script) = 0;
  // `count` of them at once.
  virtual std::vector<Outcome> FullDuplexes(int count, const Script& script) = 0;
};

std::unique_ptr<InteropClient> NewBlockingClient(const Channel& channel);
std::unique_ptr<InteropClient> NewCallbackClient(const Channel& channel);
std::unique_ptr<InteropClient> NewCoroutineClient(const Channel& channel);

// "blocking", "callback", "coroutine".
inline std::unique_ptr<InteropClient> NewInteropClient(absl::string_view form, const Channel& channel) {
  if (form == "blocking") return NewBlockingClient(channel);
  if (form == "callback") return NewCallbackClient(channel);
  if (form == "coroutine") return NewCoroutineClient(channel);
  return nullptr;
}

inline absl::Status CheckBody(const absl::StatusOr<grpc::testing::SimpleResponse>& reply,
                              const grpc::testing::SimpleRequest& request) {
  if (!reply.ok()) return reply.status();
  const size_t want = static_cast<size_t>(request.response_size());
  return reply->payload().body().size() == want ? absl::OkStatus() : absl::InternalError("a body of another size");
}

inline int SizeOf(const grpc::testing::StreamingOutputCallResponse& reply) {
  return static_cast<int>(reply.payload().body().size());
}

}  // namespace nearcall::interop

#endif  // NEARCALL_TESTS_INTEROP_CLIENT_H_
