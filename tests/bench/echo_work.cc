// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
#include "nearcall/tests/bench/echo_work.h"

#include <string>
#include <vector>

namespace nearcall::bench {
namespace {

// Into memory that is already there, as into a ring or a socket's buffer.
bool Serialize(const EchoMessage& message, std::vector<char>& wire, size_t& size) {
  size = message.ByteSizeLong();
  return size <= wire.size() && message.SerializeToArray(wire.data(), static_cast<int>(size));
}

absl::StatusOr<EchoMessage> Parse(const std::vector<char>& wire, size_t size) {
  absl::StatusOr<EchoMessage> message{EchoMessage()};
  if (!message->ParseFromArray(wire.data(), static_cast<int>(size))) return absl::DataLossError("it does not parse");
  return message;
}

}  // namespace

EchoMessage MakeEcho(size_t payload) {
  EchoMessage message;
  message.set_payload(std::string(payload, 'x'));
  return message;
}

size_t EchoSize(size_t payload) { return MakeEcho(payload).ByteSizeLong(); }

absl::StatusOr<EchoMessage> HandleEcho(const EchoMessage& request) {
  EchoMessage reply;
  reply.set_payload(request.payload());
  return reply;
}

bool ProtobufAlone(size_t payload, int64_t calls) {
  const EchoMessage request = MakeEcho(payload);
  std::vector<char> wire(EchoSize(payload));
  for (int64_t i = 0; i < calls; ++i) {
    size_t size;
    if (!Serialize(request, wire, size)) return false;
    EchoMessage received;
    if (!received.ParseFromArray(wire.data(), static_cast<int>(size))) return false;
    const absl::StatusOr<EchoMessage> reply = HandleEcho(received);
    if (!reply.ok() || !Serialize(*reply, wire, size)) return false;
    const absl::StatusOr<EchoMessage> result = Parse(wire, size);
    if (!result.ok() || result->payload().size() != payload) return false;
  }
  return true;
}

}  // namespace nearcall::bench
