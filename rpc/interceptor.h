// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// Interceptors: the one hook each side has: code that sees every call of a channel or a server, for what is not a
// method's business (logs, tokens, limits, traces). It sees a call's start, its messages and its one status; it may add
// metadata, and refuse.
//
//   class NeedsToken final : public nearcall::ServerInterceptor {
//     absl::StatusOr<std::unique_ptr<nearcall::CallObserver>> OnStart(absl::string_view method,
//                                                                     nearcall::ServerContext& context) override {
//       if (context.metadata().Get("token") != "sesame") return absl::UnauthenticatedError("not the right token");
//       return nullptr;  // admitted, and nothing more of it is of interest
//     }
//   };
//   nearcall::Server server(nearcall::ServerOptions().add_interceptor(std::make_shared<NeedsToken>()));
//
// Several run in the order in which they were added. One that refuses keeps the later ones and the handler from seeing
// the call; the earlier ones' observers see its end. Where none is added, a call costs a comparison more.
// Thread safety: an interceptor is called for many calls at once, on many threads; an observer as said below. No lock
// of ours is held: any function may block, and make calls. A call made over the same channel is intercepted like any.
// Lifetime: channel or server and the calls under way keep it. Errors: what OnStart, OnRequest or OnReply throw ends
// the call with UNKNOWN; what OnEnd throws is written to stderr, and the call's status stands.
#ifndef NEARCALL_RPC_INTERCEPTOR_H_
#define NEARCALL_RPC_INTERCEPTOR_H_

#include <cstdint>
#include <memory>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "nearcall/rpc/metadata.h"

namespace google::protobuf {
class MessageLite;
}  // namespace google::protobuf

namespace nearcall {

class ServerContext;

// One call, from its start to its end, on either side. Requests come one at a time, and so do replies; but of a call
// whose two directions are used by two threads, OnRequest and OnReply may run at once. OnEnd runs once, after all else.
// The observer is destroyed right after it.
class CallObserver {
 public:
  virtual ~CallObserver() = default;

  // A message, in full: before it is sent, or when the program takes it (what it never takes is not shown). An error
  // refuses it: the call ends with that status, and the message goes no further.
  virtual absl::Status OnRequest(const google::protobuf::MessageLite& /*request*/) { return absl::OkStatus(); }
  virtual absl::Status OnReply(const google::protobuf::MessageLite& /*reply*/) { return absl::OkStatus(); }

  // How it ended, whatever ended it: refused, cancelled and lost calls too. On the client: the status that the program
  // gets, on the thread that takes it, just before it does; or on the one that drops the call. On the server: the
  // status that was sent, after it was; CANCELLED where nobody is there to get it. `trailing` came, or went, beside it.
  virtual void OnEnd(const absl::Status& /*status*/, const Metadata& /*trailing*/) {}
};

// A call that a client is about to make. Valid during OnStart.
class OutgoingCall {
 public:
  absl::string_view method() const { return method_; }    // "/package.Service/Method"
  absl::string_view address() const { return address_; }  // the channel's
  absl::Time deadline() const;                            // InfiniteFuture() where there is none; inherited ones too
  const Metadata& metadata() const { return *metadata_; }
  // What can't be sent ends the call with INVALID_ARGUMENT, as CallOptions::add_metadata does.
  void AddMetadata(absl::string_view key, absl::string_view value) { metadata_->Add(key, value); }

  OutgoingCall(absl::string_view method, absl::string_view address, int64_t deadline_ns, Metadata* metadata)
      : method_(method), address_(address), deadline_ns_(deadline_ns), metadata_(metadata) {}  // for the runtime
  OutgoingCall(const OutgoingCall&) = delete;
  OutgoingCall& operator=(const OutgoingCall&) = delete;

 private:
  const absl::string_view method_;
  const absl::string_view address_;
  const int64_t deadline_ns_;
  Metadata* const metadata_;
};

class ClientInterceptor {
 public:
  virtual ~ClientInterceptor() = default;
  // In the stub's method, on its thread, before anything is sent; once, however often the call is sent again. An error
  // refuses the call: it is its status, and nothing is sent. Null: nothing more of this call is of interest.
  virtual absl::StatusOr<std::unique_ptr<CallObserver>> OnStart(OutgoingCall& call) = 0;
};

class ServerInterceptor {
 public:
  virtual ~ServerInterceptor() = default;
  // Before the handler, for calls of methods that nobody serves too. An error refuses the call: it is its status, and
  // the handler never runs. Null: nothing more of this call is of interest. `method` and `context` are valid until
  // OnEnd has returned; the context's Add... functions are for OnStart, and OnCancel() is the handler's. Calls made
  // here inherit the deadline and the cancellation of the call, as a blocking handler's do.
  virtual absl::StatusOr<std::unique_ptr<CallObserver>> OnStart(absl::string_view method, ServerContext& context) = 0;
};

}  // namespace nearcall

#endif  // NEARCALL_RPC_INTERCEPTOR_H_
