// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// Everything by Then(): each callback starts the next step; the caller's thread only waits for the last one.
#include <future>
#include <utility>

#include "nearcall/tests/interop/client.h"
#include "nearcall/tests/interop/payloads.h"

namespace nearcall::interop {
namespace {

using namespace grpc::testing;

template <class R>
R Result(Op<R> op) {
  std::promise<R> promise;
  std::future<R> future = promise.get_future();
  std::move(op).Then([&promise](R result) { promise.set_value(std::move(result)); });
  return future.get();
}
template <class R>
R Result(std::future<R> future) {
  return future.get();
}

// One stream; kept alive by its callbacks.
template <class Stream>
class Reading : public std::enable_shared_from_this<Reading<Stream>> {
 public:
  Reading(const Script& script, Stream stream) : script_(script), stream_(std::move(stream)) {}
  virtual ~Reading() = default;
  std::future<Outcome> future() { return done_.get_future(); }

  // Reads `left` replies (all: negative), then goes on with `next`.
  void Read(int left, void (Reading::*next)()) {
    if (left == 0) return (this->*next)();
    stream_.Next().Then(
        [self = this->shared_from_this(), left, next](std::optional<StreamingOutputCallResponse> reply) {
          if (!reply.has_value()) return self->Finish();
          self->outcome_.sizes.push_back(SizeOf(*reply));
          if (self->script_.cancel_after_replies == static_cast<int>(self->outcome_.sizes.size())) {
            self->stream_.Cancel();
            return self->Finish();
          }
          self->Read(left - 1, next);
        });
  }
  void ReadAllAfterPause() {
    if (script_.pause_before_reading > absl::ZeroDuration()) {
      After(script_.pause_before_reading, [self = this->shared_from_this()]() { self->Read(-1, &Reading::Finish); });
    } else {
      Read(-1, &Reading::Finish);
    }
  }
  void Finish() {
    stream_.Finished().Then([self = this->shared_from_this()](absl::Status status) {
      self->outcome_.status = std::move(status);
      self->outcome_.initial = self->stream_.initial_metadata();
      self->outcome_.trailing = self->stream_.trailing_metadata();
      self->done_.set_value(std::move(self->outcome_));
    });
  }
  virtual void NextRequest() {}

 protected:
  const Script script_;
  Stream stream_;

 private:
  Outcome outcome_;
  std::promise<Outcome> done_;
};

using OutputStream = ClientReader<StreamingOutputCallResponse>;
using DuplexStream = ClientReaderWriter<StreamingOutputCallRequest, StreamingOutputCallResponse>;

class Duplex final : public Reading<DuplexStream> {
 public:
  using Reading::Reading;

  void Start() {
    if (script_.cancel_after_replies == 0) stream_.Cancel();
    NextRequest();
  }

 private:
  void NextRequest() override {
    if (next_ == script_.requests.size()) return Written();
    const StreamingOutputCallRequest& request = script_.requests[next_++];
    const bool read = script_.in_turn && !script_.cancel_after_headers && !script_.cancel_after_half_close;
    const int replies = read ? request.response_parameters_size() : 0;
    stream_.Send(request).Then([self = shared_from_this(), replies](bool sent) {
      if (!sent) return self->Finish();
      self->Read(replies, &Reading::NextRequest);
    });
  }
  void Written() {
    if (script_.half_close) stream_.WritesDone();
    if (script_.cancel_after_half_close) stream_.Cancel();
    if (script_.cancel_after_headers) {
      stream_.initial_metadata();
      stream_.Cancel();
    }
    ReadAllAfterPause();
  }

  size_t next_ = 0;
};

class Input final : public std::enable_shared_from_this<Input> {
 public:
  Input(const std::vector<StreamingInputCallRequest>& requests, CancelInput cancel,
        ClientWriter<StreamingInputCallRequest, StreamingInputCallResponse> stream)
      : requests_(requests), cancel_(cancel), stream_(std::move(stream)) {}
  std::future<absl::StatusOr<StreamingInputCallResponse>> future() { return done_.get_future(); }

  void Start() {
    if (cancel_ == CancelInput::kBeforeFirst) stream_.Cancel();
    Next();
  }

 private:
  void Next() {
    if (next_ == requests_.size()) return Finish();
    stream_.Send(requests_[next_++]).Then([self = shared_from_this()](bool sent) {
      if (self->cancel_ == CancelInput::kAfterFirst) self->stream_.Cancel();
      sent ? self->Next() : self->Finish();
    });
  }
  void Finish() {
    stream_.Finished().Then([self = shared_from_this()](absl::StatusOr<StreamingInputCallResponse> reply) {
      self->done_.set_value(std::move(reply));
    });
  }

  const std::vector<StreamingInputCallRequest> requests_;
  const CancelInput cancel_;
  ClientWriter<StreamingInputCallRequest, StreamingInputCallResponse> stream_;
  size_t next_ = 0;
  std::promise<absl::StatusOr<StreamingInputCallResponse>> done_;
};

class CallbackClient final : public InteropClient {
 public:
  explicit CallbackClient(const Channel& channel) : stub_(channel), unserved_(channel) {}

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
    for (std::promise<absl::Status>& promise : promises) {
      stub_.UnaryCall(request).Then(
          [&promise, &request](absl::StatusOr<SimpleResponse> reply) { promise.set_value(CheckBody(reply, request)); });
    }
    std::vector<absl::Status> statuses;
    for (std::promise<absl::Status>& promise : promises) statuses.push_back(Result(promise.get_future()));
    return statuses;
  }

  absl::StatusOr<StreamingInputCallResponse> StreamingInput(const std::vector<StreamingInputCallRequest>& requests,
                                                            CancelInput cancel) override {
    auto input = std::make_shared<Input>(requests, cancel, stub_.StreamingInputCall());
    input->Start();
    return Result(input->future());
  }

  Outcome StreamingOutput(const Script& script) override {
    auto reading = std::make_shared<Reading<OutputStream>>(
        script, stub_.StreamingOutputCall(script.requests.front(), script.options));
    reading->ReadAllAfterPause();
    return Result(reading->future());
  }

  Outcome FullDuplex(const Script& script) override {
    return Result(Start(script, stub_.FullDuplexCall(script.options)));
  }
  Outcome HalfDuplex(const Script& script) override {
    return Result(Start(script, stub_.HalfDuplexCall(script.options)));
  }

  std::vector<Outcome> FullDuplexes(int count, const Script& script) override {
    std::vector<std::future<Outcome>> futures;
    for (int i = 0; i < count; ++i) futures.push_back(Start(script, stub_.FullDuplexCall(script.options)));
    std::vector<Outcome> outcomes;
    for (std::future<Outcome>& future : futures) outcomes.push_back(future.get());
    return outcomes;
  }

 private:
  static std::future<Outcome> Start(const Script& script, DuplexStream stream) {
    auto duplex = std::make_shared<Duplex>(script, std::move(stream));
    std::future<Outcome> future = duplex->future();
    duplex->Start();
    return future;
  }

  const TestService::Stub stub_;
  const class UnimplementedService::Stub unserved_;
};

}  // namespace

std::unique_ptr<InteropClient> NewCallbackClient(const Channel& channel) {
  return std::make_unique<CallbackClient>(channel);
}

}  // namespace nearcall::interop
