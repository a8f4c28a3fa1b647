// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0

#include <thread>
#include <utility>

#include "absl/time/clock.h"
#include "nearcall/tests/interop/client.h"

namespace nearcall::interop {
namespace {

using namespace grpc::testing;

// Reads `limit` replies, or all; false once the script's cancellation has happened, or the stream has ended.
template <class Stream>
bool ReadReplies(const Script& script, std::optional<int> limit, Stream& stream, Outcome* outcome) {
  for (int read = 0; !limit.has_value() || read < *limit; ++read) {
    StreamingOutputCallResponse reply;
    if (!stream.Read(reply)) return false;
    outcome->sizes.push_back(SizeOf(reply));
    if (script.cancel_after_replies == static_cast<int>(outcome->sizes.size())) {
      stream.Cancel();
      return false;
    }
  }
  return true;
}

template <class Stream>
void FinishStream(Stream& stream, Outcome* outcome) {
  outcome->status = stream.Finish();
  outcome->initial = stream.initial_metadata();
  outcome->trailing = stream.trailing_metadata();
}

using DuplexStream = ClientReaderWriter<StreamingOutputCallRequest, StreamingOutputCallResponse>;

Outcome RunDuplex(const Script& script, DuplexStream stream) {
  Outcome outcome;
  if (script.cancel_after_replies == 0) stream.Cancel();
  bool going = true;
  for (const StreamingOutputCallRequest& request : script.requests) {
    going = stream.Write(request);
    if (going && script.in_turn && !script.cancel_after_headers && !script.cancel_after_half_close) {
      going = ReadReplies(script, request.response_parameters_size(), stream, &outcome);
    }
    if (!going) break;
  }
  if (going && script.half_close) stream.WritesDone();
  if (script.cancel_after_half_close) stream.Cancel();
  if (script.cancel_after_headers) {
    stream.initial_metadata();
    stream.Cancel();
  }
  absl::SleepFor(script.pause_before_reading);
  if (going) ReadReplies(script, std::nullopt, stream, &outcome);
  FinishStream(stream, &outcome);
  return outcome;
}

class BlockingClient final : public InteropClient {
 public:
  explicit BlockingClient(const Channel& channel) : stub_(channel), unserved_(channel) {}

  absl::StatusOr<Empty> EmptyCall(const CallOptions& options) override {
    return stub_.EmptyCall(Empty(), options).Wait();
  }
  absl::StatusOr<SimpleResponse> UnaryCall(const SimpleRequest& request, const CallOptions& options) override {
    return stub_.UnaryCall(request, options).Wait();
  }
  absl::StatusOr<Empty> UnimplementedMethod() override { return stub_.UnimplementedCall(Empty()).Wait(); }
  absl::StatusOr<Empty> UnimplementedService() override { return unserved_.UnimplementedCall(Empty()).Wait(); }

  std::vector<absl::Status> UnaryCalls(int count, const SimpleRequest& request) override {
    std::vector<Call<SimpleResponse>> calls;
    for (int i = 0; i < count; ++i) calls.push_back(stub_.UnaryCall(request));
    std::vector<absl::Status> statuses;
    for (Call<SimpleResponse>& call : calls) statuses.push_back(CheckBody(call.Wait(), request));
    return statuses;
  }

  absl::StatusOr<StreamingInputCallResponse> StreamingInput(const std::vector<StreamingInputCallRequest>& requests,
                                                            CancelInput cancel) override {
    auto stream = stub_.StreamingInputCall();
    if (cancel == CancelInput::kBeforeFirst) stream.Cancel();
    for (const StreamingInputCallRequest& request : requests) {
      if (!stream.Write(request)) break;
      if (cancel == CancelInput::kAfterFirst) stream.Cancel();
    }
    return stream.Finish();
  }

  Outcome StreamingOutput(const Script& script) override {
    Outcome outcome;
    auto stream = stub_.StreamingOutputCall(script.requests.front(), script.options);
    absl::SleepFor(script.pause_before_reading);
    ReadReplies(script, std::nullopt, stream, &outcome);
    FinishStream(stream, &outcome);
    return outcome;
  }

  Outcome FullDuplex(const Script& script) override { return RunDuplex(script, stub_.FullDuplexCall(script.options)); }
  Outcome HalfDuplex(const Script& script) override { return RunDuplex(script, stub_.HalfDuplexCall(script.options)); }

  std::vector<Outcome> FullDuplexes(int count, const Script& script) override {
    std::vector<Outcome> outcomes(static_cast<size_t>(count));
    std::vector<std::thread> threads;
    for (Outcome& outcome : outcomes) threads.emplace_back([this, &outcome, &script] { outcome = FullDuplex(script); });
    for (std::thread& thread : threads) thread.join();
    return outcomes;
  }

 private:
  const TestService::Stub stub_;
  const class UnimplementedService::Stub unserved_;
};

}  // namespace

std::unique_ptr<InteropClient> NewBlockingClient(const Channel& channel) {
  return std::make_unique<BlockingClient>(channel);
}

}  // namespace nearcall::interop
