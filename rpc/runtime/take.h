// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// From the bytes of a stream's message, or its op, to what the user gets of it.
#ifndef NEARCALL_RPC_RUNTIME_TAKE_H_
#define NEARCALL_RPC_RUNTIME_TAKE_H_

#include <optional>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "nearcall/rpc/runtime/message.h"
#include "nearcall/rpc/runtime/message_stream.h"

namespace nearcall::internal {

inline absl::Status DoesNotParse(const char* path, const Message& message, size_t size) {
  return absl::InternalError(
      absl::StrCat("a stream's message of ", path, " (", size, " bytes) does not parse as ", message.GetTypeName()));
}

// False: it does not parse, or a hook refused it, and so the call fails.
inline bool TakeParsed(StreamCall& call, absl::Span<const char> bytes, Message* message) {
  absl::Status status;
  if (!ParseMessage(bytes, message)) {
    status = DoesNotParse(call.path(), *message, bytes.size());
  } else if (CallHooks* hooks = call.hooks(); hooks != nullptr) {
    status = hooks->Received(*message);
  }
  if (!status.ok()) call.Refuse(status);
  return status.ok();
}

template <class T>
std::optional<T> TakeMessage(OpState& state) {
  auto& op = static_cast<StreamOp&>(state);
  if (!op.ok()) return std::nullopt;
  std::optional<T> message(std::in_place);
  if (!TakeParsed(op.call(), op.message().span(), &*message)) return std::nullopt;
  return message;
}

inline bool TakeSent(OpState& state) { return static_cast<StreamOp&>(state).ok(); }

}  // namespace nearcall::internal

#endif  // NEARCALL_RPC_RUNTIME_TAKE_H_
