// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// Process: a program that a demo starts, whose output it reads line by line, and that it ends.
//
//   Process server("server", bin + "/server", {"local:/run/demo/greeter"});
//   if (!server.AwaitLine("serving at")) ...
//   server.Kill();
//
//   std::string output;
//   const int code = Process("grep", "/bin/grep", {"-c", "x", "file"}, Process::Echo::kNothing).ReadToEnd(output);
//
// Thread safety: one owner. Lifetime: the destructor kills and reaps; should the demo itself be killed, the kernel
// kills its children. Errors: of starting, exit code 127 with a line on stderr.
#ifndef NEARCALL_EXAMPLES_DEMO_PROCESS_PROCESS_H_
#define NEARCALL_EXAMPLES_DEMO_PROCESS_PROCESS_H_

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

#include "absl/time/time.h"

class Process {
 public:
  enum class Echo { kLines, kNothing };  // whether AwaitLine() prints what it reads

  Process(std::string name, const std::string& program, const std::vector<std::string>& arguments,
          Echo echo = Echo::kLines);
  ~Process() { Kill(); }
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  pid_t pid() const { return pid_; }
  const std::string& name() const { return name_; }

  // The next line of its output that holds `text`. None: it has ended, or the time is up.
  std::optional<std::string> AwaitLine(const std::string& text, absl::Duration limit = absl::Seconds(5));
  // Waits for its end and appends what it has printed: the exit code, or -1 if it was killed, as when the time is up.
  int ReadToEnd(std::string& output, absl::Duration limit = absl::Seconds(30));
  void Kill();                                             // SIGKILL, and waits for the end
  int Terminate(absl::Duration limit = absl::Seconds(5));  // SIGTERM, once it catches that; the exit code, or -1

 private:
  bool ReadMore(absl::Time end);
  int Reap(absl::Time end);

  const std::string name_;
  const Echo echo_;
  pid_t pid_ = 0;  // 0: ended
  int out_ = -1;
  std::string unread_;
};

#endif  // NEARCALL_EXAMPLES_DEMO_PROCESS_PROCESS_H_
