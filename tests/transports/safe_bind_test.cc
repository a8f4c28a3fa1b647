// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// Safe bind in one process: rights, limits, leftovers of every kind, foreign owners, clear errors.
#include "nearcall/transports/rendezvous/safe_bind.h"

#include <errno.h>
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <fstream>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "nearcall/tests/transports/process_util.h"
#include "nearcall/transports/api/errno_status.h"
#include "nearcall/transports/rendezvous/place.h"

namespace nearcall::internal {
namespace {

using nearcall::test::Child;
using nearcall::test::ChildIo;
using nearcall::test::FilesIn;
using nearcall::test::kNobody;
using nearcall::test::TempDir;
using Files = std::vector<std::string>;

#define EXPECT_ERROR(status_expression, expected_code, text)                                   \
  do {                                                                                         \
    const absl::Status error = (status_expression);                                            \
    EXPECT_EQ(error.code(), absl::StatusCode::expected_code) << error;                         \
    EXPECT_TRUE(absl::StrContains(error.message(), (text))) << error << "\nlacks: " << (text); \
  } while (false)

mode_t ModeOf(const std::string& path) {
  struct stat found;
  return ::lstat(path.c_str(), &found) == 0 ? found.st_mode & 07777 : 0;
}

void WriteFile(const std::string& path) { std::ofstream(path) << "x"; }

// A bound socket's node whose socket is closed: what a killed program leaves.
void LeaveDeadSocket(const std::string& path) {
  UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const sockaddr_un address = SocketAddress(path);
  ASSERT_EQ(::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)), 0);
}

bool CanConnect(const std::string& path) {
  UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  const sockaddr_un address = SocketAddress(path);
  return ::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0;
}

class Umask {
 public:
  explicit Umask(mode_t mask) : before_(::umask(mask)) {}
  ~Umask() { ::umask(before_); }

 private:
  mode_t before_;
};

// A client that came between the bind and a later setsockopt() was refused: its greeting had no credentials.
TEST(SafeBind, ConnectionsBegunAtOnceTakeCredentials) {
  const TempDir dir;
  auto socket = SafeBind(dir / "name", {});
  ASSERT_TRUE(socket.ok()) << socket.status();
  int on = 0;
  socklen_t size = sizeof(on);
  ASSERT_EQ(::getsockopt((*socket)->fd(), SOL_SOCKET, SO_PASSCRED, &on, &size), 0);
  EXPECT_EQ(on, 1);
}

TEST(SafeBind, LeavesNothingBehind) {
  TempDir dir;
  const int before = test::OpenDescriptors();
  {
    auto socket = SafeBind(dir / "name", {});
    ASSERT_TRUE(socket.ok()) << socket.status();
    EXPECT_TRUE(CanConnect(dir / "name"));
    EXPECT_EQ(FilesIn(dir.path()), (Files{"name", "name.lock"}));
    EXPECT_EQ(HeldNameLocks(), 1);
  }
  EXPECT_EQ(FilesIn(dir.path()), Files{});
  EXPECT_EQ(HeldNameLocks(), 0);
  EXPECT_EQ(test::OpenDescriptors(), before);
}

TEST(SafeBind, ModeIsWhatWasAskedForWhateverTheUmask) {
  TempDir dir;
  for (const mode_t mask : {mode_t{0}, mode_t{022}, mode_t{0177}}) {
    Umask umask(mask);
    {
      auto socket = SafeBind(dir / "name", {});
      ASSERT_TRUE(socket.ok()) << socket.status();
      EXPECT_EQ(ModeOf(dir / "name"), mode_t{0600});
      EXPECT_EQ(ModeOf(dir / "name.lock") & 077, mode_t{0});
    }
    auto open = SafeBind(dir / "name", {.mode = 0666});
    ASSERT_TRUE(open.ok()) << open.status();
    EXPECT_EQ(ModeOf(dir / "name"), mode_t{0666});
  }
}

