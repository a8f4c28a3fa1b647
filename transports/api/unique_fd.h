// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// UniqueFd owns one file descriptor and closes it.
//
//   UniqueFd file(::open(path, O_RDONLY | O_CLOEXEC));
//   if (!file.valid()) return ErrnoError(...);
//
// Thread safety: one owner. Lifetime: closes at destruction; Release() gives the descriptor up.
#ifndef NEARCALL_TRANSPORTS_API_UNIQUE_FD_H_
#define NEARCALL_TRANSPORTS_API_UNIQUE_FD_H_

#include <unistd.h>

#include <utility>

namespace nearcall {

class UniqueFd {
 public:
  UniqueFd() = default;
  explicit UniqueFd(int fd) : fd_(fd) {}
  UniqueFd(UniqueFd&& other) noexcept : fd_(other.Release()) {}
  UniqueFd& operator=(UniqueFd&& other) noexcept {
    if (this != &other) Reset(other.Release());
    return *this;
  }
  UniqueFd(const UniqueFd&) = delete;
  UniqueFd& operator=(const UniqueFd&) = delete;
  ~UniqueFd() { Reset(); }

  int get() const { return fd_; }
  bool valid() const { return fd_ >= 0; }
  int Release() { return std::exchange(fd_, -1); }
  // close() is never repeated after EINTR: on Linux the descriptor is gone by then (close(2), "Dealing with error
  // returns").
  void Reset(int fd = -1) {
    if (fd_ >= 0) ::close(fd_);
    fd_ = fd;
  }

 private:
  int fd_ = -1;
};

}  // namespace nearcall

#endif  // NEARCALL_TRANSPORTS_API_UNIQUE_FD_H_
