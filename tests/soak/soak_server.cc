// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// The server of all cases, as a process of its own: --role server ADDRESS FOLDER [HISTORY CALLS]. The lines it obeys:
// release (held calls are answered), fork (a child that holds all descriptors; says its pid), drain MILLISECONDS (shuts
// down and ends), and those of AuditLines.
#include <poll.h>
#include <unistd.h>

#include <condition_variable>
#include <cstdlib>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "nearcall/rpc/nearcall.h"
#include "nearcall/tests/soak/cycle_client.h"
#include "nearcall/tests/soak/history.h"
#include "nearcall/tests/soak/soak.h"
#include "nearcall/tests/soak/soak_process.h"
#include "tests/soak/soak.nearcall.h"

namespace nearcall {
namespace {

using ::soak::Item;

class SoakService final : public ::soak::Soak::Service {
 public:
  explicit SoakService(std::optional<History> history) : history_(std::move(history)) {}

  void Release() {
    std::lock_guard<std::mutex> lock(mutex_);
    ++releases_;
    changed_.notify_all();
  }

  absl::StatusOr<Item> Unary(ServerContext& context, const Item& request) override {
    const uint32_t call = Executed(context);
    CheckItem(call, request, 0);
    if (absl::Status status = Work(context, request); !status.ok()) return status;
    return request;
  }

  absl::Status Output(ServerContext& context, const Item& request, ServerWriter<Item>& writer) override {
    const uint32_t call = Executed(context);
    CheckItem(call, request, 0);
    if (absl::Status status = Work(context, request); !status.ok()) return status;
    Item reply = request;
    for (uint32_t i = 0; i < request.count(); ++i) {
      reply.set_index(i);
      if (!writer.Write(reply)) return Gone();
    }
    return absl::OkStatus();
  }

  absl::StatusOr<Item> Input(ServerContext& context, ServerReader<Item>& reader) override {
    const uint32_t call = Executed(context);
    uint32_t count = 0;
    for (Item item; reader.Read(item); ++count) {
      CheckItem(call, item, count);
      if (absl::Status status = Work(context, item); !status.ok()) return status;
    }
    Item reply;
    reply.set_call(call);
    reply.set_count(count);
    return reply;
  }

  absl::Status Duplex(ServerContext& context, ServerReaderWriter<Item, Item>& stream) override {
    const uint32_t call = Executed(context);
    uint32_t count = 0;
    for (Item item; stream.Read(item); ++count) {
      CheckItem(call, item, count);
      if (absl::Status status = Work(context, item); !status.ok()) return status;
      if (!stream.Write(item)) return Gone();
    }
    return absl::OkStatus();
  }

 private:
  static absl::Status Gone() { return absl::CancelledError("the client is gone"); }

  // Which call it is; 0 where nobody wants to know.
  uint32_t Executed(const ServerContext& context) {
    uint32_t call = 0;
    if (!history_.has_value() || !absl::SimpleAtoi(context.metadata().Get("call").value_or(""), &call)) return 0;
    if (call < history_->size()) (*history_)[call].executions.fetch_add(1);
    return call;
  }

  void CheckItem(uint32_t call, const Item& item, uint32_t index) const {
    if (!history_.has_value()) return;
    if (item.call() != call) history_->Violate(call, kServerWrongCall);
    if (item.index() != index) history_->Violate(call, kServerDisorder);
  }

  absl::Status Work(ServerContext& context, const Item& item) {
    if (item.hold()) return Hold(context);
    if (item.pause_us() > 0) ::usleep(item.pause_us());  // it is the work
    return absl::OkStatus();
  }

  // What a cancelled call waits on is here as long as its callback may run.
  struct Held {
    bool cancelled = false;
  };

  absl::Status Hold(ServerContext& context) {
    auto held = std::make_shared<Held>();
    context.OnCancel([this, held] {
      std::lock_guard<std::mutex> lock(mutex_);
      held->cancelled = true;
      changed_.notify_all();
    });
    std::unique_lock<std::mutex> lock(mutex_);
    const int before = releases_;
    lock.unlock();
    bench::SayLine("held");
    lock.lock();
    changed_.wait(lock, [&] { return held->cancelled || releases_ != before; });
    return held->cancelled ? Gone() : absl::OkStatus();
  }

  const std::optional<History> history_;
  std::mutex mutex_;
  std::condition_variable changed_;
  int releases_ = 0;
};

// A child that does nothing but hold what it inherits. It outlives this process, whose parent ends it.
void Fork() {
  const pid_t child = ::fork();
  if (child == 0) {
    for (;;) ::pause();
  }
  bench::SayLine(absl::StrCat(child));
}

}  // namespace

int RunServer(const std::vector<std::string>& arguments) {
  std::optional<History> history;
  uint32_t calls = 0;
  if (arguments.size() == 4 && absl::SimpleAtoi(arguments[3], &calls)) {
    absl::StatusOr<History> opened = History::Open(arguments[2], calls);
    if (!opened.ok()) return ExitWith(opened.status());
    history.emplace(*std::move(opened));
  } else if (arguments.size() != 2) {
    return 2;
  }
  SoakService service(std::move(history));
  Server server;
  server.AddService(&service);
  if (absl::Status status = server.Listen(arguments[0]); !status.ok()) {
    bench::SayLine(status.ToString());
    return 1;
  }
  AuditLines audit(arguments[1]);
  bench::SayLine("ready");
  for (std::string line; bench::HearLine(line);) {
    int64_t drain_ms = 0;
    if (line == "release") {
      service.Release();
    } else if (line == "fork") {
      Fork();
    } else if (line.rfind("drain ", 0) == 0 && absl::SimpleAtoi(line.substr(6), &drain_ms)) {
      server.Shutdown(absl::Milliseconds(drain_ms));
      server.Run();  // until the drain's end
      return 0;
    } else if (!audit.Obey(line)) {
      return 2;
    }
  }
  return 0;
}

// FOLDER WORD_FILE: as exec: starts it, with the client's stdin and stdout, which it leaves alone.
int RunCycleServer(const std::vector<std::string>& arguments) {
  if (arguments.size() != 2) return 2;
  absl::StatusOr<SharedFile> word = SharedFile::Open(arguments[1], sizeof(CycleWord));
  if (!word.ok()) return ExitWith(word.status());
  word->As<CycleWord>()->server.store(::getpid());
  SoakService service(std::nullopt);
  Server server;
  server.AddService(&service);
  if (absl::Status status = server.Listen("pipe:"); !status.ok()) return ExitWith(status);
  server.Run();
  return 0;
}

}  // namespace nearcall