TEST(SafeBind, GroupIsSet) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root can give a socket to any group";
  TempDir dir;
  auto socket = SafeBind(dir / "name", {.mode = 0660, .group = 12345});
  ASSERT_TRUE(socket.ok()) << socket.status();
  struct stat found;
  ASSERT_EQ(::stat((dir / "name").c_str(), &found), 0);
  EXPECT_EQ(found.st_gid, 12345u);
  EXPECT_EQ(found.st_mode & 07777, 0660u);
}

TEST(SafeBind, ASecondBindInTheProcessIsRefusedAndLosesNoLock) {
  TempDir dir;
  auto first = SafeBind(dir / "name", {});
  ASSERT_TRUE(first.ok());
  for (int i = 0; i < 3; ++i) {
    EXPECT_ERROR(SafeBind(dir / "name", {}).status(), kAlreadyExists,
                 absl::StrCat("another server is live at ", dir / "name", " (pid ", ::getpid()));
  }
  // The same directory by another spelling is the same name.
  EXPECT_ERROR(SafeBind(dir.path() + "/./name", {}).status(), kAlreadyExists, "this process");
  Child other = Child::Run([&](ChildIo& io) { io.Say(SafeBind(dir / "name", {}).status().ToString()); });
  EXPECT_TRUE(absl::StrContains(other.Hear(), absl::StrCat("(pid ", ::getpid(), ")")));
}

TEST(SafeBind, LeftoversOfEveryKindAreTakenOver) {
  for (int kinds = 0; kinds < 8; ++kinds) {
    TempDir dir;
    if ((kinds & 1) != 0) LeaveDeadSocket(dir / "name");
    if ((kinds & 2) != 0) WriteFile(dir / "name.lock");
    if ((kinds & 4) != 0) LeaveDeadSocket(dir / "name.new");
    {
      auto socket = SafeBind(dir / "name", {});
      ASSERT_TRUE(socket.ok()) << kinds << ": " << socket.status();
      EXPECT_TRUE(CanConnect(dir / "name"));
      EXPECT_EQ(FilesIn(dir.path()), (Files{"name", "name.lock"}));
    }
    EXPECT_EQ(FilesIn(dir.path()), Files{}) << kinds;
  }
}

TEST(SafeBind, WhatIsNotASocketIsNotTouched) {
  TempDir dir;
  WriteFile(dir / "file");
  EXPECT_ERROR(SafeBind(dir / "file", {}).status(), kFailedPrecondition, (dir / "file") + " is a regular file");
  ASSERT_EQ(::mkdir((dir / "dir").c_str(), 0700), 0);
  EXPECT_ERROR(SafeBind(dir / "dir", {}).status(), kFailedPrecondition, "is a directory");
  ASSERT_EQ(::symlink("file", (dir / "link").c_str()), 0);
  EXPECT_ERROR(SafeBind(dir / "link", {}).status(), kFailedPrecondition, "is a symbolic link");
  WriteFile(dir / "temporary.new");
  EXPECT_ERROR(SafeBind(dir / "temporary", {}).status(), kFailedPrecondition, "temporary.new");
  EXPECT_EQ(FilesIn(dir.path()), (Files{"dir", "file", "link", "temporary.new"}));
}

TEST(SafeBind, OddLockFilesAreRefused) {
  TempDir dir;
  WriteFile(dir / "file");
  ASSERT_EQ(::symlink("file", (dir / "a.lock").c_str()), 0);
  EXPECT_ERROR(SafeBind(dir / "a", {}).status(), kFailedPrecondition, "a.lock is a symbolic link");
  ASSERT_EQ(::link((dir / "file").c_str(), (dir / "b.lock").c_str()), 0);
  EXPECT_ERROR(SafeBind(dir / "b", {}).status(), kFailedPrecondition, "other names");
  ASSERT_EQ(::mkfifo((dir / "c.lock").c_str(), 0600), 0);
  EXPECT_ERROR(SafeBind(dir / "c", {}).status(), kFailedPrecondition, "c.lock is a FIFO");
  ASSERT_EQ(::mkdir((dir / "d.lock").c_str(), 0700), 0);
  EXPECT_ERROR(SafeBind(dir / "d", {}).status(), kFailedPrecondition, "d.lock is a directory");
  LeaveDeadSocket(dir / "e.lock");
  EXPECT_ERROR(SafeBind(dir / "e", {}).status(), kFailedPrecondition, "e.lock is a socket");
  EXPECT_EQ(HeldNameLocks(), 0);
}

