// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
#include "nearcall/transports/byte_stream/pipe_io.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <atomic>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "nearcall/transports/api/errno_status.h"

namespace nearcall {
namespace {

constexpr int kPipeSize = 65536;  // what a pipe has unless its user is over the soft limit

class PipeIo final : public ByteIo {
 public:
  PipeIo(UniqueFd in, UniqueFd out, UniqueFd wake, bool has_reader)
      : in_(std::move(in)), out_(std::move(out)), wake_(std::move(wake)), has_reader_(has_reader) {}

  int send_fd() const override { return out_.get(); }
  int receive_fd() const override { return in_.get(); }
  int wake_fd() const override { return wake_.get(); }
  bool end_is_received() const override { return has_reader_; }

  ssize_t Send(const char* data, size_t size) override {
    ssize_t n;
    do {
      if (shut_.load(std::memory_order_acquire)) {
        errno = EPIPE;
        return -1;
      }
      n = has_reader_ ? ::write(out_.get(), data, size) : WriteWithoutSigpipe(out_.get(), data, size);
    } while (n < 0 && errno == EINTR);
    if (n < 0 && errno == EAGAIN) errno = PeerWrites() ? EAGAIN : EPIPE;
    return n;
  }
  ssize_t Receive(char* data, size_t size) override {
    ssize_t n;
    do {
      n = ::read(in_.get(), data, size);
    } while (n < 0 && errno == EINTR);
    // After a shutdown what is there is still received, and what is not does not come.
    return n < 0 && errno == EAGAIN && shut_.load(std::memory_order_acquire) ? 0 : n;
  }
  ssize_t SendMessage(const msghdr&) override { return NotASocket(); }
  ssize_t ReceiveMessage(msghdr*) override { return NotASocket(); }
  ssize_t ReceiveBlocking(char*, size_t, int64_t) override { return NotASocket(); }

  // A pipe has no shutdown(2): the peer sees its end when no descriptor is left that writes to it. Ours is replaced,
  // not closed, as another thread may be just about to use its number.
  void Shutdown() override {
    if (shut_.exchange(true)) return;
    ::dup3(wake_.get(), out_.get(), O_CLOEXEC);
    ::eventfd_write(wake_.get(), 1);
  }

 private:
  // Where this side reads its own pipe, only that the other pipe has no writer left tells of the peer's end.
  bool PeerWrites() const {
    pollfd look = {in_.get(), 0, 0};
    return ::poll(&look, 1, 0) == 0;
  }
  static ssize_t NotASocket() {
    errno = ENOTSUP;
    return -1;
  }

  const UniqueFd in_;
  const UniqueFd out_;
  const UniqueFd wake_;
  const bool has_reader_;
  std::atomic<bool> shut_{false};
};

int FlagsOf(const UniqueFd& fd) { return ::fcntl(fd.get(), F_GETFL); }

// The same pipe with a file description of its own; false where that cannot be had.
bool Reopen(UniqueFd* fd, int flags) {
  const std::string path = "/proc/self/fd/" + std::to_string(fd->get());
  UniqueFd again(::open(path.c_str(), flags | O_NONBLOCK | O_CLOEXEC));
  if (!again.valid()) return false;
  *fd = std::move(again);
  return true;
}

}  // namespace

// SIGPIPE is blocked in this thread meanwhile; one that the write causes is taken off.
ssize_t WriteWithoutSigpipe(int fd, const char* data, size_t size) {
  sigset_t pipe, before, pending;
  ::sigemptyset(&pipe);
  ::sigaddset(&pipe, SIGPIPE);
  ::sigpending(&pending);
  const bool was_pending = ::sigismember(&pending, SIGPIPE) == 1;
  ::pthread_sigmask(SIG_BLOCK, &pipe, &before);
  const ssize_t n = ::write(fd, data, size);
  const int error = errno;
  if (n < 0 && error == EPIPE && !was_pending) {
    const timespec now = {0, 0};
    ::sigtimedwait(&pipe, nullptr, &now);
  }
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  errno = error;
  return n;
}

absl::Status CheckPipeSize(int fd) {
  const int size = ::fcntl(fd, F_GETPIPE_SZ);
  if (size >= kPipeSize) return absl::OkStatus();
  return absl::ResourceExhaustedError(
      absl::StrCat("a new pipe holds ", size, " bytes instead of ", kPipeSize,
                   ": this user's pipes are over the limit in /proc/sys/fs/pipe-user-pages-soft"));
}

absl::StatusOr<std::unique_ptr<ByteIo>> NewPipeIo(UniqueFd in, UniqueFd out) {
  UniqueFd wake(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!wake.valid()) return internal::ErrnoStatus(errno, "no descriptor to wake sleepers with (eventfd)");
  const auto in_own_way = [](UniqueFd* fd, int flags) {
    // Who opened it without blocking has it for himself.
    if ((FlagsOf(*fd) & O_NONBLOCK) != 0 || Reopen(fd, flags)) return;
    ::fcntl(fd->get(), F_SETFL, FlagsOf(*fd) | O_NONBLOCK);
  };
  in_own_way(&in, O_RDONLY);
  in_own_way(&out, O_RDWR);
  const bool has_reader = (FlagsOf(out) & O_ACCMODE) == O_RDWR;
  return internal::DecorateByteIo(std::make_unique<PipeIo>(std::move(in), std::move(out), std::move(wake), has_reader));
}

}  // namespace nearcall
