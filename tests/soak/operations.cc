// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
#include "nearcall/tests/soak/operations.h"

#include <chrono>
#include <memory>

#include "absl/strings/str_cat.h"
#include "nearcall/transports/api/clock.h"

namespace nearcall {

using ::soak::Item;

namespace {

constexpr int kChannels = 4;
constexpr int kMostUnderWay = 64;

template <class Stream>
concept Reads = requires(Stream& stream, Item& item) {
  stream.Read(item);
};
template <class Stream>
concept Writes = requires(Stream& stream, const Item& item) {
  stream.Write(item);
};

}  // namespace

// ---- plans

const char* NameOf(CallKind kind) {
  static constexpr const char* kNames[] = {"unary", "output", "input", "duplex"};
  return kNames[static_cast<size_t>(kind)];
}

const char* NameOf(CallForm form) {
  static constexpr const char* kNames[] = {"blocking", "callback", "coroutine"};
  return kNames[static_cast<size_t>(form)];
}

CallPlan PlanOf(uint64_t seed, uint32_t call) {
  Random random(seed << 32 ^ call);
  CallPlan plan;
  plan.kind = static_cast<CallKind>(random.Below(kCallKinds));
  plan.form = static_cast<CallForm>(random.Below(kCallForms));
  if (plan.kind != CallKind::kUnary) plan.messages = static_cast<uint32_t>(random.Below(20));
  plan.body_size = static_cast<uint32_t>(random.Below(40) == 0 ? random.Below(200'000) : random.Below(500));
  if (random.Below(4) == 0) plan.pause_us = static_cast<uint32_t>(random.Below(1000));
  plan.wait_for_ready = random.Below(2) == 0;
  plan.fresh_channel = random.Below(64) == 0;
  if (random.Below(4) == 0) plan.timeout_us = static_cast<uint32_t>(100 + random.Below(10'000));
  switch (random.Below(8)) {
    case 0:
      plan.cancel_after_messages = static_cast<uint32_t>(random.Below(2 * plan.messages + 1));
      break;
    case 1:
      plan.cancel_after_us = static_cast<uint32_t>(random.Below(2000));
      break;
    default:
      break;
  }
  return plan;
}

std::string Describe(uint64_t seed, uint32_t call) {
  const CallPlan plan = PlanOf(seed, call);
  std::string text = absl::StrCat(NameOf(plan.kind), " ", NameOf(plan.form), ", ", plan.messages, " messages of ",
                                  plan.body_size, " B, handler pauses ", plan.pause_us, " us");
  if (plan.wait_for_ready) absl::StrAppend(&text, ", waits for ready");
  if (plan.fresh_channel) absl::StrAppend(&text, ", on a new channel");
  if (plan.timeout_us) absl::StrAppend(&text, ", timeout ", *plan.timeout_us, " us");
  if (plan.cancel_after_messages)
    absl::StrAppend(&text, ", cancelled after ", *plan.cancel_after_messages, " messages");
  if (plan.cancel_after_us) absl::StrAppend(&text, ", cancelled after ", *plan.cancel_after_us, " us");
  return text;
}

// ---- the canceller

Canceller::Canceller() : thread_([this] { Run(); }) {}

Canceller::~Canceller() {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    ending_ = true;
    changed_.notify_all();
  }
  thread_.join();
}

uint64_t Canceller::Add(int64_t at_ns, std::function<void()> cancel) {
  std::lock_guard<std::mutex> lock(mutex_);
  const uint64_t key = ++last_key_;
  entries_[{at_ns, key}] = std::move(cancel);
  times_[key] = at_ns;
  changed_.notify_all();
  return key;
}

void Canceller::Remove(uint64_t key) {
  std::lock_guard<std::mutex> lock(mutex_);
  const auto found = times_.find(key);
  if (found == times_.end()) return;
  entries_.erase({found->second, key});
  times_.erase(found);
}

void Canceller::Run() {
  std::unique_lock<std::mutex> lock(mutex_);
  while (!ending_) {
    if (entries_.empty()) {
      changed_.wait(lock);
      continue;
    }
    const auto first = entries_.begin();
    const int64_t left_ns = first->first.first - MonotonicNanos();
    if (left_ns > 0) {
      changed_.wait_for(lock, std::chrono::nanoseconds(left_ns));
      continue;
    }
    first->second();  // under the lock: who removes it waits for it
    times_.erase(first->first.second);
    entries_.erase(first);
  }
}

// ---- one call

// What is known of a call that runs, in whatever form. Used by one thread at a time.
class Operation {
 public:
  Operation(OperationRunner* runner, uint32_t call) : runner_(runner), call_(call), plan_(PlanOf(runner->seed_, call)) {
    runner_->Enter();
  }
  ~Operation() { runner_->Leave(); }
  Operation(const Operation&) = delete;
  Operation& operator=(const Operation&) = delete;

  const CallPlan& plan() const { return plan_; }
  ::soak::Soak::Stub stub() const { return runner_->StubFor(call_, plan_); }
  CallOptions Options() const {
    CallOptions options;
    options.add_metadata("call", absl::StrCat(call_)).set_wait_for_ready(plan_.wait_for_ready);
    if (plan_.timeout_us.has_value()) options.set_timeout(absl::Microseconds(*plan_.timeout_us));
    return options;
  }

  // The next message to write, or the request.
  bool HasMore() const { return sent_ < plan_.messages; }
  Item Next() {
    Item item;
    item.set_call(call_);
    item.set_index(sent_++);
    item.set_count(plan_.messages);
    item.set_pause_us(plan_.pause_us);
    item.set_body(std::string(plan_.body_size, 'o'));
    return item;
  }
  void Got(const Item& item) {
    if (item.call() != call_) runner_->history_.Violate(call_, kClientWrongCall);
    if (item.index() != received_) runner_->history_.Violate(call_, kClientDisorder);
    ++received_;
  }
  // The reply of a client stream tells how much was read.
  void GotCount(const absl::StatusOr<Item>& reply) {
    if (!reply.ok()) return;
    if (reply->call() != call_) runner_->history_.Violate(call_, kClientWrongCall);
    received_ = reply->count();
  }

  template <class Cancellable>
  void MaybeCancel(Cancellable& what) {
    if (plan_.cancel_after_messages.has_value() && sent_ + received_ >= *plan_.cancel_after_messages) what.Cancel();
  }
  template <class Cancellable>
  uint64_t CancelLater(Cancellable* what) {
    if (!plan_.cancel_after_us.has_value()) return 0;
    return runner_->canceller_.Add(MonotonicNanos() + int64_t{*plan_.cancel_after_us} * 1000,
                                   [what] { what->Cancel(); });
  }
  void DontCancel(uint64_t key) {
    if (key != 0) runner_->canceller_.Remove(key);
  }

  void Ended(const absl::Status& status) {
    CallRecord& record = runner_->history_[call_];
    if (status.ok() && received_ != plan_.messages) runner_->history_.Violate(call_, kIncomplete);
    if (!Expected(status.code())) runner_->history_.Violate(call_, kUnexpectedStatus);
    record.code.store(static_cast<uint8_t>(status.code()));
    record.statuses.fetch_add(1);
  }

 private:
  bool Expected(absl::StatusCode code) const {
    switch (code) {
      case absl::StatusCode::kOk:
      case absl::StatusCode::kUnavailable:  // servers are killed and drained at all times
        return true;
      case absl::StatusCode::kCancelled:
        return plan_.cancels();
      case absl::StatusCode::kDeadlineExceeded:
        return plan_.timeout_us.has_value();
      default:
        return false;
    }
  }

  OperationRunner* const runner_;
  const uint32_t call_;
  const CallPlan plan_;
  uint32_t sent_ = 0;
  uint32_t received_ = 0;
};

namespace {

// While it lives, the canceller may cancel `what`.
template <class Cancellable>
class CancelTimer {
 public:
  CancelTimer(Operation* operation, Cancellable* what) : operation_(operation), key_(operation->CancelLater(what)) {}
  ~CancelTimer() { operation_->DontCancel(key_); }
  CancelTimer(const CancelTimer&) = delete;
  CancelTimer& operator=(const CancelTimer&) = delete;

 private:
  Operation* const operation_;
  const uint64_t key_;
};

// ---- blocking

void Block(Operation& operation) {
  absl::Status status;
  {
    Call<Item> call = operation.stub().Unary(operation.Next(), operation.Options());
    const CancelTimer timer(&operation, &call);
    operation.MaybeCancel(call);
    absl::StatusOr<Item> reply = call.Wait();
    if (reply.ok()) operation.Got(*reply);
    status = reply.status();
  }
  operation.Ended(status);
}

template <class Stream>
absl::Status FinishOf(Stream& stream, Operation& operation) {
  if constexpr (Reads<Stream>) {
    return stream.Finish();
  } else {
    const absl::StatusOr<Item> reply = stream.Finish();
    operation.GotCount(reply);
    return reply.status();
  }
}

template <class Stream>
void Block(Operation& operation, Stream stream) {
  absl::Status status;
  {
    const CancelTimer timer(&operation, &stream);
    Item item;
    if constexpr (Writes<Stream>) {
      for (bool open = true; open && operation.HasMore();) {
        operation.MaybeCancel(stream);
        open = stream.Write(operation.Next());
        if constexpr (Reads<Stream>) {
          open = open && stream.Read(item);
          if (open) operation.Got(item);
        }
      }
    }
    if constexpr (Writes<Stream> && Reads<Stream>) stream.WritesDone();
    operation.MaybeCancel(stream);
    if constexpr (Reads<Stream>) {
      while (stream.Read(item)) {
        operation.Got(item);
        operation.MaybeCancel(stream);
      }
    }
    status = FinishOf(stream, operation);
  }
  operation.Ended(status);
}

// ---- callbacks

class UnaryChain : public std::enable_shared_from_this<UnaryChain> {
 public:
  explicit UnaryChain(std::unique_ptr<Operation> operation)
      : operation_(std::move(operation)),
        call_(operation_->stub().Unary(operation_->Next(), operation_->Options())),
        timer_(operation_.get(), &call_) {}
  void Start() {
    operation_->MaybeCancel(call_);
    call_.Then([self = shared_from_this()](absl::StatusOr<Item> reply) {
      if (reply.ok()) self->operation_->Got(*reply);
      self->operation_->Ended(reply.status());
    });
  }

 private:
  const std::unique_ptr<Operation> operation_;
  Call<Item> call_;
  const CancelTimer<Call<Item>> timer_;
};

// One step after the other, each begun by the callback of the one before.
template <class Stream>
class StreamChain : public std::enable_shared_from_this<StreamChain<Stream>> {
 public:
  StreamChain(std::unique_ptr<Operation> operation, Stream stream)
      : operation_(std::move(operation)), stream_(std::move(stream)), timer_(operation_.get(), &stream_) {}

  void Step() {
    operation_->MaybeCancel(stream_);
    if constexpr (Writes<Stream>) {
      if (open_ && operation_->HasMore()) {
        stream_.Send(operation_->Next()).Then([self = this->shared_from_this()](bool sent) { self->Sent(sent); });
        return;
      }
      if constexpr (Reads<Stream>) {
        if (!std::exchange(half_closed_, true)) stream_.WritesDone();
      }
    }
    if constexpr (Reads<Stream>) {
      Read();
    } else {
      Finish();
    }
  }

 private:
  void Sent(bool sent) {
    open_ = sent;
    if constexpr (Reads<Stream>) {
      if (sent) return Read();
    }
    Step();
  }
  void Read() {
    stream_.Next().Then([self = this->shared_from_this()](std::optional<Item> item) {
      if (!item.has_value()) return self->Finish();
      self->operation_->Got(*item);
      self->Step();
    });
  }
  void Finish() {
    stream_.Finished().Then([self = this->shared_from_this()](auto result) { self->End(result); });
  }
  void End(const absl::Status& status) { operation_->Ended(status); }
  void End(const absl::StatusOr<Item>& reply) {
    operation_->GotCount(reply);
    operation_->Ended(reply.status());
  }

  const std::unique_ptr<Operation> operation_;
  Stream stream_;
  const CancelTimer<Stream> timer_;
  bool open_ = true;
  bool half_closed_ = false;
};

// ---- coroutines

Task<void> RunUnary(std::unique_ptr<Operation> operation) {
  absl::Status status;
  {
    Call<Item> call = operation->stub().Unary(operation->Next(), operation->Options());
    const CancelTimer timer(operation.get(), &call);
    operation->MaybeCancel(call);
    absl::StatusOr<Item> reply = co_await call;
    if (reply.ok()) operation->Got(*reply);
    status = reply.status();
  }
  operation->Ended(status);
}

template <class Stream>
Task<void> RunStream(std::unique_ptr<Operation> operation, Stream stream) {
  absl::Status status;
  {
    const CancelTimer timer(operation.get(), &stream);
    bool open = true;
    if constexpr (Writes<Stream>) {
      while (open && operation->HasMore()) {
        operation->MaybeCancel(stream);
        open = co_await stream.Send(operation->Next());
        if constexpr (Reads<Stream>) {
          if (!open) break;
          std::optional<Item> echo = co_await stream.Next();
          open = echo.has_value();
          if (open) operation->Got(*echo);
        }
      }
    }
    if constexpr (Writes<Stream> && Reads<Stream>) stream.WritesDone();
    operation->MaybeCancel(stream);
    if constexpr (Reads<Stream>) {
      for (open = true; open;) {
        std::optional<Item> item = co_await stream.Next();
        open = item.has_value();
        if (open) operation->Got(*item);
        operation->MaybeCancel(stream);
      }
      status = co_await stream.Finished();
    } else {
      absl::StatusOr<Item> reply = co_await stream.Finished();
      operation->GotCount(reply);
      status = reply.status();
    }
  }
  operation->Ended(status);
}

// ---- the forms

void Start(std::unique_ptr<Operation> operation) {
  switch (operation->plan().form) {
    case CallForm::kBlocking:
      return Block(*operation);
    case CallForm::kCallback:
      return std::make_shared<UnaryChain>(std::move(operation))->Start();
    case CallForm::kCoroutine:
      return Spawn(RunUnary(std::move(operation)));
  }
}

template <class Stream>
void Start(std::unique_ptr<Operation> operation, Stream stream) {
  switch (operation->plan().form) {
    case CallForm::kBlocking:
      return Block(*operation, std::move(stream));
    case CallForm::kCallback:
      return std::make_shared<StreamChain<Stream>>(std::move(operation), std::move(stream))->Step();
    case CallForm::kCoroutine:
      return Spawn(RunStream(std::move(operation), std::move(stream)));
  }
}

}  // namespace

OperationRunner::OperationRunner(std::string address, const History& history, uint64_t seed)
    : address_(std::move(address)), history_(history), seed_(seed) {
  for (int i = 0; i < kChannels; ++i) {
    absl::StatusOr<Channel> channel = Connect(address_);
    if (channel.ok()) channels_.push_back(*std::move(channel));
  }
}

::soak::Soak::Stub OperationRunner::StubFor(uint32_t call, const CallPlan& plan) const {
  if (plan.fresh_channel) {
    absl::StatusOr<Channel> fresh = Connect(address_);
    if (fresh.ok()) return ::soak::Soak::Stub(*fresh);
  }
  return ::soak::Soak::Stub(channels_[call % channels_.size()]);
}

void OperationRunner::Run(uint32_t call) {
  auto operation = std::make_unique<Operation>(this, call);
  const ::soak::Soak::Stub stub = operation->stub();
  const CallOptions options = operation->Options();
  switch (operation->plan().kind) {
    case CallKind::kUnary:
      return Start(std::move(operation));
    case CallKind::kOutput: {
      auto stream = stub.Output(operation->Next(), options);
      return Start(std::move(operation), std::move(stream));
    }
    case CallKind::kInput:
      return Start(std::move(operation), stub.Input(options));
    case CallKind::kDuplex:
      return Start(std::move(operation), stub.Duplex(options));
  }
}

void OperationRunner::Finish() {
  std::unique_lock<std::mutex> lock(mutex_);
  left_.wait(lock, [this] { return under_way_ == 0; });
}

void OperationRunner::Enter() {
  std::unique_lock<std::mutex> lock(mutex_);
  left_.wait(lock, [this] { return under_way_ < kMostUnderWay; });
  ++under_way_;
}

void OperationRunner::Leave() {
  std::lock_guard<std::mutex> lock(mutex_);
  --under_way_;
  left_.notify_all();
}

}  // namespace nearcall
