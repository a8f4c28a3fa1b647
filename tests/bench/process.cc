// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
#include "nearcall/tests/bench/process.h"

#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <system_error>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "nearcall/transports/api/clock.h"

namespace nearcall::bench {
namespace {

absl::Status ErrnoError(absl::string_view what) {
  return absl::InternalError(absl::StrCat(what, ": ", ::strerror(errno)));
}

std::atomic<bool> interrupted{false};

cpu_set_t SetOf(const std::vector<int>& cpus) {
  cpu_set_t set;
  CPU_ZERO(&set);
  for (int cpu : cpus) CPU_SET(cpu, &set);
  return set;
}

void PinThreads(pid_t pid, const cpu_set_t& set) {
  // A thread that is being started while this runs may be missed by one pass over the folder.
  for (int pass = 0; pass < 2; ++pass) {
    std::error_code ignored;
    for (const auto& task : std::filesystem::directory_iterator(absl::StrCat("/proc/", pid, "/task"), ignored)) {
      int tid;
      if (absl::SimpleAtoi(task.path().filename().native(), &tid)) ::sched_setaffinity(tid, sizeof(set), &set);
    }
  }
}

}  // namespace

absl::StatusOr<std::unique_ptr<ChildProcess>> ChildProcess::Start(const std::vector<std::string>& command) {
  int pair[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0) return ErrnoError("socketpair");
  UniqueFd ours(pair[0]);
  const UniqueFd theirs(pair[1]);
  std::vector<char*> argv;
  for (const std::string& word : command) argv.push_back(const_cast<char*>(word.c_str()));
  argv.push_back(nullptr);
  const cpu_set_t cpus = SetOf(StartCpus());
  const pid_t parent = ::getpid();
  const pid_t pid = ::fork();
  if (pid < 0) return ErrnoError("fork");
  if (pid == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != parent) ::_exit(1);
    // Ctrl-C reaches the whole group; the parent ends its children in good order.
    ::signal(SIGINT, SIG_IGN);
    ::sched_setaffinity(0, sizeof(cpus), &cpus);
    ::dup2(theirs.get(), STDIN_FILENO);
    ::dup2(theirs.get(), STDOUT_FILENO);
    ::execvp(argv[0], argv.data());
    ::_exit(127);
  }
  return std::unique_ptr<ChildProcess>(new ChildProcess(command[0], pid, std::move(ours)));
}

ChildProcess::~ChildProcess() {
  if (!reaped_) End(absl::Seconds(3)).IgnoreError();
}

absl::StatusOr<std::string> ChildProcess::Hear(absl::Duration limit) {
  std::string line;
  const int64_t end = MonotonicNanos() + absl::ToInt64Nanoseconds(limit);
  for (;;) {
    const int64_t left_ms = (end - MonotonicNanos()) / 1'000'000;
    pollfd entry = {socket_.get(), POLLIN, 0};
    if (left_ms <= 0 || ::poll(&entry, 1, static_cast<int>(left_ms)) == 0) {
      return absl::DeadlineExceededError(
          absl::StrCat(name_, " (pid ", pid_, ") said nothing for ", absl::FormatDuration(limit)));
    }
    char c;
    const ssize_t got = ::read(socket_.get(), &c, 1);
    if (got < 0 && errno == EINTR) continue;
    if (got != 1) return absl::UnavailableError(absl::StrCat(name_, " (pid ", pid_, ") ended too early"));
    if (c == '\n') return line;
    line += c;
  }
}

