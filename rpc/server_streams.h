// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// The server's side of streams. Everywhere <Request, Reply>, in this order.
//
//   for (Number number; numbers.Read(number);) Use(number);
//   if (!ticks.Write(tick)) return absl::CancelledError("the client is gone");
//
// One thread may read while another writes. Lifetime: until the handler has returned, its Responder was used or
// dropped, or its Task is done. Errors: false (nullopt) once the other side has half-closed, the call is cancelled or
// the client gone.
#ifndef NEARCALL_RPC_SERVER_STREAMS_H_
#define NEARCALL_RPC_SERVER_STREAMS_H_

#include <optional>

#include "nearcall/rpc/op.h"
#include "nearcall/rpc/runtime/server_call.h"

namespace nearcall {

template <class Request>
class ServerReader {
 public:
  bool Read(Request& request) { return call_->Read(&request); }
  Op<std::optional<Request>> Next() { return call_->template Next<Request>(); }

  explicit ServerReader(internal::ServerCall* call) : call_(call) {}  // for generated code

 private:
  internal::ServerCall* call_;
};

template <class Reply>
class ServerWriter {
 public:
  bool Write(const Reply& reply) { return call_->Write(reply); }  // blocks for credit
  Op<bool> Send(const Reply& reply) { return call_->Send(reply); }

  explicit ServerWriter(internal::ServerCall* call) : call_(call) {}

 private:
  internal::ServerCall* call_;
};

template <class Request, class Reply>
class ServerReaderWriter {
 public:
  bool Read(Request& request) { return call_->Read(&request); }
  Op<std::optional<Request>> Next() { return call_->template Next<Request>(); }
  bool Write(const Reply& reply) { return call_->Write(reply); }
  Op<bool> Send(const Reply& reply) { return call_->Send(reply); }

  explicit ServerReaderWriter(internal::ServerCall* call) : call_(call) {}

 private:
  internal::ServerCall* call_;
};

}  // namespace nearcall

#endif  // NEARCALL_RPC_SERVER_STREAMS_H_
