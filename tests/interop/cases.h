// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// The interop cases: gRPC's portable ones with their exact sizes, and those that gRPC's list names as wanted. Each is
// written once, against InteropClient, and checks with GoogleTest's macros.
#ifndef NEARCALL_TESTS_INTEROP_CASES_H_
#define NEARCALL_TESTS_INTEROP_CASES_H_

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "nearcall/tests/interop/client.h"

namespace nearcall::interop {

struct CaseContext {
  InteropClient& client;  // over a channel of this case's own
  // Over another channel to the same server.
  std::function<std::unique_ptr<InteropClient>(const ChannelOptions& options)> new_client;
};

struct Case {
  std::string name;
  void (*run)(CaseContext& context);
};

const std::vector<Case>& Cases();

// With a client of that form, over a channel of its own.
void RunCase(const Case& one, absl::string_view client_form, const std::string& address);

}  // namespace nearcall::interop

#endif  // NEARCALL_TESTS_INTEROP_CASES_H_
