// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
#include "nearcall/transports/pipe/keeper.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

namespace nearcall::internal {
namespace {

constexpr int64_t kGraceNs = 5'000'000'000;  // between the end of the pipes, SIGTERM and SIGKILL
constexpr int kNone = -1;

int64_t Now() {
  timespec now;
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
}

void CloseIt(int* fd) {
  if (*fd >= 0) ::close(*fd);
  *fd = kNone;
}

// Closes all descriptors from `first` on but those of `kept`, which is sorted by this.
void CloseAllBut(int* kept, int count, unsigned first) {
  std::sort(kept, kept + count);
  for (int i = 0; i <= count; ++i) {
    if (i < count && kept[i] < static_cast<int>(first)) continue;
    const unsigned end = i < count ? static_cast<unsigned>(kept[i]) : ~0U;
    if (i == count || end > first) ::syscall(SYS_close_range, first, i == count ? ~0U : end - 1, 0);
    first = end + 1;
  }
}

char* AppendNumber(char* to, int number) {
  char digits[12];
  int count = 0;
  do {
    digits[count++] = static_cast<char>('0' + number % 10);
    number /= 10;
  } while (number > 0);
  while (count > 0) *to++ = digits[--count];
  return to;
}

[[noreturn]] void RunChild(const KeeperPlan& plan, int status_fd) {
  char* to = plan.variable + std::strlen(plan.variable);
  to = AppendNumber(to, ::getpid());
  *to++ = ',';
  to = AppendNumber(to, plan.child_in);
  *to++ = ',';
  to = AppendNumber(to, plan.child_out);
  *to = '\0';
  ::dup2(plan.errors_out, 2);
  int kept[] = {plan.child_in, plan.child_out, status_fd};
  CloseAllBut(kept, 3, 3);
  ::fcntl(plan.child_in, F_SETFD, 0);
  ::fcntl(plan.child_out, F_SETFD, 0);
  ::sigprocmask(SIG_SETMASK, &plan.mask, nullptr);
  ::execve(plan.program, plan.arguments, plan.environment);
  const int error = errno;
  static_cast<void>(::write(status_fd, &error, sizeof(error)) < 0);
  ::_exit(127);
}

class Keeper {
 public:
  explicit Keeper(const KeeperPlan& plan) : plan_(plan) {}

  [[noreturn]] void Run() {
    ::prctl(PR_SET_NAME, "nearcall-exec");
    if (!Start()) Finish();
    int kept[] = {plan_.errors_in, plan_.leash, plan_.parent, signals_, 2};
    CloseAllBut(kept, 5, 0);
    while (!ended_) Step();
    Finish();
  }

 private:
  // Starts the child; false: report_ says why not.
  bool Start() {
    sigset_t child;
    ::sigemptyset(&child);
    ::sigaddset(&child, SIGCHLD);
    signals_ = ::signalfd(-1, &child, SFD_CLOEXEC | SFD_NONBLOCK);
    int status[2];
    if (signals_ < 0 || ::pipe2(status, O_CLOEXEC) != 0) return NotStarted(errno);
    child_ = RawFork(SIGCHLD);
    if (child_ == 0) RunChild(plan_, status[1]);
    ::close(status[1]);
    CloseIt(&plan_.errors_out);
    if (child_ < 0) return NotStarted(errno);
    int error = 0;
    ssize_t n;
    do {
      n = ::read(status[0], &error, sizeof(error));
    } while (n < 0 && errno == EINTR);
    ::close(status[0]);
    if (n != static_cast<ssize_t>(sizeof(error))) return true;  // it closed with exec
    ::waitpid(child_, nullptr, __WALL);
    return NotStarted(error);
  }
  bool NotStarted(int error) {
    report_ = {KeeperReport::kNotStarted, error};
    return false;
  }

