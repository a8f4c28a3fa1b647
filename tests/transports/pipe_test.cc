// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// What pipe: and exec: do beside moving frames: addresses, programs that end, and who ends with whom.
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <memory>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "nearcall/tests/contract/program.h"
#include "nearcall/tests/transports/process_util.h"
#include "nearcall/transports/conformance/drive.h"
#include "nearcall/transports/pipe/pipe.h"

namespace nearcall {
namespace {

std::string HandOver() { return test::ProgramPath("hand_over"); }

absl::StatusOr<std::unique_ptr<Endpoint>> Exec(const std::string& command) {
  return ExecTransport().Connect(*ParseAddress("exec:" + command));
}

// The reason with which a connection to a child ends that does nothing but end.
std::string Reason(const std::string& command) {
  auto end = Exec(command);
  if (!end.ok()) return end.status().ToString();
  EXPECT_EQ(ReceiveToTheEnd(**end), 0);
  EXPECT_EQ((*end)->status().code(), absl::StatusCode::kUnavailable);
  return std::string((*end)->status().message());
}

class Folder {
 public:
  Folder() : path_(::mkdtemp(name_)) {}
  ~Folder() { std::filesystem::remove_all(path_); }
  std::string File(const std::string& name) const { return path_ + "/" + name; }

 private:
  char name_[32] = "/tmp/nearcall-pipe-XXXXXX";
  const std::string path_;
};

TEST(Exec, ItsExitStatusAndTheLastOfItsStderrAreInTheError) {
  const std::string reason = Reason(HandOver() + " exit 3 no%20such%20config%3F");
  EXPECT_TRUE(absl::StrContains(reason, "hand_over exited with status 3; the last on its stderr:\nno such config?"))
      << reason;
}

TEST(Exec, ItsSignalIsInTheError) {
  const std::string reason = Reason(HandOver() + " kill good%20bye");
  EXPECT_TRUE(absl::StrContains(reason, "was killed by signal 9 (SIGKILL); the last on its stderr:\ngood bye"))
      << reason;
}

TEST(Exec, OfMuchOnStderrTheLastIsKept) {
  const std::string reason = Reason("sh -c seq%201%20100000%20>&2");
  EXPECT_TRUE(absl::StrContains(reason, "exited with status 0")) << reason;
  EXPECT_TRUE(absl::EndsWith(reason, "\n99999\n100000")) << reason;
  EXPECT_LT(reason.size(), 3000u);
}

TEST(Exec, WordsAreSplitAtSpacesAndUnescaped) {
  const std::string reason = Reason(HandOver() + " echo  one two%20words %25 $HOME ;");
  EXPECT_TRUE(absl::EndsWith(reason, ":\none\ntwo words\n%\n$HOME\n;")) << reason;
}

TEST(Exec, WhatCannotBeRunSaysWhy) {
  const Folder folder;
  const std::string text = folder.File("text");
  std::ofstream(text) << "neither a program nor a script\n";
  EXPECT_EQ(Exec("/nowhere/at_all").status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(Exec("no_such_program_in_path").status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(Exec("").status().code(), absl::StatusCode::kInvalidArgument);
  const auto denied = Exec(text);
  EXPECT_EQ(denied.status().code(), absl::StatusCode::kPermissionDenied);
  EXPECT_TRUE(absl::StrContains(denied.status().message(), text)) << denied.status();
  ASSERT_EQ(::chmod(text.c_str(), 0755), 0);
  const std::string reason = Reason(text);
  EXPECT_TRUE(absl::StrContains(reason, "could not be started: Exec format error (ENOEXEC)")) << reason;
}

TEST(Exec, ThisProcessHasNoChildAndGetsNoSignal) {
  static volatile sig_atomic_t signals = 0;
  struct sigaction before, count = {};
  count.sa_handler = [](int) { signals = signals + 1; };
  ASSERT_EQ(::sigaction(SIGCHLD, &count, &before), 0);
  EXPECT_NE(Reason(HandOver() + " exit 0 x"), "");
  EXPECT_EQ(::waitpid(-1, nullptr, __WALL | WNOHANG), -1);
  EXPECT_EQ(errno, ECHILD);
  EXPECT_EQ(signals, 0);
  ASSERT_EQ(::sigaction(SIGCHLD, &before, nullptr), 0);
}

// Its SIGTERM comes 5 s after the end of its pipes, which it does not read, SIGKILL 5 s later.
TEST(Exec, AChildThatStaysEndsAfterItsParent) {
  const Folder folder;
  const std::string file = folder.File("pid");
  pid_t stays = 0;
  {
    test::Child parent = test::Child::Run([&](test::ChildIo& io) {
      auto end = Exec(absl::StrCat(HandOver(), " stay ", file));
      io.Say(end.ok() ? "started" : end.status().ToString());
      io.AwaitRelease();
    });
    ASSERT_EQ(parent.Hear(), "started");
    ASSERT_TRUE(test::Eventually([&] { return (std::ifstream(file) >> stays) && stays > 0; }));
    parent.Kill();
  }
  EXPECT_EQ(::kill(stays, 0), 0) << "it was given time";
  EXPECT_TRUE(test::Eventually([&] { return ::kill(stays, 0) != 0; }, 20'000));
}

TEST(Pipe, AddressesThatCannotBe) {
  int ends[2];
  ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  UniqueFd in(ends[0]), out(ends[1]);
  UniqueFd file(::open("/dev/null", O_RDWR | O_CLOEXEC));
  const struct {
    std::string rest, says;
  } kCases[] = {
      {"3", "write pipe:R,W"},
      {"x,y", "write pipe:R,W"},
      {"0,5", "never 0 or 1"},
      {absl::StrCat(in.get(), ",", in.get()), "two descriptors"},
      {absl::StrCat(out.get(), ",", in.get()), "not open for reading"},
      {absl::StrCat(file.get(), ",", out.get()), "not a pipe"},
      {"998,999", "is not open in this process"},
      {absl::StrCat(in.get(), ",", out.get(), "?size=3"), "unknown parameter"},
  };
  for (const auto& each : kCases) {
    const auto end = PipeTransport().Connect(*ParseAddress("pipe:" + each.rest));
    EXPECT_EQ(end.status().code(), absl::StatusCode::kInvalidArgument) << each.rest;
    EXPECT_TRUE(absl::StrContains(end.status().message(), each.says)) << end.status();
    EXPECT_FALSE(PipeTransport().Listen(*ParseAddress("pipe:" + each.rest)).ok());
  }
  EXPECT_GE(::fcntl(in.get(), F_GETFD), 0) << "still ours";
}

TEST(Pipe, TheVariableIsForOneProcess) {
  ::unsetenv("NEARCALL_PIPE");
  auto none = PipeTransport().Listen(*ParseAddress("pipe:"));
  EXPECT_TRUE(absl::StrContains(none.status().message(), "not started by exec:")) << none.status();
  ::setenv("NEARCALL_PIPE", "1,3,4", 1);
  auto other = PipeTransport().Listen(*ParseAddress("pipe:"));
  EXPECT_TRUE(absl::StrContains(other.status().message(), "for another process")) << other.status();
  ::unsetenv("NEARCALL_PIPE");
}

TEST(Pipe, AListenerEndsWithItsOneConnection) {
  int up[2], down[2];
  ASSERT_EQ(::pipe2(up, O_CLOEXEC), 0);
  ASSERT_EQ(::pipe2(down, O_CLOEXEC), 0);
  auto listener = PipeTransport().Listen(*ParseAddress(absl::StrCat("pipe:", up[0], ",", down[1])));
  ASSERT_TRUE(listener.ok()) << listener.status();
  auto client = PipeTransport().Connect(*ParseAddress(absl::StrCat("pipe:", down[0], ",", up[1])));
  ASSERT_TRUE(client.ok()) << client.status();
  auto server = AcceptOne(**listener);
  ASSERT_NE(server, nullptr);
  EXPECT_TRUE(Transfer(**client, *server, {"a", ""}));
  pollfd look = {(*listener)->fd(), POLLIN, 0};
  EXPECT_EQ(::poll(&look, 1, 0), 0) << "nobody else can come";
  auto nobody = (*listener)->Accept();
  ASSERT_TRUE(nobody.ok()) << nobody.status();
  EXPECT_EQ(*nobody, nullptr);
  server = nullptr;
  EXPECT_EQ(::poll(&look, 1, 0), 1);
  EXPECT_EQ((*listener)->Accept().status().code(), absl::StatusCode::kOutOfRange);
}

}  // namespace
}  // namespace nearcall
