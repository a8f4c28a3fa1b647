// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// Program: another program as a child process, its output kept.
//
//   Program server(ProgramPath("server_blocking"), {"unix:/tmp/x"});
//   ... server.Signal(SIGTERM); EXPECT_EQ(server.Wait(), 0); EXPECT_EQ(server.out(), "");
//
// It may run as another user (from root): the file is opened before, so that folders closed to that user do not matter.
// Thread safety: none. Lifetime: the destructor kills and reaps. Errors: Wait() gives 128 + signal for a death by
// signal, -1 when the time is up (the program is killed then).
#ifndef NEARCALL_TESTS_CONTRACT_PROGRAM_H_
#define NEARCALL_TESTS_CONTRACT_PROGRAM_H_

#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <string>
#include <utility>
#include <vector>

#include "nearcall/transports/api/clock.h"
#include "nearcall/transports/api/unique_fd.h"

namespace nearcall::test {

// A program that was built beside this one.
inline std::string ProgramPath(const std::string& name) {
  char self[4096];
  const ssize_t size = ::readlink("/proc/self/exe", self, sizeof(self));
  if (size <= 0) ::abort();
  const std::string path(self, static_cast<size_t>(size));
  return path.substr(0, path.rfind('/') + 1) + name;
}

class Program {
 public:
  Program(const std::string& path, const std::vector<std::string>& arguments, uid_t uid = 0) {
    int out[2];
    int err[2];
    if (::pipe2(out, O_CLOEXEC) != 0 || ::pipe2(err, O_CLOEXEC) != 0) ::abort();
    std::vector<char*> argv = {const_cast<char*>(path.c_str())};
    for (const std::string& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
    argv.push_back(nullptr);
    const UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    pid_ = ::fork();
    if (pid_ < 0) ::abort();
    if (pid_ == 0) {
      ::dup2(out[1], STDOUT_FILENO);
      ::dup2(err[1], STDERR_FILENO);
      if (uid != 0 &&
          (::setgroups(0, nullptr) != 0 || ::setresgid(uid, uid, uid) != 0 || ::setresuid(uid, uid, uid) != 0)) {
        ::_exit(126);
      }
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);  // again: a change of user clears it
      ::fexecve(file.get(), argv.data(), environ);
      ::_exit(127);
    }
    ::close(out[1]);
    ::close(err[1]);
    out_fd_.Reset(out[0]);
    err_fd_.Reset(err[0]);
  }
  ~Program() { Kill(); }
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;

  void Signal(int signal) {
    if (pid_ <= 0) return;
    // A server answers from Listen() on and takes signals over in Run(): the default action would end it in between.
    const int64_t deadline = MonotonicNanos() + 5'000'000'000;
    while ((signal == SIGTERM || signal == SIGINT) && !Catches(signal) && MonotonicNanos() < deadline) {
      ::poll(nullptr, 0, 1);
    }
    ::kill(pid_, signal);
    siginfo_t info = {};
    if (signal == SIGSTOP) ::waitid(P_PID, static_cast<id_t>(pid_), &info, WSTOPPED);  // all its threads have stopped
  }
  // Whether it has a handler for the signal (proc(5), SigCgt).
  bool Catches(int signal) const {
    std::ifstream status("/proc/" + std::to_string(pid_) + "/status");
    for (std::string line; std::getline(status, line);) {
      if (line.rfind("SigCgt:", 0) == 0) return (std::stoull(line.substr(7), nullptr, 16) >> (signal - 1) & 1) != 0;
    }
    return false;
  }
  void Kill() {
    if (pid_ <= 0) return;
    Signal(SIGKILL);
    Reap();
  }
  bool Running() {
    siginfo_t info = {};
    return pid_ > 0 && ::waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
           info.si_pid == 0;
  }

  // Reads off the output until the program has ended; its exit code.
  int Wait(int limit_ms = 20'000) {
    const int64_t end = MonotonicNanos() + int64_t{limit_ms} * 1'000'000;
    while (out_fd_.valid() || err_fd_.valid()) {
      pollfd entries[] = {{out_fd_.get(), POLLIN, 0}, {err_fd_.get(), POLLIN, 0}};
      const int64_t left = (end - MonotonicNanos()) / 1'000'000;
      if (left <= 0 || ::poll(entries, 2, static_cast<int>(left)) <= 0) {
        Kill();
        return -1;
      }
      if (entries[0].revents != 0) ReadSome(&out_fd_, &out_);
      if (entries[1].revents != 0) ReadSome(&err_fd_, &err_);
    }
    return Reap();
  }
  // Reads until the output holds `text`; false if the program has ended, or the time is up, before.
  bool AwaitOutput(const std::string& text, int limit_ms = 20'000) {
    const int64_t end = MonotonicNanos() + int64_t{limit_ms} * 1'000'000;
    while (out_.find(text) == std::string::npos) {
      pollfd entry = {out_fd_.get(), POLLIN, 0};
      const int64_t left = (end - MonotonicNanos()) / 1'000'000;
      if (!out_fd_.valid() || left <= 0 || ::poll(&entry, 1, static_cast<int>(left)) <= 0) return false;
      ReadSome(&out_fd_, &out_);
    }
    return true;
  }
  pid_t pid() const { return pid_; }
  const std::string& out() const { return out_; }
  const std::string& err() const { return err_; }

 private:
  static void ReadSome(UniqueFd* fd, std::string* text) {
    char buffer[4096];
    const ssize_t size = ::read(fd->get(), buffer, sizeof(buffer));
    if (size > 0) {
      text->append(buffer, static_cast<size_t>(size));
    } else {
      fd->Reset();
    }
  }
  int Reap() {
    int status = 0;
    if (::waitpid(std::exchange(pid_, 0), &status, 0) < 0) return -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }

  pid_t pid_ = 0;
  UniqueFd out_fd_;
  UniqueFd err_fd_;
  std::string out_;
  std::string err_;
};

}  // namespace nearcall::test

#endif  // NEARCALL_TESTS_CONTRACT_PROGRAM_H_
