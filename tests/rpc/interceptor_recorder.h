// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// What the tests of interceptors share: an interceptor of either side that writes down what it sees, and does what a
// test asks for at each of its places; and the three ways to take an Op.
#ifndef NEARCALL_TESTS_RPC_INTERCEPTOR_RECORDER_H_
#define NEARCALL_TESTS_RPC_INTERCEPTOR_RECORDER_H_

#include <algorithm>
#include <functional>
#include <future>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "google/protobuf/message_lite.h"
#include "nearcall/tests/rpc/rpc_test_util.h"

namespace nearcall::test {

// Lines, in the order in which they were added. Thread-safe.
class Events {
 public:
  void Add(std::string line) {
    std::lock_guard<std::mutex> lock(mutex_);
    lines_.push_back(std::move(line));
  }
  std::vector<std::string> Take() {
    std::lock_guard<std::mutex> lock(mutex_);
    return std::exchange(lines_, {});
  }
  int Count(const std::string& word) const {
    std::lock_guard<std::mutex> lock(mutex_);
    return static_cast<int>(std::count_if(lines_.begin(), lines_.end(),
                                          [&](const std::string& line) { return absl::StrContains(line, word); }));
  }
  // Takes the lines once there is one more end; the server's may come after the client has its status.
  std::vector<std::string> TakeEnded(int ends = 1) {
    EXPECT_TRUE(Eventually([&] { return Count("end") >= ends; })) << ::testing::PrintToString(Take());
    return Take();
  }

 private:
  mutable std::mutex mutex_;
  std::vector<std::string> lines_;
};

// What a test has done at each place; nothing by default.
struct Places {
  std::function<absl::Status()> start;
  std::function<absl::Status(const Message&)> request;
  std::function<absl::Status(const Message&)> reply;
  std::function<void(const absl::Status&, const Metadata&)> end;
};

class RecordingObserver final : public CallObserver {
 public:
  RecordingObserver(std::string name, Events* events, const Places* places)
      : name_(std::move(name)), events_(events), places_(places) {}
  ~RecordingObserver() override {
    if (!ended_) ADD_FAILURE() << name_ << ": destroyed without its end";
  }

  absl::Status OnRequest(const google::protobuf::MessageLite& request) override {
    return See("request", request, places_->request);
  }
  absl::Status OnReply(const google::protobuf::MessageLite& reply) override {
    return See("reply", reply, places_->reply);
  }
  void OnEnd(const absl::Status& status, const Metadata& trailing) override {
    if (std::exchange(ended_, true)) ADD_FAILURE() << name_ << ": a second end";
    if (places_->end) places_->end(status, trailing);
    events_->Add(absl::StrCat(name_, "end ", absl::StatusCodeToString(status.code())));
  }

 private:
  absl::Status See(const char* what, const google::protobuf::MessageLite& message,
                   const std::function<absl::Status(const Message&)>& place) {
    if (ended_) ADD_FAILURE() << name_ << what << " after the end";
    const auto& typed = static_cast<const Message&>(message);
    EXPECT_EQ(message.GetTypeName(), "rpctest.Message");
    absl::Status status;
    if (place) status = place(typed);
    events_->Add(absl::StrCat(name_, what, " ", typed.number()));
    return status;
  }

  const std::string name_;
  Events* const events_;
  const Places* const places_;
  bool ended_ = false;
};

// Of both sides at once: a test adds it where it wants it. Events and places outlive the calls.
class Recorder final : public ClientInterceptor, public ServerInterceptor {
 public:
  explicit Recorder(Events* events, std::string name = "") : events_(events), name_(std::move(name)) {}

  Places places;                                 // set before the calls
  std::function<void(OutgoingCall&)> outgoing;   // of the client's start
  std::function<void(ServerContext&)> incoming;  // of the server's
  std::function<bool(absl::string_view)> only;   // the methods that are seen; by default all

  absl::StatusOr<std::unique_ptr<CallObserver>> OnStart(OutgoingCall& call) override {
    if (only && !only(call.method())) return nullptr;
    if (outgoing) outgoing(call);
    return Start(call.method());
  }
  absl::StatusOr<std::unique_ptr<CallObserver>> OnStart(absl::string_view method, ServerContext& context) override {
    if (only && !only(method)) return nullptr;
    if (incoming) incoming(context);
    return Start(method);
  }

