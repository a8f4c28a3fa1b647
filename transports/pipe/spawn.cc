// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
#include "nearcall/transports/pipe/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>
#include <mutex>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/types/span.h"
#include "nearcall/transports/api/clock.h"
#include "nearcall/transports/api/errno_status.h"
#include "nearcall/transports/api/poll.h"
#include "nearcall/transports/byte_stream/pipe_io.h"
#include "nearcall/transports/pipe/keeper.h"

extern char** environ;

namespace nearcall::internal {
namespace {

constexpr int kPipeSize = 65536;           // what a pipe has unless its user is over the soft limit
constexpr int64_t kReportNs = 50'000'000;  // for a child that has let go of its pipes, and lives
constexpr absl::string_view kVariable = "NEARCALL_PIPE=";

struct Pipe {
  UniqueFd in;  // to read from
  UniqueFd out;
};

absl::StatusOr<Pipe> NewPipe() {
  int fds[2];
  if (::pipe2(fds, O_CLOEXEC) != 0) return ErrnoStatus(errno, "cannot make a pipe");
  Pipe pipe{UniqueFd(fds[0]), UniqueFd(fds[1])};
  // 0, 1 and 2 are somebody's to come, in a process that was started without them.
  for (UniqueFd* end : {&pipe.in, &pipe.out}) {
    if (end->get() > 2) continue;
    UniqueFd higher(::fcntl(end->get(), F_DUPFD_CLOEXEC, 3));
    if (!higher.valid()) return ErrnoStatus(errno, "cannot make a pipe");
    *end = std::move(higher);
  }
  if (absl::Status roomy = CheckPipeSize(pipe.in.get()); !roomy.ok()) return roomy;
  return pipe;
}

absl::StatusOr<std::string> FindProgram(const std::string& program) {
  if (absl::StrContains(program, '/')) {
    if (::access(program.c_str(), X_OK) == 0) return program;
    return ErrnoStatus(errno, absl::StrCat("cannot run ", program));
  }
  const char* const path = ::getenv("PATH");
  int error = ENOENT;
  for (const absl::string_view directory : absl::StrSplit(path == nullptr ? "/usr/bin:/bin" : path, ':')) {
    const std::string candidate = absl::StrCat(directory.empty() ? "." : directory, "/", program);
    if (::access(candidate.c_str(), X_OK) == 0) return candidate;
    if (errno == EACCES) error = EACCES;
  }
  return ErrnoStatus(error, absl::StrCat("cannot run ", program, ", looked for in PATH"));
}

std::string TextOf(const KeeperReport& report, const std::string& program, absl::string_view errors) {
  std::string text = absl::StrCat("; ", program);
  switch (report.kind) {
    case KeeperReport::kNotStarted:
      absl::StrAppend(&text, " could not be started: ", ErrnoText(report.value));
      break;
    case KeeperReport::kExited:
      absl::StrAppend(&text, " exited with status ", report.value);
      break;
    case KeeperReport::kKilled:
      absl::StrAppend(&text, " was killed by signal ", report.value, " (SIG", ::sigabbrev_np(report.value), ")");
      break;
  }
  while (!errors.empty() && errors.back() == '\n') errors.remove_suffix(1);
  // The first line of what was kept may have lost its beginning.
  if (errors.size() + 1 >= kKeptErrors && absl::StrContains(errors, '\n')) errors.remove_prefix(errors.find('\n') + 1);
  if (!errors.empty()) absl::StrAppend(&text, "; the last on its stderr:\n", errors);
  return text;
}

class ChildEnding final : public ByteStreamEnding {
 public:
  ChildEnding(std::string program, UniqueFd leash) : program_(std::move(program)), leash_(std::move(leash)) {}

  // A process that ends closes its pipes first, and is reported a moment later: 0.2 ms, as a rule.
  std::string Text() override {
    std::lock_guard<std::mutex> lock(mutex_);
    if (!asked_) {
      asked_ = true;
      pollfd look = {leash_.get(), POLLIN, 0};
      PollUntil(absl::MakeSpan(&look, 1), MonotonicNanos() + kReportNs);
      char packet[sizeof(KeeperReport) + kKeptErrors];
      KeeperReport report;
      const ssize_t n = ::recv(leash_.get(), packet, sizeof(packet), MSG_DONTWAIT);
      if (n < static_cast<ssize_t>(sizeof(report))) return "";
      std::memcpy(&report, packet, sizeof(report));
      text_ = TextOf(report, program_, {packet + sizeof(report), static_cast<size_t>(n) - sizeof(report)});
    }
    return text_;
  }

