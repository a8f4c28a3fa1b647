// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
#include "nearcall/examples/demo_process/process.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <utility>

#include "absl/time/clock.h"

namespace {

// Waits for `fd` to become readable; false: not until `end`.
bool AwaitReadable(int fd, absl::Time end) {
  for (;;) {
    pollfd entry = {fd, POLLIN, 0};
    const absl::Duration left = end - absl::Now();
    if (left <= absl::ZeroDuration()) return false;
    const int ready = ::poll(&entry, 1, static_cast<int>(absl::ToInt64Milliseconds(left)) + 1);
    if (ready > 0) return true;
    if (ready < 0 && errno != EINTR) return false;
  }
}

// Whether the process catches SIGTERM, as /proc says.
bool CatchesTerm(pid_t pid) {
  std::ifstream status("/proc/" + std::to_string(pid) + "/status");
  for (std::string line; std::getline(status, line);) {
    if (line.rfind("SigCgt:", 0) == 0) return (std::stoull(line.substr(7), nullptr, 16) >> (SIGTERM - 1) & 1) != 0;
  }
  return false;
}

// Leaves it to be reaped.
bool HasEnded(pid_t pid) {
  siginfo_t info = {};
  return ::waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOHANG | WNOWAIT) != 0 || info.si_pid == pid;
}

}  // namespace

Process::Process(std::string name, const std::string& program, const std::vector<std::string>& arguments, Echo echo)
    : name_(std::move(name)), echo_(echo) {
  // All that the child needs is made before the fork: between fork and exec it may only make system calls.
  std::vector<char*> argv = {const_cast<char*>(program.c_str())};
  for (const std::string& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  int out[2];
  if (::pipe2(out, O_CLOEXEC) != 0) std::abort();
  const pid_t parent = ::getpid();
  pid_ = ::fork();
  if (pid_ < 0) std::abort();
  if (pid_ == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != parent) ::_exit(127);
    ::dup2(out[1], STDOUT_FILENO);
    ::execv(argv[0], argv.data());
    constexpr char kNoProgram[] = "demo: cannot run one of its programs; was it built?\n";
    [[maybe_unused]] const ssize_t written = ::write(STDERR_FILENO, kNoProgram, sizeof(kNoProgram) - 1);
    ::_exit(127);
  }
  ::close(out[1]);
  out_ = out[0];
}

bool Process::ReadMore(absl::Time end) {
  char buffer[4096];
  if (out_ < 0 || !AwaitReadable(out_, end)) return false;
  const ssize_t size = ::read(out_, buffer, sizeof(buffer));
  if (size <= 0) return false;
  unread_.append(buffer, static_cast<size_t>(size));
  return true;
}

std::optional<std::string> Process::AwaitLine(const std::string& text, absl::Duration limit) {
  const absl::Time end = absl::Now() + limit;
  for (;;) {
    const size_t size = unread_.find('\n');
    if (size == std::string::npos) {
      if (!ReadMore(end)) return std::nullopt;
      continue;
    }
    std::string line = unread_.substr(0, size);
    unread_.erase(0, size + 1);
    if (echo_ == Echo::kLines)
      std::printf("     %s (pid %d) says: %s\n", name_.c_str(), static_cast<int>(pid_), line.c_str());
    if (line.find(text) != std::string::npos) return line;
  }
}

void Process::Kill() {
  if (pid_ > 0) {
    ::kill(pid_, SIGKILL);
    ::waitpid(std::exchange(pid_, 0), nullptr, 0);
  }
  if (out_ >= 0) ::close(std::exchange(out_, -1));
}

int Process::ReadToEnd(std::string& output, absl::Duration limit) {
  const int code = Reap(absl::Now() + limit);
  output += unread_;
  unread_.clear();
  return code;
}

int Process::Terminate(absl::Duration limit) {
  if (pid_ <= 0) return -1;
  const absl::Time end = absl::Now() + limit;
  // A server says that it listens before its Run() takes the signal over: to one that is sent at once it would simply
  // die. It ends, or catches it, soon; there is no event to wait for.
  while (!CatchesTerm(pid_) && !HasEnded(pid_) && absl::Now() < end) ReadMore(absl::Now() + absl::Milliseconds(1));
  ::kill(pid_, SIGTERM);
  return Reap(end);
}

int Process::Reap(absl::Time end) {
  if (pid_ <= 0) return -1;
  // Its output ends when it does.
  while (ReadMore(end)) {
  }
  if (absl::Now() >= end) {
    Kill();
    return -1;
  }
  int status = 0;
  ::waitpid(std::exchange(pid_, 0), &status, 0);
  ::close(std::exchange(out_, -1));
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}
