// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// grpc.testing.TestService, once in each of the three forms that a service can have. All do the same: echo the metadata
// and the status that the request asks for, answer with payloads of the sizes it names, after the intervals it names.
#ifndef NEARCALL_TESTS_INTEROP_SERVICES_H_
#define NEARCALL_TESTS_INTEROP_SERVICES_H_

#include <unistd.h>

#include <memory>
#include <optional>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "grpc/testing/test.nearcall.h"
#include "nearcall/tests/interop/payloads.h"

namespace nearcall::interop {

std::unique_ptr<ServiceBase> NewBlockingTestService();
std::unique_ptr<ServiceBase> NewAsyncTestService();
std::unique_ptr<ServiceBase> NewCoroutineTestService();

// "blocking", "async", "coroutine".
inline std::unique_ptr<ServiceBase> NewTestService(absl::string_view form) {
  if (form == "blocking") return NewBlockingTestService();
  if (form == "async") return NewAsyncTestService();
  if (form == "coroutine") return NewCoroutineTestService();
  return nullptr;
}

inline void EchoMetadata(ServerContext& context) {
  if (std::optional<std::string> value = context.metadata().Get(kEchoInitialKey)) {
    context.AddInitialMetadata(kEchoInitialKey, *value);
  }
  if (std::optional<std::string> value = context.metadata().Get(kEchoTrailingKey)) {
    context.AddTrailingMetadata(kEchoTrailingKey, *value);
  }
}

inline absl::StatusOr<grpc::testing::SimpleResponse> AnswerUnary(ServerContext& context,
                                                                 const grpc::testing::SimpleRequest& request) {
  EchoMetadata(context);
  if (request.has_response_status()) {
    if (absl::Status status = StatusOf(request.response_status()); !status.ok()) return status;
  }
  grpc::testing::SimpleResponse response;
  FillPayload(request.response_size(), response.mutable_payload());
  if (request.fill_server_id()) response.set_server_id(absl::StrCat(::getpid()));
  if (request.fill_username() && context.peer().credentials.has_value()) {
    response.set_username(absl::StrCat(context.peer().credentials->uid));
  }
  return response;
}

inline absl::Duration IntervalOf(const grpc::testing::ResponseParameters& parameters) {
  return absl::Microseconds(parameters.interval_us());
}

inline absl::Status Gone() { return absl::CancelledError("the client is gone"); }

}  // namespace nearcall::interop

#endif  // NEARCALL_TESTS_INTEROP_SERVICES_H_
