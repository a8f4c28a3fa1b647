// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0

#include <future>
#include <utility>

#include "nearcall/tests/interop/client.h"
#include "nearcall/tests/interop/payloads.h"

namespace nearcall::interop {
namespace {

using namespace grpc::testing;
using DuplexStream = ClientReaderWriter<StreamingOutputCallRequest, StreamingOutputCallResponse>;

// Reads `limit` replies (all: negative); false once the script's cancellation has happened, or the stream has ended.
template <class Stream>
Task<bool> ReadReplies(const Script& script, int limit, Stream& stream, Outcome& outcome) {
  for (int read = 0; read != limit; ++read) {
    std::optional<StreamingOutputCallResponse> reply = co_await stream.Next();
    if (!reply.has_value()) co_return false;
    outcome.sizes.push_back(SizeOf(*reply));
    if (script.cancel_after_replies == static_cast<int>(outcome.sizes.size())) {
      stream.Cancel();
      co_return false;
    }
  }
  co_return true;
}

template <class Stream>
Task<> FinishStream(Stream& stream, Outcome& outcome) {
  outcome.status = co_await stream.Finished();
  outcome.initial = stream.initial_metadata();
  outcome.trailing = stream.trailing_metadata();
}

Task<bool> WriteRequests(const Script& script, DuplexStream& stream, Outcome& outcome) {
  const bool read = script.in_turn && !script.cancel_after_headers && !script.cancel_after_half_close;
  for (const StreamingOutputCallRequest& request : script.requests) {
    bool going = co_await stream.Send(request);
    if (going && read) going = co_await ReadReplies(script, request.response_parameters_size(), stream, outcome);
    if (!going) co_return false;
  }
  co_return true;
}

// `stream` by reference: the caller keeps it.
Task<Outcome> RunDuplex(const Script& script, DuplexStream& stream) {
  Outcome outcome;
  if (script.cancel_after_replies == 0) stream.Cancel();
  bool going = co_await WriteRequests(script, stream, outcome);
  if (going && script.half_close) stream.WritesDone();
  if (script.cancel_after_half_close) stream.Cancel();
  if (script.cancel_after_headers) {
    stream.initial_metadata();
    stream.Cancel();
  }
  if (script.pause_before_reading > absl::ZeroDuration()) co_await SleepFor(script.pause_before_reading);
  if (going) co_await ReadReplies(script, -1, stream, outcome);
  co_await FinishStream(stream, outcome);
  co_return outcome;
}

Task<> DetachedDuplex(const Script& script, DuplexStream& stream, std::promise<Outcome>& promise) {
  Outcome outcome = co_await RunDuplex(script, stream);
  promise.set_value(std::move(outcome));
}

Task<Outcome> RunOutput(const Script& script, const TestService::Stub& stub) {
  Outcome outcome;
  auto stream = stub.StreamingOutputCall(script.requests.front(), script.options);
  if (script.pause_before_reading > absl::ZeroDuration()) co_await SleepFor(script.pause_before_reading);
  co_await ReadReplies(script, -1, stream, outcome);
  co_await FinishStream(stream, outcome);
  co_return outcome;
}

Task<absl::StatusOr<StreamingInputCallResponse>> RunInput(const std::vector<StreamingInputCallRequest>& requests,
                                                          CancelInput cancel, const TestService::Stub& stub) {
  auto stream = stub.StreamingInputCall();
  if (cancel == CancelInput::kBeforeFirst) stream.Cancel();
  for (const StreamingInputCallRequest& request : requests) {
    bool sent = co_await stream.Send(request);
    if (!sent) break;
    if (cancel == CancelInput::kAfterFirst) stream.Cancel();
  }
  absl::StatusOr<StreamingInputCallResponse> reply = co_await stream.Finished();
  co_return reply;
}

// What an Op gives, as a task's result.
template <class R>
Task<R> Awaited(Op<R>& op) {
  R result = co_await op;
  co_return result;
}
template <class R>
R Result(Op<R> op) {
  return Await(Awaited(op));
}

Task<> DetachedUnary(const SimpleRequest& request, const TestService::Stub& stub, std::promise<absl::Status>& promise) {
  absl::StatusOr<SimpleResponse> reply = co_await stub.UnaryCall(request);
  promise.set_value(CheckBody(reply, request));
}

class CoroutineClient final : public InteropClient {
 public:
  explicit CoroutineClient(const Channel& channel) : stub_(channel), unserved_(channel) {}

  absl::StatusOr<Empty> EmptyCall(const CallOptions& options) override {
    return Result(stub_.EmptyCall(Empty(), options));
  }
  absl::StatusOr<SimpleResponse> UnaryCall(const SimpleRequest& request, const CallOptions& options) override {
    return Result(stub_.UnaryCall(request, options));
  }
  absl::StatusOr<Empty> UnimplementedMethod() override { return Result(stub_.UnimplementedCall(Empty())); }
  absl::StatusOr<Empty> UnimplementedService() override { return Result(unserved_.UnimplementedCall(Empty())); }

  std::vector<absl::Status> UnaryCalls(int count, const SimpleRequest& request) override {
    std::vector<std::promise<absl::Status>> promises(static_cast<size_t>(count));
    for (std::promise<absl::Status>& promise : promises) Spawn(DetachedUnary(request, stub_, promise));
    std::vector<absl::Status> statuses;
    for (std::promise<absl::Status>& promise : promises) statuses.push_back(promise.get_future().get());
    return statuses;
  }

  absl::StatusOr<StreamingInputCallResponse> StreamingInput(const std::vector<StreamingInputCallRequest>& requests,
                                                            CancelInput cancel) override {
    return Await(RunInput(requests, cancel, stub_));
  }

  Outcome StreamingOutput(const Script& script) override { return Await(RunOutput(script, stub_)); }

  Outcome FullDuplex(const Script& script) override {
    auto stream = stub_.FullDuplexCall(script.options);
    return Await(RunDuplex(script, stream));
  }
  Outcome HalfDuplex(const Script& script) override {
    auto stream = stub_.HalfDuplexCall(script.options);
    return Await(RunDuplex(script, stream));
  }

  std::vector<Outcome> FullDuplexes(int count, const Script& script) override {
    std::vector<DuplexStream> streams;
    streams.reserve(static_cast<size_t>(count));
    std::vector<std::promise<Outcome>> promises(static_cast<size_t>(count));
    for (std::promise<Outcome>& promise : promises) {
      streams.push_back(stub_.FullDuplexCall(script.options));
      Spawn(DetachedDuplex(script, streams.back(), promise));
    }
    std::vector<Outcome> outcomes;
    for (std::promise<Outcome>& promise : promises) outcomes.push_back(promise.get_future().get());
    return outcomes;
  }

 private:
  const TestService::Stub stub_;
  const class UnimplementedService::Stub unserved_;
};

}  // namespace

std::unique_ptr<InteropClient> NewCoroutineClient(const Channel& channel) {
  return std::make_unique<CoroutineClient>(channel);
}

}  // namespace nearcall::interop
