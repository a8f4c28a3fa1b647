// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0

#include <vector>

#include "nearcall/tests/interop/services.h"

namespace nearcall::interop {
namespace {

using namespace grpc::testing;
using DuplexStream = ServerReaderWriter<StreamingOutputCallRequest, StreamingOutputCallResponse>;

template <class Writer>
Task<absl::Status> SendReplies(const StreamingOutputCallRequest& request, Writer& writer) {
  for (const ResponseParameters& parameters : request.response_parameters()) {
    co_await SleepFor(IntervalOf(parameters));
    StreamingOutputCallResponse response;
    FillPayload(parameters.size(), response.mutable_payload());
    bool sent = co_await writer.Send(response);
    if (!sent) co_return Gone();
  }
  co_return absl::OkStatus();
}

class CoroutineTestService final : public TestService::CoroutineService {
  Task<absl::StatusOr<Empty>> EmptyCall(ServerContext& context, const Empty&) override {
    EchoMetadata(context);
    co_return Empty();
  }

  Task<absl::StatusOr<SimpleResponse>> UnaryCall(ServerContext& context, const SimpleRequest& request) override {
    co_return AnswerUnary(context, request);
  }

  Task<absl::Status> StreamingOutputCall(ServerContext& context, const StreamingOutputCallRequest& request,
                                         ServerWriter<StreamingOutputCallResponse>& writer) override {
    EchoMetadata(context);
    absl::Status status = co_await SendReplies(request, writer);
    if (!status.ok()) co_return status;
    co_return StatusOf(request.response_status());
  }

  Task<absl::StatusOr<StreamingInputCallResponse>> StreamingInputCall(
      ServerContext& context, ServerReader<StreamingInputCallRequest>& reader) override {
    EchoMetadata(context);
    size_t sum = 0;
    while (auto request = co_await reader.Next()) sum += request->payload().body().size();
    StreamingInputCallResponse response;
    response.set_aggregated_payload_size(static_cast<int>(sum));
    co_return response;
  }

  Task<absl::Status> FullDuplexCall(ServerContext& context, DuplexStream& stream) override {
    EchoMetadata(context);
    while (auto request = co_await stream.Next()) {
      if (request->response_status().code() != 0) co_return StatusOf(request->response_status());
      absl::Status status = co_await SendReplies(*request, stream);
      if (!status.ok()) co_return status;
    }
    co_return absl::OkStatus();
  }

  Task<absl::Status> HalfDuplexCall(ServerContext& context, DuplexStream& stream) override {
    EchoMetadata(context);
    std::vector<StreamingOutputCallRequest> requests;
    while (auto request = co_await stream.Next()) requests.push_back(*request);
    for (const StreamingOutputCallRequest& request : requests) {
      absl::Status status = co_await SendReplies(request, stream);
      if (!status.ok()) co_return status;
    }
    co_return absl::OkStatus();
  }
};

}  // namespace

std::unique_ptr<ServiceBase> NewCoroutineTestService() { return std::make_unique<CoroutineTestService>(); }

}  // namespace nearcall::interop
