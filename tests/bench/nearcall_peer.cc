// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
#include "nearcall/tests/bench/nearcall_peer.h"

#include <unistd.h>

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "nearcall/rpc/nearcall.h"
#include "nearcall/tests/bench/echo_work.h"
#include "nearcall/transports/api/clock.h"
#include "tests/bench/echo.nearcall.h"

namespace nearcall::bench {
namespace {

constexpr size_t kStreamPayload = 64 << 10;
constexpr auto kReadEvery = std::chrono::milliseconds(2);

SpinMode SpinModeOf(const PeerKind& kind) {
  if (kind.name == kPrefer) return SpinMode::kPrefer;
  return kind.name == kAdaptive ? SpinMode::kAdaptive : SpinMode::kNever;
}

class BlockingEcho final : public EchoService::Service {
  absl::StatusOr<EchoMessage> Echo(ServerContext&, const EchoMessage& request) override { return HandleEcho(request); }
  absl::Status Repeat(ServerContext&, const EchoMessage& request, ServerWriter<EchoMessage>& writer) override {
    while (writer.Write(request)) {
    }
    return absl::CancelledError("the client is gone");
  }
  absl::StatusOr<ProcessReply> Process(ServerContext&, const ProcessRequest&) override {
    ProcessReply reply;
    reply.set_pid(::getpid());
    return reply;
  }
};

// Its server is always ahead: what the stream's credit lets it send is there, unread.
class SlowReader final : public EchoLink::SlowStream {
 public:
  explicit SlowReader(const EchoService::Stub& stub)
      : stream_(stub.Repeat(MakeEcho(kStreamPayload))), thread_([this] { Read(); }) {}
  ~SlowReader() override {
    {
      std::lock_guard<std::mutex> lock(mutex_);
      over_ = true;
    }
    ended_.notify_one();
    stream_.Cancel();
    thread_.join();
  }

 private:
  void Read() {
    EchoMessage message;
    std::unique_lock<std::mutex> lock(mutex_);
    while (!over_) {
      lock.unlock();
      const bool read = stream_.Read(message);
      lock.lock();
      if (!read) break;
      ended_.wait_for(lock, kReadEvery, [this] { return over_; });
    }
    lock.unlock();
    stream_.Finish().IgnoreError();  // cancelled
  }

  ClientReader<EchoMessage> stream_;
  std::mutex mutex_;
  std::condition_variable ended_;
  bool over_ = false;
  std::thread thread_;
};

class NearcallServer final : public EchoServer {
 public:
  explicit NearcallServer(SpinMode spin) : server_(ServerOptions().set_spin(spin)) {}
  absl::Status Listen(const std::string& address) {
    server_.AddService(&service_);
    return server_.Listen(address);
  }
  std::string address() const override { return server_.addresses().front(); }
  void Run() override { server_.Run(); }

 private:
  BlockingEcho service_;
  Server server_;
};

class NearcallLink final : public EchoLink {
 public:
  NearcallLink(const Channel& channel, size_t payload, int outstanding)
      : stub_(channel), request_(MakeEcho(payload)), outstanding_(outstanding) {}

  absl::Status AskForServer() {
    const absl::StatusOr<ProcessReply> reply = stub_.Process(ProcessRequest()).Wait();
    if (reply.ok()) server_pid_ = reply->pid();
    return reply.status();
  }
  pid_t server_pid() const override { return server_pid_; }

  absl::Status Echo() override { return Check(stub_.Echo(request_).Wait()); }

  absl::Status EchoThen() override {
    std::unique_lock<std::mutex> lock(then_mutex_);
    then_done_ = false;
    stub_.Echo(request_).Then([this](absl::StatusOr<EchoMessage> reply) {
      std::lock_guard<std::mutex> inside(then_mutex_);
      then_status_ = Check(reply);
      then_done_ = true;
      then_changed_.notify_one();
    });
    then_changed_.wait(lock, [this] { return then_done_; });
    return then_status_;
  }

  absl::StatusOr<std::unique_ptr<SlowStream>> ReadSlowly() override { return std::make_unique<SlowReader>(stub_); }

  absl::Status Flood(int64_t end, Latencies& latencies) override {
    Flight flight(end, latencies);
    for (int i = 0; i < outstanding_; ++i) Begin(flight);
    std::unique_lock<std::mutex> lock(flight.mutex);
    flight.landed.wait(lock, [&] { return flight.ended == outstanding_; });
    return flight.status;
  }

 private:
  // One Flood(): `outstanding_` chains of calls, each begun by the callback of the one before.
  struct Flight {
    Flight(int64_t end_nanos, Latencies& into) : end(end_nanos), latencies(into) {}
    const int64_t end;
    Latencies& latencies;  // callbacks of one channel run one at a time
    std::mutex mutex;
    std::condition_variable landed;
    int ended = 0;
    absl::Status status;
  };

  absl::Status Check(const absl::StatusOr<EchoMessage>& reply) const {
    if (!reply.ok()) return reply.status();
    if (reply->payload().size() == request_.payload().size()) return absl::OkStatus();
    return absl::DataLossError(
        absl::StrCat("a reply of ", reply->payload().size(), " B to ", request_.payload().size(), " B"));
  }

  void Begin(Flight& flight) {
    const int64_t begun = MonotonicNanos();
    stub_.Echo(request_).Then([this, &flight, begun](absl::StatusOr<EchoMessage> reply) {
      const absl::Status status = Check(reply);
      const int64_t now = MonotonicNanos();
      if (status.ok()) {
        flight.latencies.Add(now - begun);
        if (now < flight.end) {
          Begin(flight);
          return;
        }
      }
      std::lock_guard<std::mutex> lock(flight.mutex);
      if (!status.ok()) flight.status = status;
      if (++flight.ended == outstanding_) flight.landed.notify_one();
    });
  }

  const EchoService::Stub stub_;
  const EchoMessage request_;
  const int outstanding_;
  pid_t server_pid_ = 0;
  std::mutex then_mutex_;  // of EchoThen()
  std::condition_variable then_changed_;
  bool then_done_ = false;
  absl::Status then_status_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<EchoServer>> ServeNearcall(const PeerKind& kind, const std::string& address) {
  auto server = std::make_unique<NearcallServer>(SpinModeOf(kind));
  if (absl::Status status = server->Listen(address); !status.ok()) return status;
  return server;
}

absl::StatusOr<std::unique_ptr<EchoLink>> OpenNearcall(const PeerKind& kind, const std::string& address, size_t payload,
                                                       int outstanding) {
  absl::StatusOr<Channel> channel = Connect(address, ChannelOptions().set_spin(SpinModeOf(kind)));
  if (!channel.ok()) return channel.status();
  auto link = std::make_unique<NearcallLink>(*channel, payload, outstanding);
  if (kind.served_by_link()) {
    if (absl::Status status = link->AskForServer(); !status.ok()) return status;
  }
  return link;
}

}  // namespace nearcall::bench
