// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0

#include "nearcall/transports/conformance/child.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <tuple>
#include <utility>

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
  if (::fork() != 0) return;
  AwaitEnd();
  ::_exit(0);
}

Child::Child(const std::function<void(Side&)>& body) {
  Side side;
  std::tie(hear_, side.say_) = Pipe();
  std::tie(side.hold_, held_) = Pipe();
  pid_ = ::fork();
  if (pid_ != 0) return;
  // Not the parent's any more; and no destructors or exit handlers of the test program may run here.
  hear_.Reset();
  held_.Reset();
  body(side);
  ::_exit(0);
}

Child::~Child() {
  Kill();
  held_.Reset();
  if (pid_ > 0) {
    while (::waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
    }
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
