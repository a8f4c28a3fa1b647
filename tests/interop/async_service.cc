// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0

#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "nearcall/tests/interop/services.h"

namespace nearcall::interop {
namespace {

using namespace grpc::testing;
using DuplexStream = ServerReaderWriter<StreamingOutputCallRequest, StreamingOutputCallResponse>;
using Sent = absl::AnyInvocable<void(bool) &&>;

// Sends the replies of `request` from the index-th on, one after the other, then calls `then`. The request and the
// writer must live until then.
template <class Writer>
void SendReplies(const StreamingOutputCallRequest* request, int index, Writer* writer, Sent then) {
  if (index == request->response_parameters_size()) return std::move(then)(true);
  auto send = [request, index, writer, then = std::move(then)]() mutable {
    StreamingOutputCallResponse response;
    FillPayload(request->response_parameters(index).size(), response.mutable_payload());
    writer->Send(response).Then([request, index, writer, then = std::move(then)](bool sent) mutable {
      if (!sent) return std::move(then)(false);
      SendReplies(request, index + 1, writer, std::move(then));
    });
  };
  const absl::Duration interval = IntervalOf(request->response_parameters(index));
  if (interval > absl::ZeroDuration()) {
    After(interval, std::move(send));
  } else {
    send();
  }
}

// One duplex call; kept alive by its callbacks.
class Duplex : public std::enable_shared_from_this<Duplex> {
 public:
  Duplex(DuplexStream* stream, Responder<> done) : stream_(stream), done_(std::move(done)) {}

  // Each request is answered before the next is read.
  void ServeAtOnce() {
    stream_->Next().Then([self = shared_from_this()](std::optional<StreamingOutputCallRequest> request) {
      if (!request.has_value()) return self->done_(absl::OkStatus());
      if (request->response_status().code() != 0) return self->done_(StatusOf(request->response_status()));
      self->requests_.assign(1, *std::move(request));
      self->Answer(0, /*then_read=*/true);
    });
  }

  // All requests are read, then answered.
  void ServeAtTheEnd() {
    stream_->Next().Then([self = shared_from_this()](std::optional<StreamingOutputCallRequest> request) {
      if (!request.has_value()) return self->Answer(0, /*then_read=*/false);
      self->requests_.push_back(*std::move(request));
      self->ServeAtTheEnd();
    });
  }

 private:
  void Answer(size_t index, bool then_read) {
    if (index == requests_.size()) return then_read ? ServeAtOnce() : done_(absl::OkStatus());
    SendReplies(&requests_[index], 0, stream_, [self = shared_from_this(), index, then_read](bool sent) {
      if (!sent) return self->done_(Gone());
      self->Answer(index + 1, then_read);
    });
  }

  DuplexStream* const stream_;
  Responder<> done_;
  std::vector<StreamingOutputCallRequest> requests_;
};

class Input : public std::enable_shared_from_this<Input> {
 public:
  Input(ServerReader<StreamingInputCallRequest>* reader, Responder<StreamingInputCallResponse> done)
      : reader_(reader), done_(std::move(done)) {}

  void Serve() {
    reader_->Next().Then([self = shared_from_this()](std::optional<StreamingInputCallRequest> request) {
      if (request.has_value()) {
        self->sum_ += request->payload().body().size();
        return self->Serve();
      }
      StreamingInputCallResponse response;
      response.set_aggregated_payload_size(static_cast<int>(self->sum_));
      self->done_(std::move(response));
    });
  }

 private:
  ServerReader<StreamingInputCallRequest>* const reader_;
  Responder<StreamingInputCallResponse> done_;
  size_t sum_ = 0;
};

class AsyncTestService final : public TestService::AsyncService {
  void EmptyCall(ServerContext& context, const Empty&, Responder<Empty> done) override {
    EchoMetadata(context);
    done(Empty());
  }

  void UnaryCall(ServerContext& context, const SimpleRequest& request, Responder<SimpleResponse> done) override {
    done(AnswerUnary(context, request));
  }

  void StreamingOutputCall(ServerContext& context, const StreamingOutputCallRequest& request,
                           ServerWriter<StreamingOutputCallResponse>& writer, Responder<> done) override {
    EchoMetadata(context);
    SendReplies(&request, 0, &writer, [&request, done = std::move(done)](bool sent) mutable {
      done(sent ? StatusOf(request.response_status()) : Gone());
    });
  }

  void StreamingInputCall(ServerContext& context, ServerReader<StreamingInputCallRequest>& reader,
                          Responder<StreamingInputCallResponse> done) override {
    EchoMetadata(context);
    std::make_shared<Input>(&reader, std::move(done))->Serve();
  }

  void FullDuplexCall(ServerContext& context, DuplexStream& stream, Responder<> done) override {
    EchoMetadata(context);
    std::make_shared<Duplex>(&stream, std::move(done))->ServeAtOnce();
  }

  void HalfDuplexCall(ServerContext& context, DuplexStream& stream, Responder<> done) override {
    EchoMetadata(context);
    std::make_shared<Duplex>(&stream, std::move(done))->ServeAtTheEnd();
  }
};

}  // namespace

std::unique_ptr<ServiceBase> NewAsyncTestService() { return std::make_unique<AsyncTestService>(); }

}  // namespace nearcall::interop
