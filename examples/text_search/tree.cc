// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
#include "nearcall/examples/text_search/tree.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <system_error>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace text_search {
namespace {

namespace fs = std::filesystem;

// Owns a descriptor.
class File {
 public:
  explicit File(int fd) : fd_(fd) {}
  ~File() {
    if (fd_ >= 0) ::close(fd_);
  }
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  int fd() const { return fd_; }

 private:
  const int fd_;
};

std::string Reason(int error) { return std::generic_category().message(error); }

class Loader {
 public:
  Loader(const std::string& root, const TreeLimits& limits) : root_(root), limits_(limits) {}

  absl::StatusOr<Tree> Load() {
    if (absl::Status status = CheckRoot(); !status.ok()) return status;
    std::vector<std::string> folders = {""};  // relative to the root, with a slash at the end
    while (!folders.empty()) {
      const std::string folder = std::move(folders.back());
      folders.pop_back();
      if (absl::Status status = ListFolder(folder, folders); !status.ok()) return status;
    }
    std::sort(files_.begin(), files_.end());
    for (std::string& path : files_) {
      if (absl::Status status = ReadFile(std::move(path)); !status.ok()) return status;
    }
    return std::move(tree_);
  }

 private:
  // The root itself may be a link.
  absl::Status CheckRoot() const {
    std::error_code error;
    const fs::file_status status = fs::status(root_, error);
    if (status.type() == fs::file_type::not_found)
      return absl::NotFoundError(absl::StrCat(root_.string(), ": there is no such directory"));
    if (status.type() == fs::file_type::none)
      return absl::PermissionDeniedError(absl::StrCat(root_.string(), ": ", error.message()));
    if (status.type() != fs::file_type::directory) {
      return absl::InvalidArgumentError(absl::StrCat(root_.string(), ": is not a directory; name the root of a tree"));
    }
    const fs::directory_iterator entries(root_, error);
    if (error)
      return absl::PermissionDeniedError(absl::StrCat(root_.string(), ": cannot be listed: ", error.message()));
    return absl::OkStatus();
  }

  absl::Status ListFolder(const std::string& folder, std::vector<std::string>& folders) {
    std::error_code error;
    fs::directory_iterator entries(root_ / folder, error);
    for (; !error && entries != fs::directory_iterator(); entries.increment(error)) {
      std::error_code unknown;
      const fs::file_type type = entries->symlink_status(unknown).type();
      std::string name = entries->path().filename().string();
      switch (type) {
        case fs::file_type::directory:
          if (name == ".git") {
            ++tree_.left_out.git_folders;
          } else {
            folders.push_back(absl::StrCat(folder, name, "/"));
          }
          break;
        case fs::file_type::regular:
          if (files_.size() == limits_.files) {
            return absl::ResourceExhaustedError(absl::StrCat(root_.string(), ": holds more than ", limits_.files,
                                                             " files, the limit; name a smaller tree or raise it"));
          }
          files_.push_back(folder + name);
          break;
        case fs::file_type::symlink:
          ++tree_.left_out.symlinks;
          break;
        case fs::file_type::none:
          tree_.left_out.unreadable.Add(absl::StrCat(folder, name, ": ", unknown.message()));
          break;
        default:
          ++tree_.left_out.special;
      }
    }
    if (error) tree_.left_out.unreadable.Add(absl::StrCat(folder.empty() ? "." : folder, ": ", error.message()));
    return absl::OkStatus();
  }

  absl::Status ReadFile(std::string path) {
    // Not to follow and not to wait: since it was listed, the file may have become a link or a FIFO.
    const File file(::open((root_ / path).c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY));
    struct stat stat = {};
    if (file.fd() < 0 || ::fstat(file.fd(), &stat) != 0)
      return LeaveOut(tree_.left_out.unreadable, path, Reason(errno));
    if (!S_ISREG(stat.st_mode)) return LeaveOut(tree_.left_out.unreadable, path, "is no longer a regular file");
    std::string text;
    if (static_cast<uint64_t>(stat.st_size) <= limits_.file_bytes) text.reserve(static_cast<size_t>(stat.st_size));
    char buffer[64 << 10];
    for (;;) {
      const ssize_t size = ::read(file.fd(), buffer, sizeof(buffer));
      if (size < 0 && errno == EINTR) continue;
      if (size < 0) return LeaveOut(tree_.left_out.unreadable, path, Reason(errno));
      if (size == 0) break;
      const absl::string_view more(buffer, static_cast<size_t>(size));
      if (more.find('\0') != absl::string_view::npos) {
        ++tree_.left_out.binary;
        return absl::OkStatus();
      }
      if (more.size() > limits_.file_bytes - text.size()) {
        return LeaveOut(tree_.left_out.too_large, path, absl::StrCat("over ", limits_.file_bytes, " bytes"));
      }
      text.append(buffer, more.size());
    }
    if (text.size() > limits_.total_bytes - tree_.index.bytes()) {
      return absl::ResourceExhaustedError(absl::StrCat(root_.string(), ": its text is over ", limits_.total_bytes,
                                                       " bytes, the limit; name a smaller tree or raise it"));
    }
    tree_.index.Add(std::move(path), std::move(text));
    return absl::OkStatus();
  }

  static absl::Status LeaveOut(NamedCount& where, const std::string& path, const std::string& why) {
    where.Add(absl::StrCat(path, ": ", why));
    return absl::OkStatus();
  }

  const fs::path root_;
  const TreeLimits limits_;
  std::vector<std::string> files_;  // relative paths
  Tree tree_;
};

}  // namespace

absl::StatusOr<Tree> LoadTree(const std::string& root, const TreeLimits& limits) { return Loader(root, limits).Load(); }

}  // namespace text_search
