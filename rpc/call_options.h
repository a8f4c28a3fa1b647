// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// CallOptions: what one call asks for beside its request.
//
//   greeter.SayHello(request, nearcall::CallOptions().set_timeout(absl::Seconds(1)).add_metadata("trace", "7"));
//
// A class with setters, not an aggregate: GCC 12 destroys aggregates twice inside co_await expressions. Thread safety:
// a value. Lifetime: a call copies what it needs. Errors are the call's.
#ifndef NEARCALL_RPC_CALL_OPTIONS_H_
#define NEARCALL_RPC_CALL_OPTIONS_H_

#include <cstdint>
#include <memory>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "nearcall/rpc/metadata.h"

namespace nearcall {

class ServerContext;

namespace internal {
class CallScope;
struct CallOptionsAccess;
}  // namespace internal

class CallOptions {
 public:
  CallOptions();
  CallOptions(const CallOptions&);
  CallOptions(CallOptions&&) noexcept;
  CallOptions& operator=(const CallOptions&);
  CallOptions& operator=(CallOptions&&) noexcept;
  ~CallOptions();

  CallOptions& set_timeout(absl::Duration timeout);  // from now; the earlier of timeout, deadline and parent's wins
  CallOptions& set_deadline(absl::Time deadline);    // turned into a monotonic instant now
  CallOptions& add_metadata(absl::string_view key, absl::string_view value);
  CallOptions& set_wait_for_ready(bool wait);             // default false: no server means UNAVAILABLE at once
  CallOptions& set_parent(const ServerContext& context);  // inherit deadline and cancellation of the call being served
  CallOptions& set_response_metadata(std::shared_ptr<ResponseMetadata> metadata);

 private:
  friend struct internal::CallOptionsAccess;
  int64_t deadline_ns_;
  bool wait_for_ready_ = false;
  Metadata metadata_;
  std::shared_ptr<ResponseMetadata> response_metadata_;
  std::shared_ptr<internal::CallScope> parent_;
};

}  // namespace nearcall

#endif  // NEARCALL_RPC_CALL_OPTIONS_H_
