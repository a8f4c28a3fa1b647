// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0

#include <vector>

#include "absl/time/clock.h"
#include "nearcall/tests/interop/services.h"

namespace nearcall::interop {
namespace {

using namespace grpc::testing;

template <class Writer>
absl::Status SendReplies(const StreamingOutputCallRequest& request, Writer& writer) {
  for (const ResponseParameters& parameters : request.response_parameters()) {
    absl::SleepFor(IntervalOf(parameters));
    StreamingOutputCallResponse response;
    FillPayload(parameters.size(), response.mutable_payload());
    if (!writer.Write(response)) return Gone();
  }
  return absl::OkStatus();
}

class BlockingTestService final : public TestService::Service {
  absl::StatusOr<Empty> EmptyCall(ServerContext& context, const Empty&) override {
    EchoMetadata(context);
    return Empty();
  }

  absl::StatusOr<SimpleResponse> UnaryCall(ServerContext& context, const SimpleRequest& request) override {
    return AnswerUnary(context, request);
  }

  absl::Status StreamingOutputCall(ServerContext& context, const StreamingOutputCallRequest& request,
                                   ServerWriter<StreamingOutputCallResponse>& writer) override {
    EchoMetadata(context);
    if (absl::Status status = SendReplies(request, writer); !status.ok()) return status;
    return StatusOf(request.response_status());
  }

  absl::StatusOr<StreamingInputCallResponse> StreamingInputCall(
      ServerContext& context, ServerReader<StreamingInputCallRequest>& reader) override {
    EchoMetadata(context);
    size_t sum = 0;
    for (StreamingInputCallRequest request; reader.Read(request);) sum += request.payload().body().size();
    StreamingInputCallResponse response;
    response.set_aggregated_payload_size(static_cast<int>(sum));
    return response;
  }

  absl::Status FullDuplexCall(
      ServerContext& context,
      ServerReaderWriter<StreamingOutputCallRequest, StreamingOutputCallResponse>& stream) override {
    EchoMetadata(context);
    for (StreamingOutputCallRequest request; stream.Read(request);) {
      if (request.response_status().code() != 0) return StatusOf(request.response_status());
      if (absl::Status status = SendReplies(request, stream); !status.ok()) return status;
    }
    return absl::OkStatus();
  }

  absl::Status HalfDuplexCall(
      ServerContext& context,
      ServerReaderWriter<StreamingOutputCallRequest, StreamingOutputCallResponse>& stream) override {
    EchoMetadata(context);
    std::vector<StreamingOutputCallRequest> requests;
    for (StreamingOutputCallRequest request; stream.Read(request);) requests.push_back(request);
    for (const StreamingOutputCallRequest& request : requests) {
      if (absl::Status status = SendReplies(request, stream); !status.ok()) return status;
    }
    return absl::OkStatus();
  }
};

}  // namespace

std::unique_ptr<ServiceBase> NewBlockingTestService() { return std::make_unique<BlockingTestService>(); }

}  // namespace nearcall::interop