absl::Status ChildProcess::Tell(absl::string_view line) {
  const std::string text = absl::StrCat(line, "\n");
  if (::send(socket_.get(), text.data(), text.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(text.size())) {
    return absl::UnavailableError(absl::StrCat(name_, " (pid ", pid_, ") is gone"));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::string> ChildProcess::Ask(absl::string_view line, absl::Duration limit) {
  if (absl::Status status = Tell(line); !status.ok()) return status;
  return Hear(limit);
}

void ChildProcess::Kill() {
  if (reaped_) return;
  ::kill(pid_, SIGKILL);
  ::waitpid(pid_, nullptr, 0);
  reaped_ = true;
}

absl::Status ChildProcess::End(absl::Duration limit) {
  if (reaped_) return absl::OkStatus();
  socket_ = UniqueFd();
  const int64_t end = MonotonicNanos() + absl::ToInt64Nanoseconds(limit);
  int status = 0;
  while (::waitpid(pid_, &status, WNOHANG) == 0) {
    if (MonotonicNanos() > end) ::kill(pid_, SIGKILL);
    ::poll(nullptr, 0, 2);
  }
  reaped_ = true;
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return absl::OkStatus();
  if (WIFEXITED(status) && WEXITSTATUS(status) == 127)
    return absl::NotFoundError(absl::StrCat(name_, " could not be run"));
  return absl::InternalError(absl::StrCat(name_, " (pid ", pid_, ") ended with ",
                                          WIFEXITED(status) ? "exit code " : "signal ",
                                          WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status)));
}

void SayLine(absl::string_view line) {
  const std::string text = absl::StrCat(line, "\n");
  if (::write(STDOUT_FILENO, text.data(), text.size()) != static_cast<ssize_t>(text.size())) ::_exit(1);
}

bool HearLine(std::string& line) {
  line.clear();
  for (;;) {
    char c;
    const ssize_t got = ::read(STDIN_FILENO, &c, 1);
    if (got < 0 && errno == EINTR) continue;
    if (got != 1) return false;
    if (c == '\n') return true;
    line += c;
  }
}

std::string SelfPath() {
  std::error_code error;
  const std::filesystem::path path = std::filesystem::read_symlink("/proc/self/exe", error);
  return error ? "bench" : path.string();
}

std::string ExecAddress(const std::vector<std::string>& command) {
  std::vector<std::string> words;
  for (const std::string& word : command) {
    words.push_back(absl::StrReplaceAll(word, {{"%", "%25"}, {" ", "%20"}, {"?", "%3F"}}));
  }
  return absl::StrCat("exec:", absl::StrJoin(words, " "));
}

std::vector<pid_t> ProcessesNaming(absl::string_view text) {
  std::vector<pid_t> found;
  std::error_code error;
  for (std::filesystem::directory_iterator at("/proc", error), end; !error && at != end; at.increment(error)) {
    pid_t pid = 0;
    if (!absl::SimpleAtoi(at->path().filename().native(), &pid) || pid == ::getpid()) continue;
    std::ifstream file(at->path() / "cmdline", std::ios::binary);
    std::ostringstream line;
    line << file.rdbuf();  // one that ends meanwhile gives an error, which is an empty line
    if (absl::StrContains(line.str(), text)) found.push_back(pid);
  }
  return found;
}

std::vector<pid_t> AwaitEndOfThoseNaming(absl::string_view text, absl::Duration limit) {
  const int64_t end = MonotonicNanos() + absl::ToInt64Nanoseconds(limit);
  for (;;) {
    std::vector<pid_t> found = ProcessesNaming(text);
    if (found.empty() || MonotonicNanos() > end) return found;
    ::poll(nullptr, 0, 2);
  }
}

absl::StatusOr<std::unique_ptr<ScratchFolder>> ScratchFolder::Make(absl::string_view name) {
  const char* const base = ::getenv("TMPDIR");
  std::string path = absl::StrCat(base != nullptr && *base != '\0' ? base : "/tmp", "/nearcall-", name, "-XXXXXX");
  if (::mkdtemp(path.data()) == nullptr) return ErrnoError(path);
  return std::unique_ptr<ScratchFolder>(new ScratchFolder(std::move(path)));
}

ScratchFolder::~ScratchFolder() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

std::string ScratchFolder::Path(absl::string_view name) const { return absl::StrCat(path_, "/", name); }

void CatchInterrupts() {
  struct sigaction action = {};
  action.sa_handler = [](int) { interrupted.store(true); };
  action.sa_flags = SA_RESTART | SA_RESETHAND;  // a second one ends the program at once
  ::sigaction(SIGINT, &action, nullptr);
  ::sigaction(SIGTERM, &action, nullptr);
}

bool Interrupted() { return interrupted.load(std::memory_order_relaxed); }

const std::vector<int>& StartCpus() {
  static const std::vector<int> cpus = [] {
    std::vector<int> found;
    cpu_set_t set;
    CPU_ZERO(&set);
    ::sched_getaffinity(0, sizeof(set), &set);
    for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
      if (CPU_ISSET(cpu, &set)) found.push_back(cpu);
    }
    return found;
  }();
  return cpus;
}

void PinProcess(pid_t pid, int cpu) { PinThreads(pid, SetOf({cpu})); }

void PinThisThread(int cpu) {
  const cpu_set_t set = SetOf({cpu});
  ::sched_setaffinity(0, sizeof(set), &set);
}

void UnpinThisProcess() { PinThreads(::getpid(), SetOf(StartCpus())); }

int64_t CpuNanos(pid_t pid) {
  clockid_t clock;
  timespec time = {};
  if (::clock_getcpuclockid(pid, &clock) != 0 || ::clock_gettime(clock, &time) != 0) return 0;
  return int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
}

int64_t MachineBusyNanos() {
  std::ifstream stat("/proc/stat");
  std::string label;
  int64_t user = 0, nice = 0, system = 0, idle = 0, iowait = 0, irq = 0, softirq = 0, steal = 0;
  stat >> label >> user >> nice >> system >> idle >> iowait >> irq >> softirq >> steal;
  return (user + nice + system + irq + softirq + steal) * (1'000'000'000 / ::sysconf(_SC_CLK_TCK));
}

double LoadAverage() {
  double load = 0;
  return ::getloadavg(&load, 1) == 1 ? load : 0;
}

}  // namespace nearcall::bench