// A server that knows nothing of our lock, and one of ours whose lock file somebody deleted.
TEST(SafeBind, ALiveServerWithoutALockIsNotDisturbedEither) {
  TempDir dir;
  Child foreign = Child::Run([&](ChildIo& io) {
    UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const sockaddr_un address = SocketAddress(dir / "name");
    ::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address));
    ::listen(fd.get(), 5);
    io.Say("ready");
    io.AwaitRelease();
  });
  ASSERT_EQ(foreign.Hear(), "ready");
  EXPECT_ERROR(SafeBind(dir / "name", {}).status(), kAlreadyExists, absl::StrCat("(pid ", foreign.pid(), ";"));
  EXPECT_EQ(FilesIn(dir.path()), Files{"name"});
  foreign.Kill();
  EXPECT_TRUE(SafeBind(dir / "name", {}).ok());

  Child ours = Child::Run([&](ChildIo& io) {
    auto socket = SafeBind(dir / "name", {});
    io.Say(socket.ok() ? "ready" : socket.status().ToString());
    io.AwaitRelease();
  });
  ASSERT_EQ(ours.Hear(), "ready");
  ASSERT_EQ(::unlink((dir / "name.lock").c_str()), 0);
  EXPECT_ERROR(SafeBind(dir / "name", {}).status(), kAlreadyExists, absl::StrCat("(pid ", ours.pid(), ";"));
  ours.Finish();
  EXPECT_EQ(FilesIn(dir.path()), Files{});
}

TEST(SafeBind, CloseDoesNotRemoveAnothersSocket) {
  TempDir dir;
  auto socket = SafeBind(dir / "name", {});
  ASSERT_TRUE(socket.ok());
  ASSERT_EQ(::unlink((dir / "name").c_str()), 0);
  LeaveDeadSocket(dir / "name");  // somebody without manners
  socket->reset();
  EXPECT_EQ(FilesIn(dir.path()), Files{"name"});
}

TEST(SafeBind, PathsUpToTheLimitWork) {
  TempDir dir;
  const std::string longest = dir.path() + "/" + std::string(kMaxSocketPath - dir.path().size() - 1, 'x');
  ASSERT_EQ(longest.size(), kMaxSocketPath);
  {
    auto socket = SafeBind(longest, {});
    ASSERT_TRUE(socket.ok()) << socket.status();
    EXPECT_TRUE(CanConnect(longest));
  }
  EXPECT_EQ(FilesIn(dir.path()), Files{});
  const std::string over = longest + "y";
  EXPECT_ERROR(SafeBind(over, {}).status(), kInvalidArgument, absl::StrCat("has 108 bytes, the limit is 107: ", over));
}

TEST(SafeBind, ErrorsNameThePathAndTheErrno) {
  TempDir dir;
  WriteFile(dir / "file");
  EXPECT_ERROR(SafeBind(dir / "none/name", {}).status(), kNotFound,
               absl::StrCat("cannot open the directory ", dir / "none", " of ", dir / "none/name",
                            ": No such file or directory (ENOENT)"));
  EXPECT_ERROR(SafeBind(dir / "file/name", {}).status(), kFailedPrecondition, "ENOTDIR");
  EXPECT_ERROR(SafeBind(dir.path() + "/", {}).status(), kInvalidArgument, "does not name a file");
  EXPECT_ERROR(SafeBind("", {}).status(), kInvalidArgument, "empty");
  EXPECT_ERROR(SafeBind(std::string("a\0b", 3), {}).status(), kInvalidArgument, "NUL");
  EXPECT_FALSE(SafeBind("/proc/self/name", {}).ok());
}

