// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// Child processes for tests: forked from a process without threads, told what to do through pipes, always reaped.
//
//   Child server = Child::Run([&](ChildIo& io) { io.Say("ready"); io.AwaitRelease(); });
//   EXPECT_EQ(server.Hear(), "ready"); server.Kill();
//
// Thread safety: none; fork before any thread starts. Lifetime: the destructor kills and reaps. Errors: an empty
// Hear() means that the child ended (or said nothing for 10 s).
#ifndef NEARCALL_TESTS_TRANSPORTS_PROCESS_UTIL_H_
#define NEARCALL_TESTS_TRANSPORTS_PROCESS_UTIL_H_

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "nearcall/transports/api/clock.h"
#include "nearcall/transports/api/unique_fd.h"

namespace nearcall::test {

// Polls `condition` until it holds or `limit_ms` have passed; returns whether it held.
inline bool Eventually(const std::function<bool()>& condition, int limit_ms = 10'000) {
  const int64_t end = MonotonicNanos() + int64_t{limit_ms} * 1'000'000;
  while (!condition()) {
    if (MonotonicNanos() > end) return false;
    ::poll(nullptr, 0, 1);
  }
  return true;
}

// One line from `fd`, without its end; empty at the end of the file or after `limit_ms`.
inline std::string ReadLine(int fd, int limit_ms) {
  std::string line;
  const int64_t end = MonotonicNanos() + int64_t{limit_ms} * 1'000'000;
  for (;;) {
    const int64_t left = (end - MonotonicNanos()) / 1'000'000;
    pollfd entry = {fd, POLLIN, 0};
    if (left <= 0 || ::poll(&entry, 1, static_cast<int>(left)) <= 0) return "";
    char c;
    if (::read(fd, &c, 1) != 1) return "";
    if (c == '\n') return line;
    line += c;
  }
}

class ChildIo {
 public:
  ChildIo(int out, int in) : out_(out), in_(in) {}
  void Say(std::string line) {
    std::replace(line.begin(), line.end(), '\n', ' ');
    line += '\n';
    if (::write(out_, line.data(), line.size()) != static_cast<ssize_t>(line.size())) ::_exit(99);
  }
  std::string Hear(int limit_ms = 10'000) { return ReadLine(in_, limit_ms); }
  // Until the parent says something, closes its end or dies.
  void AwaitRelease() { Hear(60'000); }

 private:
  int out_;
  int in_;
};

class Child {
 public:
  Child() = default;
  Child(Child&& other) noexcept { *this = std::move(other); }
  Child& operator=(Child&& other) noexcept {
    Kill();
    pid_ = std::exchange(other.pid_, 0);
    from_ = std::move(other.from_);
    to_ = std::move(other.to_);
    return *this;
  }
  ~Child() { Kill(); }

  static Child Run(const std::function<void(ChildIo&)>& body) {
    int out[2];
    int in[2];
    if (::pipe2(out, O_CLOEXEC) != 0 || ::pipe2(in, O_CLOEXEC) != 0) ::abort();
    const pid_t parent = ::getpid();
    const pid_t pid = ::fork();
    if (pid < 0) ::abort();
    if (pid == 0) {
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);
      if (::getppid() != parent) ::_exit(98);
      ::close(out[0]);
      ::close(in[1]);
      ChildIo io(out[1], in[0]);
      body(io);
      ::_exit(0);
    }
    ::close(out[1]);
    ::close(in[0]);
    Child child;
    child.pid_ = pid;
    child.from_.Reset(out[0]);
    child.to_.Reset(in[1]);
    return child;
  }

  pid_t pid() const { return pid_; }
  std::string Hear(int limit_ms = 10'000) { return ReadLine(from_.get(), limit_ms); }
  void Say(std::string line) {
    line += '\n';
    ::signal(SIGPIPE, SIG_IGN);
    if (::write(to_.get(), line.data(), line.size()) < 0) return;  // it has died: Hear() tells
  }
  // SIGKILL, and waits until it is dead; reaps it unless told to leave the zombie.
  void Kill(bool reap = true) {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGKILL);
    if (!reap) {
      siginfo_t info;
      ::waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOWAIT);
      return;
    }
    Reap();
  }
  // Lets it end; returns its wait status.
  int Finish() {
    Say("end");  // closing the pipe is not enough: children forked later hold it too
    to_.Reset();
    return Reap();
  }

 private:
  int Reap() {
    int status = -1;
    if (pid_ > 0) ::waitpid(pid_, &status, 0);
    pid_ = 0;
    return status;
  }

  pid_t pid_ = 0;
  UniqueFd from_;
  UniqueFd to_;
};

inline std::vector<std::string> FilesIn(const std::string& directory) {
  std::vector<std::string> names;
  DIR* dir = ::opendir(directory.c_str());
  if (dir == nullptr) return {"(cannot open " + directory + ")"};
  while (const dirent* entry = ::readdir(dir)) {
    const std::string name = entry->d_name;
    if (name != "." && name != "..") names.push_back(name);
  }
  ::closedir(dir);
  std::sort(names.begin(), names.end());
  return names;
}

inline int OpenDescriptors() { return static_cast<int>(FilesIn("/proc/self/fd").size()) - 1; }  // less opendir's own

// A fresh directory, removed with the files in it.
class TempDir {
 public:
  explicit TempDir(mode_t mode = 0700) {
    char path[] = "/tmp/nearcall-test-XXXXXX";
    if (::mkdtemp(path) == nullptr) ::abort();
    path_ = path;
    ::chmod(path, mode);
  }
  ~TempDir() {
    for (const std::string& name : FilesIn(path_)) {
      if (::unlink((path_ + "/" + name).c_str()) != 0) ::rmdir((path_ + "/" + name).c_str());
    }
    ::rmdir(path_.c_str());
  }
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;
  const std::string& path() const { return path_; }
  std::string operator/(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

inline constexpr uid_t kNobody = 65534;

// Becomes nobody for good. REQUIRES: root, in a child process.
inline void BecomeNobody() {
  if (::setresgid(kNobody, kNobody, kNobody) != 0 || ::setresuid(kNobody, kNobody, kNobody) != 0) ::_exit(97);
}

}  // namespace nearcall::test

#endif  // NEARCALL_TESTS_TRANSPORTS_PROCESS_UTIL_H_
