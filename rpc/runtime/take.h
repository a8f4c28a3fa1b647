// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// From a stream's op to what the user gets of it.
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

template <class T>
std::optional<T> TakeMessage(OpState& state) {
  auto& op = static_cast<StreamOp&>(state);
  if (!op.ok()) return std::nullopt;
  std::optional<T> message(std::in_place);
  if (ParseMessage(op.message().span(), &*message)) return message;
  op.FailCall(DoesNotParse(op.path(), *message, op.message().size()));
  return std::nullopt;
}

inline bool TakeSent(OpState& state) { return static_cast<StreamOp&>(state).ok(); }

}  // namespace nearcall::internal

#endif  // NEARCALL_RPC_RUNTIME_TAKE_H_
