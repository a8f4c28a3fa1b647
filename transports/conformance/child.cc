// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0

#include "nearcall/transports/conformance/child.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <tuple>
#include <utility>
#include <vector>

#include "absl/types/span.h"
#include "nearcall/transports/api/poll.h"
#include "nearcall/transports/conformance/drive.h"

namespace nearcall {
namespace {

std::pair<UniqueFd, UniqueFd> Pipe() {
  int fds[2];
  if (::pipe2(fds, O_CLOEXEC) != 0) return {};
  return {UniqueFd(fds[0]), UniqueFd(fds[1])};
}

}  // namespace

void Child::Side::Say(char word) {
  while (::write(say_.get(), &word, 1) < 0 && errno == EINTR) {
  }
}

void Child::Side::AwaitEnd() {
  char c;
  while (::read(hold_.get(), &c, 1) < 0 && errno == EINTR) {
  }
}

void Child::Side::ForkHolder() {
  const pid_t holder = ::fork();
  if (holder > 0) {
    [[maybe_unused]] const ssize_t n = ::write(holders_.get(), &holder, sizeof(holder));
  }
  if (holder != 0) return;
  AwaitEnd();
  ::_exit(0);
}

Child::Child(const std::function<void(Side&)>& body) {
  Side side;
  std::tie(hear_, side.say_) = Pipe();
  std::tie(side.hold_, held_) = Pipe();
  std::tie(holders_, side.holders_) = Pipe();
  pid_ = ::fork();
  if (pid_ != 0) return;
  // Not the parent's any more; and no destructors or exit handlers of the test program may run here.
  hear_.Reset();
  held_.Reset();
  holders_.Reset();
  body(side);
  ::_exit(0);
}

Child::~Child() {
  Kill();
  std::vector<pollfd> holders;
  pollfd told = {holders_.get(), POLLIN, 0};
  for (pid_t holder; PollUntil(absl::MakeSpan(&told, 1), 0) > 0 && (told.revents & POLLIN) != 0 &&
                     ::read(told.fd, &holder, sizeof(holder)) == sizeof(holder);) {
    holders.push_back({static_cast<int>(::syscall(SYS_pidfd_open, holder, 0)), POLLIN, 0});
  }
  held_.Reset();
  if (pid_ > 0) {
    while (::waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
    }
  }
  for (pollfd& holder : holders) {
    if (holder.fd < 0) continue;  // no pidfds here
    PollUntil(absl::MakeSpan(&holder, 1), After(kPatience));
    ::close(holder.fd);
  }
}

bool Child::Await(char word) {
  pollfd readable = {hear_.get(), POLLIN, 0};
  char c = 0;
  return PollUntil(absl::MakeSpan(&readable, 1), After(kPatience)) > 0 && ::read(hear_.get(), &c, 1) == 1 && c == word;
}

void Child::Kill() {
  if (pid_ > 0) ::kill(pid_, SIGKILL);
}

}  // namespace nearcall