 private:
  const std::string program_;
  const UniqueFd leash_;
  std::mutex mutex_;
  bool asked_ = false;
  std::string text_;
};

std::vector<char*> Pointers(std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  for (std::string& text : texts) pointers.push_back(text.data());
  return pointers;
}

// The environment with `variable`, which has room to grow, in place of an inherited one.
std::vector<char*> Environment(char* variable) {
  std::vector<char*> result;
  for (char** each = environ; *each != nullptr; ++each) {
    if (!absl::StartsWith(*each, kVariable)) result.push_back(*each);
  }
  result.push_back(variable);
  result.push_back(nullptr);
  return result;
}

// The keeper, by way of a process that ends at once: so it is init's child and not ours.
absl::Status StartKeeper(KeeperPlan& plan) {
  sigset_t all;
  ::sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, &plan.mask);  // no handler of this program's runs in the keeper
  const pid_t between = RawFork(0);
  if (between == 0) {
    const pid_t keeper = RawFork(0);
    if (keeper == 0) RunKeeper(plan);
    ::_exit(keeper < 0 ? 1 : 0);
  }
  const int error = errno;
  int status = 0;
  if (between > 0) {
    while (::waitpid(between, &status, __WALL) < 0 && errno == EINTR) {
    }
  }
  ::pthread_sigmask(SIG_SETMASK, &plan.mask, nullptr);
  if (between < 0 || status != 0) {
    return absl::ResourceExhaustedError(absl::StrCat("cannot fork: ", ErrnoText(between < 0 ? error : EAGAIN),
                                                     "; the limit of processes is RLIMIT_NPROC (ulimit -u)"));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::vector<std::string>> SplitCommand(const Address& address) {
  // Split as written, then unescaped word by word, by the rules of addresses.
  std::vector<std::string> words;
  const bool escaped = !address.written.empty();
  for (const absl::string_view word :
       absl::StrSplit(escaped ? address.written : address.rest, ' ', absl::SkipEmpty())) {
    absl::StatusOr<Address> unescaped = ParseAddress(absl::StrCat("word:", escaped ? word : ""));
    if (!unescaped.ok()) return unescaped.status();
    words.push_back(escaped ? unescaped->rest : std::string(word));
  }
  if (words.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat(address.ToString(), ": no program; write for example exec:./my_server --flag"));
  }
  return words;
}

absl::StatusOr<Spawned> Spawn(const std::vector<std::string>& words) {
  const absl::StatusOr<std::string> program = FindProgram(words[0]);
  if (!program.ok()) return program.status();
  absl::StatusOr<Pipe> to_child = NewPipe(), from_child = NewPipe(), errors = NewPipe();
  for (const absl::StatusOr<Pipe>* pipe : {&to_child, &from_child, &errors}) {
    if (!pipe->ok()) return pipe->status();
  }
  int pair[2];
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0) {
    return ErrnoStatus(errno, "cannot make a socket pair");
  }
  UniqueFd leash(pair[0]), keepers_leash(pair[1]);
  UniqueFd copy(::fcntl(leash.get(), F_DUPFD_CLOEXEC, 0));
  if (!copy.valid()) return ErrnoStatus(errno, "cannot copy a descriptor");
  UniqueFd parent(static_cast<int>(::syscall(SYS_pidfd_open, ::getpid(), 0)));  // without: the leash tells

  std::vector<std::string> arguments = words;
  std::vector<char*> argument_pointers = Pointers(arguments);
  argument_pointers.push_back(nullptr);
  char variable[64] = {};
  std::memcpy(variable, kVariable.data(), kVariable.size());
  std::vector<char*> environment = Environment(variable);

  KeeperPlan plan = {};
  plan.program = program->c_str();
  plan.arguments = argument_pointers.data();
  plan.environment = environment.data();
  plan.variable = variable;
  plan.child_in = to_child->in.get();
  plan.child_out = from_child->out.get();
  plan.errors_in = errors->in.get();
  plan.errors_out = errors->out.get();
  plan.leash = keepers_leash.get();
  plan.parent = parent.get();
  if (absl::Status started = StartKeeper(plan); !started.ok()) return started;

  Spawned spawned;
  spawned.in = std::move(from_child->in);
  spawned.out = std::move(to_child->out);
  spawned.death = std::move(leash);
  spawned.ending = std::make_unique<ChildEnding>(*program, std::move(copy));
  return spawned;
}

}  // namespace nearcall::internal