 private:
  absl::StatusOr<std::unique_ptr<CallObserver>> Start(absl::string_view method) {
    events_->Add(absl::StrCat(name_, "start ", method));
    if (places.start) {
      if (absl::Status status = places.start(); !status.ok()) return status;
    }
    return std::make_unique<RecordingObserver>(name_, events_, &places);
  }

  Events* const events_;
  const std::string name_;
};

// ---- the three ways to take an Op

enum class Form { kBlocking, kCallback, kCoroutine };
inline constexpr Form kForms[] = {Form::kBlocking, Form::kCallback, Form::kCoroutine};
inline const char* Name(Form form) {
  return form == Form::kBlocking ? "blocking" : form == Form::kCallback ? "callback" : "coroutine";
}

template <class R>
Task<R> Awaited(Op<R> op) {
  R result = co_await op;
  co_return result;
}

template <class R>
R Get(Form form, Op<R> op) {
  if (form == Form::kBlocking) return op.Wait();
  if (form == Form::kCoroutine) return Await(Awaited(std::move(op)));
  std::promise<R> result;
  op.Then([&result](R taken) { result.set_value(std::move(taken)); });
  return result.get_future().get();
}

// ---- the service's other two forms; they do what ProbeService does by default

class AsyncProbe final : public ::rpctest::Probe::AsyncService {
 public:
  ~AsyncProbe() override {
    for (std::thread& thread : threads_) thread.join();
  }
  void Unary(ServerContext&, const Message& request, Responder<Message> done) override {
    Run([&request, done = std::move(done)]() mutable {
      Message reply = request;
      done(std::move(reply));
    });
  }
  void Output(ServerContext&, const Message& request, ServerWriter<Message>& writer, Responder<> done) override {
    Run([&request, &writer, done = std::move(done)]() mutable {
      for (int64_t i = 0; i < request.number() && writer.Send(Number(i)).Wait(); ++i) continue;
      done(absl::OkStatus());
    });
  }
  void Input(ServerContext&, ServerReader<Message>& reader, Responder<Message> done) override {
    Run([&reader, done = std::move(done)]() mutable {
      int64_t sum = 0;
      while (std::optional<Message> request = reader.Next().Wait()) sum += request->number();
      done(Number(sum));
    });
  }
  void Duplex(ServerContext&, ServerReaderWriter<Message, Message>& stream, Responder<> done) override {
    Run([&stream, done = std::move(done)]() mutable {
      for (Message message; stream.Read(message) && stream.Write(message);) continue;
      done(absl::OkStatus());
    });
  }

 private:
  template <class Body>
  void Run(Body body) {
    std::lock_guard<std::mutex> lock(mutex_);
    threads_.emplace_back(std::move(body));
  }
  std::mutex mutex_;
  std::vector<std::thread> threads_;
};

class CoroutineProbe final : public ::rpctest::Probe::CoroutineService {
 public:
  Task<absl::StatusOr<Message>> Unary(ServerContext&, const Message& request) override { co_return request; }
  Task<absl::Status> Output(ServerContext&, const Message& request, ServerWriter<Message>& writer) override {
    for (int64_t i = 0; i < request.number(); ++i) {
      const bool sent = co_await writer.Send(Number(i));
      if (!sent) break;
    }
    co_return absl::OkStatus();
  }
  Task<absl::StatusOr<Message>> Input(ServerContext&, ServerReader<Message>& reader) override {
    int64_t sum = 0;
    while (auto request = co_await reader.Next()) sum += request->number();
    co_return Number(sum);
  }
  Task<absl::Status> Duplex(ServerContext&, ServerReaderWriter<Message, Message>& stream) override {
    while (auto message = co_await stream.Next()) {
      const bool sent = co_await stream.Send(*message);
      if (!sent) break;
    }
    co_return absl::OkStatus();
  }
};

}  // namespace nearcall::test

#endif  // NEARCALL_TESTS_RPC_INTERCEPTOR_RECORDER_H_