  void Step() {
    pollfd fds[] = {{plan_.errors_in, POLLIN, 0},
                    {signals_, POLLIN, 0},
                    {ending_at_ == 0 ? plan_.leash : kNone, POLLIN, 0},
                    {ending_at_ == 0 ? plan_.parent : kNone, POLLIN, 0}};
    timespec wait = {};
    if (ending_at_ != 0) {
      const int64_t left = std::max<int64_t>(0, ending_at_ - Now());
      wait = {static_cast<time_t>(left / 1'000'000'000), static_cast<long>(left % 1'000'000'000)};
    }
    if (::ppoll(fds, 4, ending_at_ == 0 ? nullptr : &wait, nullptr) < 0 && errno != EINTR) ::_exit(1);
    if (fds[0].revents != 0) PassErrorsOn();
    if (fds[1].revents != 0) LookForEnd();
    if (fds[2].revents != 0 || fds[3].revents != 0) LetGo();
    if (ending_at_ != 0 && Now() >= ending_at_) EndIt();
  }

  // Nobody wants the child any more. It sees the end of its pipes.
  void LetGo() { ending_at_ = Now() + kGraceNs; }
  void EndIt() {
    ::kill(child_, signal_);
    signal_ = SIGKILL;
    ending_at_ = Now() + kGraceNs;
  }

  void LookForEnd() {
    signalfd_siginfo info;
    static_cast<void>(::read(signals_, &info, sizeof(info)) < 0);
    int status = 0;
    if (::waitpid(child_, &status, WNOHANG | __WALL) != child_) return;
    report_ = WIFSIGNALED(status) ? KeeperReport{KeeperReport::kKilled, WTERMSIG(status)}
                                  : KeeperReport{KeeperReport::kExited, WEXITSTATUS(status)};
    ended_ = true;
  }

  // One read; false at the end, or when nothing is there.
  bool PassErrorsOn() {
    char text[4096];
    const ssize_t n = ::read(plan_.errors_in, text, sizeof(text));
    if (n < 0) return false;
    if (n == 0) {
      CloseIt(&plan_.errors_in);
      return false;
    }
    for (ssize_t at = 0; at < n;) {
      const ssize_t written = ::write(2, text + at, static_cast<size_t>(n - at));
      if (written < 0 && errno != EINTR) break;
      at += std::max<ssize_t>(0, written);
    }
    Keep(text, static_cast<size_t>(n));
    return true;
  }
  void Keep(const char* text, size_t size) {
    if (size > kKeptErrors) {
      text += size - kKeptErrors;
      size = kKeptErrors;
    }
    const size_t room = kKeptErrors - kept_;
    if (size > room) {
      std::memmove(errors_, errors_ + (size - room), kept_ - (size - room));
      kept_ -= size - room;
    }
    std::memcpy(errors_ + kept_, text, size);
    kept_ += size;
  }

  [[noreturn]] void Finish() {
    if (plan_.errors_in >= 0) {
      ::fcntl(plan_.errors_in, F_SETFL, O_NONBLOCK);
      while (PassErrorsOn()) {
      }
    }
    iovec parts[] = {{&report_, sizeof(report_)}, {errors_, kept_}};
    msghdr message = {};
    message.msg_iov = parts;
    message.msg_iovlen = 2;
    ::sendmsg(plan_.leash, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    ::close(plan_.leash);
    CloseIt(&signals_);
    CloseIt(&plan_.parent);
    // What the child has left running may still write. Without a child nobody but this process does.
    if (plan_.errors_in >= 0 && report_.kind != KeeperReport::kNotStarted) {
      ::fcntl(plan_.errors_in, F_SETFL, 0);
      while (PassErrorsOn()) {
      }
    }
    ::_exit(0);
  }

  KeeperPlan plan_;
  KeeperReport report_;
  int signals_ = kNone;
  pid_t child_ = 0;
  int signal_ = SIGTERM;
  int64_t ending_at_ = 0;  // 0: it may live
  bool ended_ = false;
  char errors_[kKeptErrors];
  size_t kept_ = 0;
};

}  // namespace

pid_t RawFork(int signal) {
#if defined(__s390x__)
  return static_cast<pid_t>(::syscall(SYS_clone, nullptr, signal, nullptr, nullptr, nullptr));
#else
  return static_cast<pid_t>(::syscall(SYS_clone, signal, nullptr, nullptr, nullptr, nullptr));
#endif
}

void RunKeeper(const KeeperPlan& plan) { Keeper(plan).Run(); }

}  // namespace nearcall::internal
