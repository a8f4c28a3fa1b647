// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// ProbeService: a blocking service whose handlers are functions that a test sets. By default Unary echoes, Output sends
// `number` messages numbered from 0 with the request's body, Input sums numbers and counts in text, Duplex echoes each.
#ifndef NEARCALL_TESTS_RPC_PROBE_SERVICE_H_
#define NEARCALL_TESTS_RPC_PROBE_SERVICE_H_

#include <functional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "nearcall/rpc/nearcall.h"
#include "tests/rpc/probe.nearcall.h"

namespace nearcall::test {

using ::rpctest::Message;
using ProbeStub = ::rpctest::Probe::Stub;

class ProbeService final : public ::rpctest::Probe::Service {
 public:
  // Set them before the server listens.
  std::function<absl::StatusOr<Message>(ServerContext&, const Message&)> unary;
  std::function<absl::Status(ServerContext&, const Message&, ServerWriter<Message>&)> output;
  std::function<absl::StatusOr<Message>(ServerContext&, ServerReader<Message>&)> input;
  std::function<absl::Status(ServerContext&, ServerReaderWriter<Message, Message>&)> duplex;

  absl::StatusOr<Message> Unary(ServerContext& context, const Message& request) override {
    if (unary) return unary(context, request);
    return request;
  }
  absl::Status Output(ServerContext& context, const Message& request, ServerWriter<Message>& writer) override {
    if (output) return output(context, request, writer);
    Message reply;
    reply.set_body(request.body());
    for (int64_t i = 0; i < request.number(); ++i) {
      reply.set_number(i);
      if (!writer.Write(reply)) return absl::CancelledError("the client is gone");
    }
    return absl::OkStatus();
  }
  absl::StatusOr<Message> Input(ServerContext& context, ServerReader<Message>& reader) override {
    if (input) return input(context, reader);
    int64_t sum = 0;
    int count = 0;
    for (Message request; reader.Read(request); ++count) sum += request.number();
    Message reply;
    reply.set_number(sum);
    reply.set_text(std::to_string(count));
    return reply;
  }
  absl::Status Duplex(ServerContext& context, ServerReaderWriter<Message, Message>& stream) override {
    if (duplex) return duplex(context, stream);
    for (Message message; stream.Read(message);) {
      if (!stream.Write(message)) return absl::CancelledError("the client is gone");
    }
    return absl::OkStatus();
  }
};

inline Message Text(const std::string& text) {
  Message message;
  message.set_text(text);
  return message;
}
inline Message Number(int64_t number) {
  Message message;
  message.set_number(number);
  return message;
}
inline Message Body(size_t size) {
  Message message;
  message.set_body(std::string(size, 'b'));
  return message;
}

}  // namespace nearcall::test

#endif  // NEARCALL_TESTS_RPC_PROBE_SERVICE_H_
