// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// The one place of the runtime that touches protobuf: size, write, parse.
#ifndef NEARCALL_RPC_RUNTIME_MESSAGE_H_
#define NEARCALL_RPC_RUNTIME_MESSAGE_H_

#include <cstddef>
#include <cstdint>

#include "absl/types/span.h"
#include "google/protobuf/message_lite.h"

namespace nearcall::internal {

using Message = google::protobuf::MessageLite;

inline constexpr size_t kMaxMessage = INT32_MAX;  // protobuf's own limit

inline size_t MessageSize(const Message& message) { return message.ByteSizeLong(); }

// REQUIRES: MessageSize(message) was just called, and gave as many bytes as there is room.
inline void WriteMessage(const Message& message, char* to) {
  message.SerializeWithCachedSizesToArray(reinterpret_cast<uint8_t*>(to));
}

inline bool ParseMessage(absl::Span<const char> bytes, Message* message) {
  return message->ParseFromArray(bytes.data(), static_cast<int>(bytes.size()));
}

}  // namespace nearcall::internal

#endif  // NEARCALL_RPC_RUNTIME_MESSAGE_H_
