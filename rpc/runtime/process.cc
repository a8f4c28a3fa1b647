// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
#include "nearcall/rpc/runtime/process.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <utility>

#include "nearcall/rpc/runtime/server_core.h"

namespace nearcall::internal {
namespace {

constexpr std::array<int, 2> kSignals = {SIGINT, SIGTERM};
std::atomic<int> signal_fd{-1};  // for the handler; the Process owns it
std::atomic<Process*> the_process{nullptr};

extern "C" void NearcallSignal(int) {
  const int saved = errno;
  const uint64_t one = 1;
  [[maybe_unused]] ssize_t written = ::write(signal_fd.load(std::memory_order_relaxed), &one, sizeof(one));
  errno = saved;
}

}  // namespace

class Process::SignalSource final : public Pool::Source {
 public:
  void OnReady(uint32_t) override { Get().OnSignal(); }
};

// Never destroyed: other threads may use it while the process exits. No function-local static: a fork() while another
// thread makes it would leave it locked in the child.
Process& Process::Get() {
  Process* process = the_process.load(std::memory_order_acquire);
  if (process != nullptr) return *process;
  auto* const made = new Process;
  if (the_process.compare_exchange_strong(process, made, std::memory_order_acq_rel)) return *made;
  delete made;
  return *process;
}

void Process::ForgetInForkedChild() {
  the_process.store(nullptr, std::memory_order_relaxed);
  signal_fd.store(-1, std::memory_order_relaxed);
  for (const int number : kSignals) {  // the parent's descriptor must not hear of the child's signals
    struct sigaction action {};
    if (::sigaction(number, nullptr, &action) != 0 || action.sa_handler != &NearcallSignal) continue;
    action.sa_handler = SIG_DFL;
    ::sigaction(number, &action, nullptr);
  }
}

Process::Process() : io_pool_(std::make_shared<Pool>(PoolOptions{.name = "nearcall-io", .threads = 1})) {}

SpinRoom& Process::spin_room() {
  std::call_once(spin_room_made_, [this] { spin_room_.emplace(); });
  return *spin_room_;
}

void Process::AddSignalled(const std::shared_ptr<ServerCore>& server) {
  std::lock_guard<std::mutex> lock(mutex_);
  signalled_.push_back(server);
  if (signalled_.size() == 1) TakeSignals();
}

void Process::TakeSignals() {
  if (!signal_fd_.valid()) {
    signal_fd_.Reset(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    if (!signal_fd_.valid()) return;  // without it the default action stays
    signal_fd.store(signal_fd_.get(), std::memory_order_relaxed);
    signal_key_ = io_pool_->Add(signal_fd_.get(), std::make_shared<SignalSource>(), 0);
    if (signal_key_ < 0) return;
    io_pool_->Arm(signal_key_, EPOLLIN);
  }
  for (size_t i = 0; i < kSignals.size(); ++i) {
    struct sigaction action {};
    if (::sigaction(kSignals[i], nullptr, &action) != 0 || action.sa_handler != SIG_DFL) continue;
    action.sa_handler = &NearcallSignal;
    action.sa_flags = SA_RESTART;
    taken_[i] = ::sigaction(kSignals[i], &action, nullptr) == 0;
  }
}

void Process::RemoveSignalled(const ServerCore* server) {
  std::lock_guard<std::mutex> lock(mutex_);
  const auto it = std::find_if(signalled_.begin(), signalled_.end(), [&](const auto& s) { return s.get() == server; });
  if (it == signalled_.end()) return;
  signalled_.erase(it);
  if (!signalled_.empty()) return;
  for (size_t i = 0; i < kSignals.size(); ++i) {
    if (!std::exchange(taken_[i], false)) continue;
    struct sigaction action {};
    if (::sigaction(kSignals[i], nullptr, &action) != 0 || action.sa_handler != &NearcallSignal) continue;
    action.sa_handler = SIG_DFL;
    ::sigaction(kSignals[i], &action, nullptr);
  }
}

void Process::OnSignal() {
  uint64_t count = 0;
  [[maybe_unused]] ssize_t n = ::read(signal_fd_.get(), &count, sizeof(count));
  std::vector<std::shared_ptr<ServerCore>> servers;
  {
    std::lock_guard<std::mutex> lock(mutex_);
    servers = signalled_;
  }
  for (; count > 0; --count) {
    for (const std::shared_ptr<ServerCore>& server : servers) server->OnSignal();
  }
  io_pool_->Arm(signal_key_, EPOLLIN);
}

}  // namespace nearcall::internal
