// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0

#include "nearcall/tests/interop/cases.h"

#include <algorithm>
#include <optional>
#include <thread>
#include <utility>

#include "absl/time/clock.h"
#include "gtest/gtest.h"
#include "nearcall/rpc/runtime/channel_access.h"
#include "nearcall/tests/interop/payloads.h"

namespace nearcall::interop {
namespace {

using namespace grpc::testing;
using Code = absl::StatusCode;
using Sizes = std::vector<int>;

constexpr int kLargeRequest = 271828;
constexpr int kLargeResponse = 314159;

SimpleRequest Simple(int response_size, int request_size) {
  SimpleRequest request;
  request.set_response_size(response_size);
  FillPayload(request_size, request.mutable_payload());
  return request;
}
SimpleRequest Large() { return Simple(kLargeResponse, kLargeRequest); }

StreamingInputCallRequest Input(int size) {
  StreamingInputCallRequest request;
  FillPayload(size, request.mutable_payload());
  return request;
}

// Asks for replies of these sizes, each after the interval.
StreamingOutputCallRequest Output(const Sizes& sizes, std::optional<int> body = std::nullopt,
                                  absl::Duration interval = absl::ZeroDuration()) {
  StreamingOutputCallRequest request;
  for (int size : sizes) {
    ResponseParameters* parameters = request.add_response_parameters();
    parameters->set_size(size);
    parameters->set_interval_us(static_cast<int>(absl::ToInt64Microseconds(interval)));
  }
  if (body.has_value()) FillPayload(*body, request.mutable_payload());
  return request;
}

Script Of(std::vector<StreamingOutputCallRequest> requests) {
  Script script;
  script.requests = std::move(requests);
  return script;
}

void ExpectLarge(InteropClient& client, const CallOptions& options = CallOptions()) {
  const absl::StatusOr<SimpleResponse> reply = client.UnaryCall(Large(), options);
  ASSERT_TRUE(reply.ok()) << reply.status();
  EXPECT_EQ(reply->payload().body().size(), static_cast<size_t>(kLargeResponse));
}

void ExpectOk(const Outcome& outcome, const Sizes& sizes) {
  EXPECT_TRUE(outcome.status.ok()) << outcome.status;
  EXPECT_EQ(outcome.sizes, sizes);
}

void ExpectAll(const std::vector<absl::Status>& statuses, size_t count, Code code) {
  EXPECT_EQ(statuses.size(), count);
  for (const absl::Status& status : statuses) {
    EXPECT_EQ(status.code(), code) << status;
    if (status.code() != code) break;
  }
}

// gRPC's suite.

void EmptyUnary(CaseContext& context) {
  const absl::StatusOr<Empty> reply = context.client.EmptyCall(CallOptions());
  ASSERT_TRUE(reply.ok()) << reply.status();
  EXPECT_EQ(reply->ByteSizeLong(), 0u);
}

void LargeUnary(CaseContext& context) { ExpectLarge(context.client); }

void ClientStreaming(CaseContext& context) {
  const auto reply =
      context.client.StreamingInput({Input(27182), Input(8), Input(1828), Input(45904)}, CancelInput::kNever);
  ASSERT_TRUE(reply.ok()) << reply.status();
  EXPECT_EQ(reply->aggregated_payload_size(), 74922);
}

void ServerStreaming(CaseContext& context) {
  ExpectOk(context.client.StreamingOutput(Of({Output({31415, 9, 2653, 58979})})), {31415, 9, 2653, 58979});
}

Script PingPongScript() {
  return Of({Output({31415}, 27182), Output({9}, 8), Output({2653}, 1828), Output({58979}, 45904)});
}

void PingPong(CaseContext& context) { ExpectOk(context.client.FullDuplex(PingPongScript()), {31415, 9, 2653, 58979}); }

void EmptyStream(CaseContext& context) { ExpectOk(context.client.FullDuplex(Of({})), {}); }

void ExpectEcho(CaseContext& context, const std::string& message) {
  SimpleRequest request;
  request.mutable_response_status()->set_code(2);
  request.mutable_response_status()->set_message(message);
  const absl::StatusOr<SimpleResponse> reply = context.client.UnaryCall(request, CallOptions());
  EXPECT_EQ(reply.status(), absl::UnknownError(message));
}

void StatusCodeAndMessage(CaseContext& context) {
  const std::string message = "test status message";
  ExpectEcho(context, message);
  StreamingOutputCallRequest request;
  request.mutable_response_status()->set_code(2);
  request.mutable_response_status()->set_message(message);
  const Outcome outcome = context.client.FullDuplex(Of({request}));
  EXPECT_EQ(outcome.status, absl::UnknownError(message));
  EXPECT_EQ(outcome.sizes, Sizes());
}

void SpecialStatusMessage(CaseContext& context) {
  ExpectEcho(context, "\t\ntest with whitespace\r\nand Unicode BMP \xE2\x98\xBA and non-BMP \xF0\x9F\x98\x88\t\n");
}

void CustomMetadata(CaseContext& context) {
  const std::string initial = "test_initial_metadata_value";
  const std::string trailing = "\xab\xab\xab";
  const CallOptions options =
      CallOptions().add_metadata(kEchoInitialKey, initial).add_metadata(kEchoTrailingKey, trailing);

  auto metadata = std::make_shared<ResponseMetadata>();
  ExpectLarge(context.client, CallOptions(options).set_response_metadata(metadata));
  EXPECT_EQ(metadata->initial.Get(kEchoInitialKey), initial);
  EXPECT_EQ(metadata->trailing.Get(kEchoTrailingKey), trailing);

  Script script = Of({Output({kLargeResponse}, kLargeRequest)});
  script.options = options;
  const Outcome outcome = context.client.FullDuplex(script);
  ExpectOk(outcome, {kLargeResponse});
  EXPECT_EQ(outcome.initial.Get(kEchoInitialKey), initial);
  EXPECT_EQ(outcome.trailing.Get(kEchoTrailingKey), trailing);
}

void UnimplementedMethod(CaseContext& context) {
  EXPECT_EQ(context.client.UnimplementedMethod().status().code(), Code::kUnimplemented);
}

void UnimplementedService(CaseContext& context) {
  EXPECT_EQ(context.client.UnimplementedService().status().code(), Code::kUnimplemented);
}

void CancelAfterBegin(CaseContext& context) {
  EXPECT_EQ(context.client.StreamingInput({}, CancelInput::kBeforeFirst).status().code(), Code::kCancelled);
}

void CancelAfterFirstResponse(CaseContext& context) {
  Script script = PingPongScript();
  script.cancel_after_replies = 1;
  const Outcome outcome = context.client.FullDuplex(script);
  EXPECT_EQ(outcome.status.code(), Code::kCancelled) << outcome.status;
  EXPECT_EQ(outcome.sizes, Sizes{31415});
}

Script Sleeper(absl::Duration timeout) {
  Script script = Of({Output({}, 27182)});
  script.half_close = false;
  script.options.set_timeout(timeout);
  return script;
}

void TimeoutOnSleepingServer(CaseContext& context) {
  const Outcome outcome = context.client.FullDuplex(Sleeper(absl::Milliseconds(1)));
  EXPECT_EQ(outcome.status.code(), Code::kDeadlineExceeded) << outcome.status;
}

void ConcurrentLargeUnary(CaseContext& context) {
  ExpectAll(context.client.UnaryCalls(1000, Large()), 1000, Code::kOk);
}

void RpcSoak(CaseContext& context) {
  for (int i = 0; i < 20; ++i) ExpectLarge(context.client);
}

void ChannelSoak(CaseContext& context) {
  for (int i = 0; i < 20; ++i) ExpectLarge(*context.new_client(ChannelOptions()));
}

void LongLivedChannel(CaseContext& context) {
  for (int i = 0; i < 5; ++i) {
    ExpectLarge(context.client);
    absl::SleepFor(absl::Milliseconds(5));
  }
}

// Beyond gRPC's suite: what its list names and what its core's tests are called.

void HalfDuplex(CaseContext& context) {
  ExpectOk(context.client.HalfDuplex([] {
    Script script = Of({Output({31415}, 27182), Output({9}, 8), Output({2653, 0}, 1828)});
    script.in_turn = false;
    return script;
  }()),
           {31415, 9, 2653, 0});
}

void EmptyMessages(CaseContext& context) {
  ExpectOk(context.client.FullDuplex(Of({Output({0}, 0), Output({0, 0, 0}), Output({})})), {0, 0, 0, 0});
}

void BinaryMetadata(CaseContext& context) {
  std::string all;
  for (int i = 0; i < 256; ++i) all += static_cast<char>(i);
  auto metadata = std::make_shared<ResponseMetadata>();
  const auto reply =
      context.client.EmptyCall(CallOptions().add_metadata(kEchoTrailingKey, all).set_response_metadata(metadata));
  EXPECT_TRUE(reply.ok()) << reply.status();
  EXPECT_EQ(metadata->trailing.Get(kEchoTrailingKey), all);
}

void LargeMetadata(CaseContext& context) {
  const std::string large(63 * 1024, 'm');
  auto metadata = std::make_shared<ResponseMetadata>();
  const auto reply =
      context.client.EmptyCall(CallOptions().add_metadata(kEchoInitialKey, large).set_response_metadata(metadata));
  EXPECT_TRUE(reply.ok()) << reply.status();
  EXPECT_EQ(metadata->initial.Get(kEchoInitialKey), large);
}

void CancelAfterFirstRequest(CaseContext& context) {
  EXPECT_EQ(context.client.StreamingInput({Input(27182), Input(8)}, CancelInput::kAfterFirst).status().code(),
            Code::kCancelled);
}

void CancelAfterHeaders(CaseContext& context) {
  // More replies than a stream's credit, so that the server cannot have finished.
  Script script = Of({Output(Sizes(64, 1 << 20))});
  script.options.add_metadata(kEchoInitialKey, "headers");
  script.cancel_after_headers = true;
  const Outcome outcome = context.client.FullDuplex(script);
  EXPECT_EQ(outcome.status.code(), Code::kCancelled) << outcome.status;
}

void CancelAfterHalfClose(CaseContext& context) {
  Script script = Of({Output({1}, 1, absl::Milliseconds(200))});
  script.cancel_after_half_close = true;
  const Outcome outcome = context.client.FullDuplex(script);
  EXPECT_EQ(outcome.status.code(), Code::kCancelled) << outcome.status;
  EXPECT_EQ(outcome.sizes, Sizes());
}

void CancelAtOnce(CaseContext& context) {
  Script script = PingPongScript();
  script.cancel_after_replies = 0;
  const Outcome outcome = context.client.FullDuplex(script);
  EXPECT_EQ(outcome.status.code(), Code::kCancelled) << outcome.status;
  ExpectLarge(context.client);
}

void TimeoutBeforeCall(CaseContext& context) {
  for (const CallOptions& options :
       {CallOptions().set_timeout(absl::ZeroDuration()), CallOptions().set_timeout(-absl::Seconds(1)),
        CallOptions().set_deadline(absl::InfinitePast())}) {
    EXPECT_EQ(context.client.EmptyCall(options).status().code(), Code::kDeadlineExceeded);
  }
}

void CompletedBeforeTimeout(CaseContext& context) {
  ExpectLarge(context.client, CallOptions().set_timeout(absl::Seconds(20)));
  Script script = PingPongScript();
  script.options.set_deadline(absl::Now() + absl::Seconds(20));
  ExpectOk(context.client.FullDuplex(script), {31415, 9, 2653, 58979});
}

void ThousandsOfCalls(CaseContext& context) {
  ExpectAll(context.client.UnaryCalls(2000, Simple(9, 8)), 2000, Code::kOk);
}

void ManyTimeouts(CaseContext& context) {
  for (int round = 0; round < 4; ++round) {
    for (const Outcome& outcome : context.client.FullDuplexes(50, Sleeper(absl::Milliseconds(1 + round)))) {
      EXPECT_EQ(outcome.status.code(), Code::kDeadlineExceeded) << outcome.status;
    }
  }
  ExpectLarge(context.client);
}

void MaxConcurrentStreams(CaseContext& context) {
  Script script = Of({Output({9}, 8, absl::Milliseconds(2))});
  for (const Outcome& outcome : context.client.FullDuplexes(150, script)) ExpectOk(outcome, {9});
}

void PushbackAtClient(CaseContext& context) {
  Script script = Of({Output(Sizes(24, 1 << 20))});
  script.pause_before_reading = absl::Milliseconds(20);
  ExpectOk(context.client.StreamingOutput(script), Sizes(24, 1 << 20));
}

void PushbackAtServer(CaseContext& context) {
  Script script = Of(std::vector<StreamingOutputCallRequest>(24, Output({9}, 1 << 20, absl::Milliseconds(1))));
  script.in_turn = false;
  ExpectOk(context.client.FullDuplex(script), Sizes(24, 9));
}

// Four streams pushed back, two in each direction, and large calls that go by them on the same channel.
void PushbackAtBoth(CaseContext& context) {
  std::vector<std::thread> threads;
  for (int i = 0; i < 2; ++i) {
    threads.emplace_back([&context] { PushbackAtClient(context); });
    threads.emplace_back([&context] { PushbackAtServer(context); });
  }
  ExpectAll(context.client.UnaryCalls(50, Simple(1 << 20, 1 << 20)), 50, Code::kOk);
  for (std::thread& thread : threads) thread.join();
}

// gRPC's high_initial_seqno: the ids of calls pass their largest value and begin anew, with streams open across that.
void HighInitialId(CaseContext& context) {
  constexpr uint32_t kLargestId = 0x7fffffff;
  for (const uint32_t before : {0u, 1u, 20u}) {
    ChannelOptions options;
    internal::ChannelAccess::SetFirstCallId(kLargestId - before, &options);
    const std::unique_ptr<InteropClient> client = context.new_client(options);
    std::thread stream([&client] { ExpectOk(client->FullDuplex(PingPongScript()), {31415, 9, 2653, 58979}); });
    ExpectAll(client->UnaryCalls(40, Simple(9, 8)), 40, Code::kOk);
    ExpectLarge(*client);
    stream.join();
    for (const Outcome& outcome : client->FullDuplexes(10, PingPongScript()))
      ExpectOk(outcome, {31415, 9, 2653, 58979});
  }
}

void OverLimit(CaseContext& context) {
  const int over = (4 << 20) + 1;
  absl::StatusOr<SimpleResponse> reply = context.client.UnaryCall(Simple(over, 0), CallOptions());
  EXPECT_EQ(reply.status().code(), Code::kResourceExhausted) << reply.status();
  reply = context.client.UnaryCall(Simple(0, over), CallOptions());
  EXPECT_EQ(reply.status().code(), Code::kResourceExhausted) << reply.status();
  const Outcome outcome = context.client.StreamingOutput(Of({Output({9, over, 9})}));
  EXPECT_EQ(outcome.status.code(), Code::kResourceExhausted) << outcome.status;
  const auto input = context.client.StreamingInput({Input(9), Input(over)}, CancelInput::kNever);
  EXPECT_EQ(input.status().code(), Code::kResourceExhausted) << input.status();
  ExpectLarge(context.client);
}

void ServerFinishesFirst(CaseContext& context) {
  StreamingOutputCallRequest last;
  last.mutable_response_status()->set_code(static_cast<int>(Code::kAborted));
  last.mutable_response_status()->set_message("enough");
  Script script = Of({Output({9}, 8), last, Output({9}, 8), Output({9}, 8)});
  const Outcome outcome = context.client.FullDuplex(script);
  EXPECT_EQ(outcome.status, absl::AbortedError("enough"));
  EXPECT_EQ(outcome.sizes, Sizes{9});
}

void ResourceQuota(CaseContext& context) {
  for (const absl::Status& status : context.client.UnaryCalls(100, Simple(9, 1 << 20))) {
    EXPECT_TRUE(status.ok() || status.code() == Code::kResourceExhausted || status.code() == Code::kUnavailable ||
                status.code() == Code::kDeadlineExceeded)
        << status;
  }
  ExpectLarge(context.client);
}

}  // namespace

const std::vector<Case>& Cases() {
  static const auto* const cases = new std::vector<Case>{
      {"empty_unary", EmptyUnary},
      {"large_unary", LargeUnary},
      {"client_streaming", ClientStreaming},
      {"server_streaming", ServerStreaming},
      {"ping_pong", PingPong},
      {"empty_stream", EmptyStream},
      {"status_code_and_message", StatusCodeAndMessage},
      {"special_status_message", SpecialStatusMessage},
      {"custom_metadata", CustomMetadata},
      {"unimplemented_method", UnimplementedMethod},
      {"unimplemented_service", UnimplementedService},
      {"cancel_after_begin", CancelAfterBegin},
      {"cancel_after_first_response", CancelAfterFirstResponse},
      {"timeout_on_sleeping_server", TimeoutOnSleepingServer},
      {"concurrent_large_unary", ConcurrentLargeUnary},
      {"rpc_soak", RpcSoak},
      {"channel_soak", ChannelSoak},
      {"long_lived_channel", LongLivedChannel},
      {"half_duplex", HalfDuplex},
      {"empty_messages", EmptyMessages},
      {"binary_metadata", BinaryMetadata},
      {"large_metadata", LargeMetadata},
      {"cancel_at_once", CancelAtOnce},
      {"cancel_after_first_request", CancelAfterFirstRequest},
      {"cancel_after_headers", CancelAfterHeaders},
      {"cancel_after_half_close", CancelAfterHalfClose},
      {"timeout_before_call", TimeoutBeforeCall},
      {"completed_before_timeout", CompletedBeforeTimeout},
      {"thousands_of_calls", ThousandsOfCalls},
      {"many_timeouts", ManyTimeouts},
      {"max_concurrent_streams", MaxConcurrentStreams},
      {"pushback_at_client", PushbackAtClient},
      {"pushback_at_server", PushbackAtServer},
      {"pushback_at_both", PushbackAtBoth},
      {"high_initial_id", HighInitialId},
      {"over_limit", OverLimit},
      {"server_finishes_first", ServerFinishesFirst},
      {"resource_quota", ResourceQuota},
  };
  return *cases;
}

void RunCase(const Case& one, absl::string_view client_form, const std::string& address) {
  const auto new_client = [&](const ChannelOptions& options) {
    absl::StatusOr<Channel> channel = Connect(address, options);
    EXPECT_TRUE(channel.ok()) << channel.status();
    return NewInteropClient(client_form, *channel);
  };
  const std::unique_ptr<InteropClient> client = new_client(ChannelOptions());
  CaseContext context = {*client, new_client};
  one.run(context);
}

}  // namespace nearcall::interop
