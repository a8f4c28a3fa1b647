// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// Responder: answers one call of an AsyncService: once, from any thread. Dropped unused, it answers UNKNOWN "responder
// dropped" (UNAVAILABLE would invite a retry on every worker).
//
//   void SayHello(nearcall::ServerContext&, const HelloRequest& request, nearcall::Responder<HelloReply> done) override
//   {
//     queue_.Push([done = std::move(done)]() mutable { done(MakeReply()); });
//   }
//
// Thread safety: one owner. Lifetime: context, request and stream objects end with its use or drop. A second use does
// nothing.
#ifndef NEARCALL_RPC_RESPONDER_H_
#define NEARCALL_RPC_RESPONDER_H_

#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "nearcall/rpc/runtime/server_call.h"

namespace nearcall {
namespace internal {

// The part that both forms share: one owned right to answer.
class ResponderBase {
 public:
  explicit ResponderBase(ServerCall* call) : call_(call) {}  // takes over one reference
  ResponderBase(ResponderBase&& other) noexcept : call_(std::exchange(other.call_, nullptr)) {}
  ResponderBase& operator=(ResponderBase&& other) noexcept {
    if (this != &other) {
      Drop();
      call_ = std::exchange(other.call_, nullptr);
    }
    return *this;
  }
  ~ResponderBase() { Drop(); }

 protected:
  ServerCall* Take() { return std::exchange(call_, nullptr); }

 private:
  void Drop() {
    if (ServerCall* call = Take()) FinishAndUnref(call, absl::UnknownError("responder dropped"));
  }
  ServerCall* call_;
};

}  // namespace internal

template <class Reply = void>
class Responder : private internal::ResponderBase {  // of a method with one reply
 public:
  Responder(Responder&&) noexcept = default;
  Responder& operator=(Responder&&) noexcept = default;
  ~Responder() = default;
  void operator()(absl::StatusOr<Reply> reply) {
    internal::ServerCall* call = Take();
    if (call == nullptr) return;
    if (reply.ok()) {
      internal::FinishAndUnref(call, *reply);
    } else {
      internal::FinishAndUnref(call, reply.status());
    }
  }

  explicit Responder(internal::ServerCall* call) : ResponderBase(call) {}  // for generated code
};

template <>
class Responder<void> : private internal::ResponderBase {  // of a method with a stream of replies
 public:
  Responder(Responder&&) noexcept = default;
  Responder& operator=(Responder&&) noexcept = default;
  ~Responder() = default;
  void operator()(absl::Status status) {
    if (internal::ServerCall* call = Take()) internal::FinishAndUnref(call, status);
  }

  explicit Responder(internal::ServerCall* call) : ResponderBase(call) {}
};

}  // namespace nearcall

#endif  // NEARCALL_RPC_RESPONDER_H_