TEST(SafeBind, NoPermission) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root to become somebody else";
  TempDir dir(0755);
  Child nobody = Child::Run([&](ChildIo& io) {
    test::BecomeNobody();
    io.Say(SafeBind(dir / "name", {}).status().ToString());
  });
  EXPECT_EQ(nobody.Hear(), absl::StrCat("PERMISSION_DENIED: cannot create the lock file ", dir / "name.lock",
                                        ": Permission denied (EACCES)"));
}

// In a directory that others can write, what belongs to somebody else is refused by name.
TEST(SafeBind, ForeignOwnersAreRefusedWhereOthersCanWrite) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root to become somebody else";
  const std::string nobody = UidText(kNobody);
  for (const mode_t mode : {mode_t{01777}, mode_t{0777}}) {
    for (const std::string name : {"name.lock", "name", "name.new"}) {
      TempDir dir(mode);
      if (name == "name.lock") {
        WriteFile(dir / name);
      } else {
        LeaveDeadSocket(dir / name);
      }
      ASSERT_EQ(::lchown((dir / name).c_str(), kNobody, kNobody), 0);
      EXPECT_ERROR(SafeBind(dir / "name", {}).status(), kPermissionDenied, nobody);
      EXPECT_TRUE(absl::StrContains(SafeBind(dir / "name", {}).status().message(), dir / name));
      EXPECT_EQ(FilesIn(dir.path()), Files{name});  // not touched, and no lock of ours left

      // And the other way round: root's leftovers, nobody binds.
      ASSERT_EQ(::lchown((dir / name).c_str(), 0, 0), 0);
      ASSERT_EQ(name == "name.lock" ? ::chmod((dir / name).c_str(), 0600) : 0, 0);
      Child child = Child::Run([&](ChildIo& io) {
        test::BecomeNobody();
        io.Say(SafeBind(dir / "name", {}).status().ToString());
      });
      const std::string said = child.Hear();
      EXPECT_TRUE(absl::StartsWith(said, "PERMISSION_DENIED")) << said;
      EXPECT_TRUE(absl::StrContains(said, UidText(0))) << said;
      EXPECT_TRUE(absl::StrContains(said, dir / name)) << said;
    }
  }
}

TEST(SafeBind, ALockThatSomebodyElseHoldsIsRefused) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root to become somebody else";
  TempDir dir(01777);
  Child squatter = Child::Run([&](ChildIo& io) {
    test::BecomeNobody();
    auto socket = SafeBind(dir / "name", {});
    io.Say(socket.ok() ? "ready" : socket.status().ToString());
    io.AwaitRelease();
  });
  ASSERT_EQ(squatter.Hear(), "ready");
  EXPECT_ERROR(SafeBind(dir / "name", {}).status(), kPermissionDenied, UidText(kNobody));
}

TEST(SafeBind, InAPrivateDirectoryRootMayTakeOverAUsersLeftovers) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root";
  TempDir dir(0755);
  LeaveDeadSocket(dir / "name");
  WriteFile(dir / "name.lock");
  ASSERT_EQ(::lchown((dir / "name").c_str(), kNobody, kNobody), 0);
  ASSERT_EQ(::lchown((dir / "name.lock").c_str(), kNobody, kNobody), 0);
  EXPECT_TRUE(SafeBind(dir / "name", {}).ok());
}

TEST(SafeBind, PrivateDirectoryIsMadeAndChecked) {
  TempDir dir;
  Umask umask(0);
  {
    auto socket = SafeBind(dir / "names/a", {.private_directory = true});
    ASSERT_TRUE(socket.ok()) << socket.status();
    EXPECT_EQ(ModeOf(dir / "names"), mode_t{0700});
  }
  ASSERT_EQ(::chmod((dir / "names").c_str(), 0750), 0);
  EXPECT_ERROR(SafeBind(dir / "names/a", {.private_directory = true}).status(), kPermissionDenied,
               "chmod 700 " + (dir / "names"));
  ASSERT_EQ(::symlink("names", (dir / "link").c_str()), 0);
  EXPECT_FALSE(SafeBind(dir / "link/a", {.private_directory = true}).ok());
  if (::geteuid() != 0) return;
  ASSERT_EQ(::chmod((dir / "names").c_str(), 0700), 0);
  ASSERT_EQ(::chown((dir / "names").c_str(), kNobody, kNobody), 0);
  EXPECT_ERROR(SafeBind(dir / "names/a", {.private_directory = true}).status(), kPermissionDenied, UidText(kNobody));
}

