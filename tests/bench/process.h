// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// The other processes of a benchmark or a soak, the cores they run on and the CPU time they use.
//
//   absl::StatusOr<std::unique_ptr<ChildProcess>> server = ChildProcess::Start({SelfPath(), "--serve=floor", ...});
//   absl::StatusOr<std::string> ready = (*server)->Hear(absl::Seconds(5));
//   PinProcess((*server)->pid(), 1);
//
// A child's stdin and stdout are one socket to this process, on which both say lines. Thread safety: none. Lifetime: a
// child ends when its parent's end of the socket closes (or the thread that started it dies); the destructor waits for
// it, and kills what does not end. Errors name the program, and how it ended.
#ifndef NEARCALL_TESTS_BENCH_PROCESS_H_
#define NEARCALL_TESTS_BENCH_PROCESS_H_

#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "nearcall/transports/api/unique_fd.h"

namespace nearcall::bench {

class ChildProcess {
 public:
  // command[0] is looked up in PATH. The child may run on all cores that this process was started with.
  static absl::StatusOr<std::unique_ptr<ChildProcess>> Start(const std::vector<std::string>& command);
  ~ChildProcess();

  pid_t pid() const { return pid_; }
  absl::StatusOr<std::string> Hear(absl::Duration limit);  // one line, without its end
  absl::StatusOr<std::string> Ask(absl::string_view line, absl::Duration limit = absl::Seconds(10));
  absl::Status Tell(absl::string_view line);  // without waiting for an answer
  absl::Status End(absl::Duration limit);     // closes the socket and waits; an error unless it exits with 0
  void Kill();                                // SIGKILL, and waits until it is dead

 private:
  ChildProcess(std::string name, pid_t pid, UniqueFd socket)
      : name_(std::move(name)), pid_(pid), socket_(std::move(socket)) {}

  const std::string name_;
  const pid_t pid_;
  UniqueFd socket_;
  bool reaped_ = false;
};

// The child's side: lines on stdin and stdout.
void SayLine(absl::string_view line);
bool HearLine(std::string& line);  // false once the parent is gone

std::string SelfPath();
std::string ExecAddress(const std::vector<std::string>& command);  // exec: that starts it

// Every process but this one whose command line holds `text`; not those that wait to be reaped.
std::vector<pid_t> ProcessesNaming(absl::string_view text);
// Those that are still there at the limit.
std::vector<pid_t> AwaitEndOfThoseNaming(absl::string_view text, absl::Duration limit);

// A folder under TMPDIR or /tmp, removed with what it holds by the destructor.
class ScratchFolder {
 public:
  static absl::StatusOr<std::unique_ptr<ScratchFolder>> Make(absl::string_view name);
  ~ScratchFolder();
  const std::string& path() const { return path_; }
  std::string Path(absl::string_view name) const;

 private:
  explicit ScratchFolder(std::string path) : path_(std::move(path)) {}
  const std::string path_;
};

// From here on SIGINT and SIGTERM only set a flag, so that children and files go away in good order.
void CatchInterrupts();
bool Interrupted();

const std::vector<int>& StartCpus();  // those this process was started with; remembered by the first call
void PinProcess(pid_t pid, int cpu);  // all its threads; new ones inherit it
void PinThisThread(int cpu);
void UnpinThisProcess();  // back to StartCpus()

int64_t CpuNanos(pid_t pid);  // CPU time of all its threads so far, user and system
int64_t MachineBusyNanos();   // CPU time that everybody used so far, over all cores; in steps of 10 ms
double LoadAverage();         // of the last minute

}  // namespace nearcall::bench

#endif  // NEARCALL_TESTS_BENCH_PROCESS_H_
