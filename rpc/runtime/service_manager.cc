// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
#include "nearcall/rpc/runtime/service_manager.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstdio>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "nearcall/transports/api/clock.h"
#include "nearcall/transports/api/errno_status.h"

namespace nearcall::internal {
namespace {

constexpr timeval kPatience = {1, 0};  // for a manager that is behind with READY=1; nothing else waits

std::string Variable(const char* name) {
  const char* value = ::getenv(name);
  return value == nullptr ? "" : value;
}

int64_t WatchdogNanos() {
  int64_t microseconds = 0;
  if (!absl::SimpleAtoi(Variable("WATCHDOG_USEC"), &microseconds) || microseconds <= 0) return 0;
  if (microseconds > kNoDeadline / 1000) return 0;
  const std::string pid = Variable("WATCHDOG_PID");
  if (!pid.empty() && pid != absl::StrCat(::getpid())) return 0;  // somebody else's
  return microseconds * 1000 / 2;
}

}  // namespace

void ServiceManager::Begin(bool listens) {
  std::lock_guard<std::mutex> lock(mutex_);
  path_ = Variable("NOTIFY_SOCKET");
  if (path_.empty() || state_ != State::kSilent) return;
  socket_.Reset(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (socket_.valid()) ::setsockopt(socket_.get(), SOL_SOCKET, SO_SNDTIMEO, &kPatience, sizeof(kPatience));
  watchdog_ns_ = WatchdogNanos();
  state_ = State::kRunning;
  if (listens) SayReadyLocked();
}

void ServiceManager::Listening() {
  std::lock_guard<std::mutex> lock(mutex_);
  if (state_ == State::kRunning) SayReadyLocked();
}

void ServiceManager::SayReadyLocked() {
  state_ = State::kReady;
  SayLocked("READY=1", 0);
  ScheduleLocked();
}

void ServiceManager::Stopping() {
  std::lock_guard<std::mutex> lock(mutex_);
  if (state_ != State::kReady) return;
  state_ = State::kStopping;
  SayLocked("STOPPING=1", MSG_DONTWAIT);
}

void ServiceManager::End() {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    state_ = State::kSilent;
    socket_.Reset();
  }
  pool_->Cancel(this);
}

void ServiceManager::ScheduleLocked() {
  if (watchdog_ns_ > 0) pool_->Schedule(this, MonotonicNanos() + watchdog_ns_);
}

void ServiceManager::OnTimer() {
  std::lock_guard<std::mutex> lock(mutex_);
  if (state_ == State::kSilent) return;
  SayLocked("WATCHDOG=1", MSG_DONTWAIT);
  ScheduleLocked();
}

void ServiceManager::SayLocked(absl::string_view what, int flags) {
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  int error = ENAMETOOLONG;
  if (!socket_.valid()) {
    error = EMFILE;
  } else if (path_.size() < sizeof(address.sun_path)) {
    ::memcpy(address.sun_path, path_.data(), path_.size());
    if (address.sun_path[0] == '@') address.sun_path[0] = '\0';  // an abstract name
    const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path_.size());
    ssize_t sent;
    do {
      sent = ::sendto(socket_.get(), what.data(), what.size(), flags | MSG_NOSIGNAL,
                      reinterpret_cast<const sockaddr*>(&address), size);
    } while (sent < 0 && errno == EINTR);
    if (sent >= 0) return;
    error = errno;
  }
  if (complained_) return;
  complained_ = true;
  std::fprintf(stderr, "nearcall: cannot tell the service manager %.*s at NOTIFY_SOCKET=%s: %s\n",
               static_cast<int>(what.size()), what.data(), path_.c_str(), ErrnoText(error).c_str());
}

}  // namespace nearcall::internal