TEST(Place, Addresses) {
  const auto path = [](const std::string& text, Names names) -> std::string {
    auto address = ParseAddress(text);
    if (!address.ok()) return address.status().ToString();
    auto place = PlaceOf(*address, names);
    return place.ok() ? place->path : std::string(absl::StatusCodeToString(place.status().code()));
  };
  EXPECT_EQ(path("unix:/a/b", Names::kNotAllowed), "/a/b");
  EXPECT_EQ(path("unix:relative", Names::kNotAllowed), "relative");
  EXPECT_EQ(path("unix:a/b", Names::kNotAllowed), "a/b");
  EXPECT_EQ(path("unix:///a/b", Names::kNotAllowed), "/a/b");
  EXPECT_EQ(path("unix://relative", Names::kNotAllowed), "INVALID_ARGUMENT");
  EXPECT_EQ(path("unix:///", Names::kNotAllowed), "INVALID_ARGUMENT");
  EXPECT_EQ(path("unix:", Names::kNotAllowed), "INVALID_ARGUMENT");
  EXPECT_EQ(path("unix:/a/", Names::kNotAllowed), "INVALID_ARGUMENT");
  EXPECT_EQ(path("local:name", Names::kAllowed), NamesDirectory() + "/name");
  EXPECT_EQ(path("local:/a/name", Names::kAllowed), "/a/name");
  EXPECT_EQ(path("local:a/name", Names::kAllowed), "a/name");
  EXPECT_EQ(path("local:..", Names::kAllowed), "INVALID_ARGUMENT");
  EXPECT_EQ(path("unix:/a?colour=red", Names::kNotAllowed), "INVALID_ARGUMENT");
  EXPECT_EQ(path("unix:/a?mode=0660&server_uid=1000&server_uid=root", Names::kNotAllowed), "/a");
  for (const char* bad : {"mode=", "mode=6", "mode=0668", "mode=4755", "mode=0060", "mode=-660", "group=no-such-group",
                          "server_uid=no-such-user", "server_uid=-1"}) {
    EXPECT_EQ(path(absl::StrCat("unix:/a?", bad), Names::kNotAllowed), "INVALID_ARGUMENT") << bad;
  }
  const std::string long_path = "unix:/" + std::string(107, 'x');
  const absl::Status over = PlaceOf(*ParseAddress(long_path), Names::kNotAllowed).status();
  EXPECT_TRUE(absl::StrContains(over.message(), "the limit is 107")) << over;
  EXPECT_TRUE(absl::StrContains(over.message(), long_path)) << over;
}

TEST(Place, NamesDirectory) {
  TempDir dir;
  ::setenv("XDG_RUNTIME_DIR", dir.path().c_str(), 1);
  EXPECT_EQ(NamesDirectory(), dir / "nearcall");
  const std::string fallback =
      ::geteuid() == 0 ? std::string("/run/nearcall") : absl::StrCat("/tmp/nearcall-", ::geteuid());
  for (const char* other : {"", "relative", "/no/such/directory"}) {
    ::setenv("XDG_RUNTIME_DIR", other, 1);
    EXPECT_EQ(NamesDirectory(), fallback) << other;
  }
  if (::geteuid() == 0) {
    ASSERT_EQ(::chown(dir.path().c_str(), kNobody, kNobody), 0);
    ::setenv("XDG_RUNTIME_DIR", dir.path().c_str(), 1);
    EXPECT_EQ(NamesDirectory(), fallback);  // another user's is not for us
  }
  ::unsetenv("XDG_RUNTIME_DIR");
  EXPECT_EQ(NamesDirectory(), fallback);
}

}  // namespace
}  // namespace nearcall::internal
