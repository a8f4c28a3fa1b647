// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// What generated code stands on: the whole public API, the stubs' ways to start a call, and the handlers of the three
// service forms. Not for users to call.
#ifndef NEARCALL_RPC_GENERATED_H_
#define NEARCALL_RPC_GENERATED_H_

#include <memory>
#include <utility>

#include "nearcall/rpc/nearcall.h"
#include "nearcall/rpc/runtime/channel_access.h"
#include "nearcall/rpc/runtime/client_call.h"
#include "nearcall/rpc/runtime/client_stream.h"
#include "nearcall/rpc/runtime/server_call.h"
#include "nearcall/rpc/service.h"

namespace nearcall::internal {

// ---- stubs

inline ClientCall* StartCall(const Channel& channel, const MethodInfo& method, const Message* request,
                             const CallOptions& options) {
  const std::shared_ptr<ChannelCore>& core = ChannelAccess::core(channel);
  std::shared_ptr<Connection> open;
  ClientCall* call = core->NewCall(&open);
  call->Start(core, std::move(open), method, request, options);
  return call;
}

template <class Reply>
Call<Reply> StartUnary(const Channel& channel, const MethodInfo& method, const Message& request,
                       const CallOptions& options) {
  return Call<Reply>(StartCall(channel, method, &request, options), &TakeReply<Reply>);
}
template <class Reply>
ClientReader<Reply> StartServerStreaming(const Channel& channel, const MethodInfo& method, const Message& request,
                                         const CallOptions& options) {
  return ClientReader<Reply>(ClientStream(StartCall(channel, method, &request, options)));
}
template <class Request, class Reply>
ClientWriter<Request, Reply> StartClientStreaming(const Channel& channel, const MethodInfo& method,
                                                  const CallOptions& options) {
  return ClientWriter<Request, Reply>(ClientStream(StartCall(channel, method, nullptr, options)));
}
template <class Request, class Reply>
ClientReaderWriter<Request, Reply> StartBidi(const Channel& channel, const MethodInfo& method,
                                             const CallOptions& options) {
  return ClientReaderWriter<Request, Reply>(ClientStream(StartCall(channel, method, nullptr, options)));
}

// ---- blocking services

template <class Reply>
void Answer(ServerCall& call, const absl::StatusOr<Reply>& reply) {
  if (reply.ok()) {
    call.FinishWith(*reply);
  } else {
    call.Finish(reply.status());
  }
}
inline void Answer(ServerCall& call, const absl::Status& status) { call.Finish(status); }

template <class S, class Request, class Reply, auto Method>
constexpr MethodHandler BlockingUnary(const MethodInfo& method) {
  return {&method, [](ServiceBase& service, ServerCall& call) {
            Request request;
            if (!call.ParseRequest(&request)) return;
            call.RunBlocking([&] { Answer(call, (static_cast<S&>(service).*Method)(call.context(), request)); });
          }};
}
template <class S, class Request, class Reply, auto Method>
constexpr MethodHandler BlockingServerStreaming(const MethodInfo& method) {
  return {
      &method, [](ServiceBase& service, ServerCall& call) {
        Request request;
        if (!call.ParseRequest(&request)) return;
        ServerWriter<Reply> writer(&call);
        call.RunBlocking([&] { Answer(call, (static_cast<S&>(service).*Method)(call.context(), request, writer)); });
      }};
}
template <class S, class Request, class Reply, auto Method>
constexpr MethodHandler BlockingClientStreaming(const MethodInfo& method) {
  return {&method, [](ServiceBase& service, ServerCall& call) {
            ServerReader<Request> reader(&call);
            call.RunBlocking([&] { Answer(call, (static_cast<S&>(service).*Method)(call.context(), reader)); });
          }};
}
template <class S, class Request, class Reply, auto Method>
constexpr MethodHandler BlockingBidi(const MethodInfo& method) {
  return {&method, [](ServiceBase& service, ServerCall& call) {
            ServerReaderWriter<Request, Reply> stream(&call);
            call.RunBlocking([&] { Answer(call, (static_cast<S&>(service).*Method)(call.context(), stream)); });
          }};
}

// ---- asynchronous services: what the handler was given stays until the call's end

template <class Request, class Stream>
struct KeptObjects final : Kept {
  explicit KeptObjects(ServerCall* call) : stream(call) {}
  Request request;
  Stream stream;
};
struct NoStream {
  explicit NoStream(ServerCall*) {}
};
struct NoRequest {};

// The call's kept objects, with the request parsed if there is one; null: it does not parse.
template <class Request, class Stream>
KeptObjects<Request, Stream>* KeepObjects(ServerCall& call) {
  auto kept = std::make_unique<KeptObjects<Request, Stream>>(&call);
  if constexpr (!std::is_same_v<Request, NoRequest>) {
    if (!call.ParseRequest(&kept->request)) return nullptr;
  }
  auto* const objects = kept.get();
  call.Keep(std::move(kept));
  return objects;
}

template <class Reply>
Responder<Reply> MakeResponder(ServerCall& call) {
  call.Ref();
  return Responder<Reply>(&call);
}

template <class S, class Request, class Reply, auto Method>
constexpr MethodHandler AsyncUnary(const MethodInfo& method) {
  return {&method, [](ServiceBase& service, ServerCall& call) {
            auto* const kept = KeepObjects<Request, NoStream>(call);
            if (kept == nullptr) return;
            ServerCall::UserCode user_code(call);
            call.Guard(
                [&] { (static_cast<S&>(service).*Method)(call.context(), kept->request, MakeResponder<Reply>(call)); });
          }};
}
template <class S, class Request, class Reply, auto Method>
constexpr MethodHandler AsyncServerStreaming(const MethodInfo& method) {
  return {&method, [](ServiceBase& service, ServerCall& call) {
            auto* const kept = KeepObjects<Request, ServerWriter<Reply>>(call);
            if (kept == nullptr) return;
            ServerCall::UserCode user_code(call);
            call.Guard([&] {
              (static_cast<S&>(service).*Method)(call.context(), kept->request, kept->stream,
                                                 MakeResponder<void>(call));
            });
          }};
}
template <class S, class Request, class Reply, auto Method>
constexpr MethodHandler AsyncClientStreaming(const MethodInfo& method) {
  return {&method, [](ServiceBase& service, ServerCall& call) {
            auto* const kept = KeepObjects<NoRequest, ServerReader<Request>>(call);
            ServerCall::UserCode user_code(call);
            call.Guard(
                [&] { (static_cast<S&>(service).*Method)(call.context(), kept->stream, MakeResponder<Reply>(call)); });
          }};
}
template <class S, class Request, class Reply, auto Method>
constexpr MethodHandler AsyncBidi(const MethodInfo& method) {
  return {&method, [](ServiceBase& service, ServerCall& call) {
            auto* const kept = KeepObjects<NoRequest, ServerReaderWriter<Request, Reply>>(call);
            ServerCall::UserCode user_code(call);
            call.Guard(
                [&] { (static_cast<S&>(service).*Method)(call.context(), kept->stream, MakeResponder<void>(call)); });
          }};
}

// ---- coroutine services

// Runs a handler's task and answers with what it gives.
template <class Result>
Detached DriveHandler(Task<Result> task, ServerCall* call) {
  try {
    Result result = co_await task;
    Answer(*call, result);
  } catch (const std::exception& e) {
    call->Finish(absl::UnknownError(std::string("the handler threw: ") + e.what()));
  } catch (...) {  // not hidden: it is the call's answer
    call->Finish(absl::UnknownError("the handler threw something that is no std::exception"));
  }
  call->Unref();
}

template <class Result>
void StartHandler(ServerCall& call, Task<Result> task) {
  call.Ref();
  DriveHandler(std::move(task), &call);
}

template <class S, class Request, class Reply, auto Method>
constexpr MethodHandler CoroutineUnary(const MethodInfo& method) {
  return {&method, [](ServiceBase& service, ServerCall& call) {
            auto* const kept = KeepObjects<Request, NoStream>(call);
            if (kept == nullptr) return;
            ServerCall::UserCode user_code(call);
            StartHandler(call, (static_cast<S&>(service).*Method)(call.context(), kept->request));
          }};
}
template <class S, class Request, class Reply, auto Method>
constexpr MethodHandler CoroutineServerStreaming(const MethodInfo& method) {
  return {&method, [](ServiceBase& service, ServerCall& call) {
            auto* const kept = KeepObjects<Request, ServerWriter<Reply>>(call);
            if (kept == nullptr) return;
            ServerCall::UserCode user_code(call);
            StartHandler(call, (static_cast<S&>(service).*Method)(call.context(), kept->request, kept->stream));
          }};
}
template <class S, class Request, class Reply, auto Method>
constexpr MethodHandler CoroutineClientStreaming(const MethodInfo& method) {
  return {&method, [](ServiceBase& service, ServerCall& call) {
            auto* const kept = KeepObjects<NoRequest, ServerReader<Request>>(call);
            ServerCall::UserCode user_code(call);
            StartHandler(call, (static_cast<S&>(service).*Method)(call.context(), kept->stream));
          }};
}
template <class S, class Request, class Reply, auto Method>
constexpr MethodHandler CoroutineBidi(const MethodInfo& method) {
  return {&method, [](ServiceBase& service, ServerCall& call) {
            auto* const kept = KeepObjects<NoRequest, ServerReaderWriter<Request, Reply>>(call);
            ServerCall::UserCode user_code(call);
            StartHandler(call, (static_cast<S&>(service).*Method)(call.context(), kept->stream));
          }};
}

}  // namespace nearcall::internal

#endif  // NEARCALL_RPC_GENERATED_H_
