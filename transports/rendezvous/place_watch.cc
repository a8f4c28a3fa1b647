// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
#include "nearcall/transports/rendezvous/place_watch.h"

#include <limits.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "nearcall/transports/api/unique_fd.h"

namespace nearcall::internal {
namespace {

constexpr uint32_t kEvents =
    IN_CREATE | IN_MOVED_TO | IN_ATTRIB | IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR | IN_EXCL_UNLINK;
constexpr uint32_t kOfTheDirectory = IN_DELETE_SELF | IN_MOVE_SELF | IN_UNMOUNT | IN_IGNORED;
constexpr int kMostMoves = 64;  // directories that come and go while we look; then polling is as good

std::string NameOf(const std::string& path) { return path.substr(path.rfind('/') + 1); }

class PlaceWatch final : public ServerWatch {
 public:
  PlaceWatch(std::string path, UniqueFd inotify) : path_(std::move(path)), inotify_(std::move(inotify)) {}

  int fd() const override { return inotify_.get(); }

  // Watches the deepest directory on the way that is there. What was made below it before the watch was set is seen by
  // looking again.
  bool Arm() override {
    struct stat found;
    if (::lstat(path_.c_str(), &found) == 0 && S_ISLNK(found.st_mode)) return false;
    for (int moves = 0; moves < kMostMoves; ++moves) {
      std::string awaited = path_;
      std::string directory = DirectoryOf(awaited);
      int watch;
      while ((watch = ::inotify_add_watch(inotify_.get(), directory.c_str(), kEvents)) < 0 && errno == ENOENT &&
             directory != "/" && directory != ".") {
        awaited = directory;
        directory = DirectoryOf(awaited);
      }
      if (watch < 0) return false;
      if (watch != watch_ && watch_ >= 0) ::inotify_rm_watch(inotify_.get(), watch_);
      watch_ = watch;
      name_ = NameOf(awaited);
      if (awaited == path_ || ::access(awaited.c_str(), F_OK) != 0) return true;
    }
    return false;
  }

  bool Came() override {
    bool came = false;
    alignas(inotify_event) char buffer[16 * (sizeof(inotify_event) + NAME_MAX + 1)];
    ssize_t size;
    while ((size = ::read(inotify_.get(), buffer, sizeof(buffer))) > 0) {
      for (ssize_t at = 0; at < size;) {
        inotify_event event;
        std::memcpy(&event, buffer + at, sizeof(event));
        came = came || Concerns(event, absl::string_view(buffer + at + sizeof(event),
                                                         ::strnlen(buffer + at + sizeof(event), event.len)));
        at += static_cast<ssize_t>(sizeof(event) + event.len);
      }
    }
    return came;
  }

 private:
  bool Concerns(const inotify_event& event, absl::string_view name) const {
    if (event.mask & IN_Q_OVERFLOW) return true;
    if (event.wd != watch_) return false;  // one that was given up
    return (event.mask & kOfTheDirectory) != 0 || name.empty() || name == name_;
  }

  const std::string path_;
  const UniqueFd inotify_;
  int watch_ = -1;
  std::string name_;  // in the watched directory
};

}  // namespace

std::unique_ptr<ServerWatch> WatchPlace(std::string path) {
  UniqueFd inotify(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
  if (!inotify.valid()) return nullptr;
  return std::make_unique<PlaceWatch>(std::move(path), std::move(inotify));
}

std::unique_ptr<ServerWatch> WatchRendezvous(const Address& address, Names names, const Media& media) {
  absl::StatusOr<Place> place = PlaceOf(address, names, ParametersOf(media));
  return place.ok() ? WatchPlace(place->path) : nullptr;
}

}  // namespace nearcall::internal
