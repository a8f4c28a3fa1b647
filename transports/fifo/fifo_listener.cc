// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
#include "nearcall/transports/fifo/fifo_listener.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <mutex>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "nearcall/transports/api/errno_status.h"
#include "nearcall/transports/byte_stream/byte_stream.h"
#include "nearcall/transports/byte_stream/pipe_io.h"
#include "nearcall/transports/fifo/fifo_request.h"
#include "nearcall/transports/rendezvous/name_lock.h"

namespace nearcall::internal {
namespace {

constexpr long kPauseNanos = 100'000'000;
constexpr int kSendTries = 100;         // a fresh FIFO takes an answer; only a test's I/O says EAGAIN
constexpr int kRequestsPerAccept = 16;  // then the caller gets a turn

bool OutOfDescriptors(int error) { return error == EMFILE || error == ENFILE || error == ENOMEM; }

// The well-known FIFO, under a lock; removed at the end if it is still ours.
struct WellKnown {
  std::unique_ptr<NameLock> lock;
  UniqueFd in;
  UniqueFd held;  // a writer, so that the last client's leaving is not the end of the FIFO
  dev_t device = 0;
  ino_t inode = 0;

  ~WellKnown() {
    if (lock == nullptr || !lock->ours()) return;
    struct stat named;
    if (::fstatat(lock->dir_fd(), lock->base().c_str(), &named, AT_SYMLINK_NOFOLLOW) == 0 && named.st_dev == device &&
        named.st_ino == inode) {
      ::unlinkat(lock->dir_fd(), lock->base().c_str(), 0);
    }
  }
};

// What stands at the name must be nothing, or a FIFO that a dead server left.
absl::Status CheckReplaceable(const NameLock& lock) {
  struct stat found;
  if (::fstatat(lock.dir_fd(), lock.base().c_str(), &found, AT_SYMLINK_NOFOLLOW) != 0) {
    return errno == ENOENT ? absl::OkStatus() : ErrnoStatus(errno, absl::StrCat("cannot look at ", lock.path()));
  }
  if (!S_ISFIFO(found.st_mode)) {
    return absl::FailedPreconditionError(
        absl::StrCat("there is ", FileTypeText(found.st_mode), " at ", lock.path(), ", not a FIFO; it is left alone"));
  }
  return lock.CheckOwner(lock.base(), found.st_uid);
}

// Made and opened under a temporary name: whoever finds the FIFO at its own finds a reader.
absl::Status MakeWellKnown(WellKnown* made) {
  const NameLock& lock = *made->lock;
  const std::string temporary = lock.base() + ".new";
  if (::unlinkat(lock.dir_fd(), temporary.c_str(), 0) != 0 && errno != ENOENT) {
    return ErrnoStatus(errno, absl::StrCat("cannot remove ", temporary, " beside ", lock.path()));
  }
  if (::mkfifoat(lock.dir_fd(), temporary.c_str(), 0600) != 0) {
    return ErrnoStatus(errno, absl::StrCat("cannot make a FIFO for ", lock.path()));
  }
  const int flags = O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC;
  made->in.Reset(::openat(lock.dir_fd(), temporary.c_str(), O_RDONLY | flags));
  if (made->in.valid()) made->held.Reset(::openat(lock.dir_fd(), temporary.c_str(), O_WRONLY | flags));
  struct stat node;
  if (!made->in.valid() || !made->held.valid() || ::fstat(made->in.get(), &node) != 0 ||
      ::renameat(lock.dir_fd(), temporary.c_str(), lock.dir_fd(), lock.base().c_str()) != 0) {
    absl::Status status = ErrnoStatus(errno, absl::StrCat("cannot put a FIFO at ", lock.path()));
    ::unlinkat(lock.dir_fd(), temporary.c_str(), 0);
    return status;
  }
  made->device = node.st_dev;
  made->inode = node.st_ino;
  return absl::OkStatus();
}

class FifoListener final : public Listener {
 public:
  FifoListener(Address address, std::unique_ptr<WellKnown> well_known, UniqueFd epoll, UniqueFd timer)
      : address_(std::move(address)),
        name_(address_.ToString()),
        well_known_(std::move(well_known)),
        epoll_(std::move(epoll)),
        timer_(std::move(timer)) {}

  const Address& address() const override { return address_; }
  int fd() const override { return epoll_.get(); }

  absl::StatusOr<std::unique_ptr<Endpoint>> Accept() override {
    std::lock_guard<std::mutex> lock(mutex_);
    uint64_t times;
    static_cast<void>(::read(timer_.get(), &times, sizeof(times)) < 0);
    for (int i = 0; i < kRequestsPerAccept && HasRequest(); ++i) {
      absl::StatusOr<std::unique_ptr<Endpoint>> made = Serve();
      if (!made.ok()) {  // out of descriptors: the request stays
        Rest(true);
        return made.status();
      }
      bytes_.erase(0, kFifoRequestSize);
      if (*made != nullptr) {
        Rest(false);
        return made;
      }
    }
    Rest(false);
    return nullptr;
  }

 private:
  // Whether bytes_ begins with a whole request; reads as much as that needs.
  bool HasRequest() {
    for (;;) {
      if (bytes_.size() >= kFifoRequestSize && DecodeFifoRequest(bytes_).has_value()) return true;
      if (bytes_.size() >= kFifoRequestSize) bytes_.erase(0, 1);  // not a request
      const size_t magic = bytes_.find(kFifoMagic.data(), 0, kFifoMagic.size());
      // What may be the beginning of a magic is kept.
      bytes_.erase(0, magic != std::string::npos ? magic : bytes_.size() - PartOfMagic());
      if (bytes_.size() >= kFifoRequestSize) continue;
      char more[kFifoRequestSize];
      const ssize_t n = ::read(well_known_->in.get(), more, kFifoRequestSize - bytes_.size());
      if (n <= 0) return false;
      bytes_.append(more, static_cast<size_t>(n));
    }
  }
  // How many bytes at the end could be the magic's first.
  size_t PartOfMagic() const {
    for (size_t size = std::min(bytes_.size(), kFifoMagic.size() - 1); size > 0; --size) {
      if (bytes_.compare(bytes_.size() - size, size, kFifoMagic.data(), size) == 0) return size;
    }
    return 0;
  }

  absl::Status Exhausted(int error) const {
    rlimit limit = {};
    ::getrlimit(RLIMIT_NOFILE, &limit);
    return absl::ResourceExhaustedError(absl::StrCat(name_, ": cannot accept a connection: ", ErrnoText(error),
                                                     " (RLIMIT_NOFILE is ", limit.rlim_cur, ")"));
  }

  // Null: the client has gone, or is not one. An error: no descriptors.
  absl::StatusOr<std::unique_ptr<Endpoint>> Serve() {
    const FifoRequest request = *DecodeFifoRequest(bytes_);
    const std::string up_name = request.pair + kFifoUp, down_name = request.pair + kFifoDown;
    const int flags = O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC;
    // ENXIO here, unlike below: its client has gone. The names of one that lives are taken away as soon as they are of
    // no more use; a dead one's are RemoveLeftPairs()'s.
    UniqueFd probe(::open(down_name.c_str(), O_WRONLY | flags));
    if (!probe.valid() && OutOfDescriptors(errno)) return Exhausted(errno);
    if (!probe.valid() || !CheckFifo(probe.get(), down_name).ok()) return nullptr;
    UniqueFd down(::open(down_name.c_str(), O_RDWR | flags));
    if (!down.valid() && OutOfDescriptors(errno)) return Exhausted(errno);
    UniqueFd up(::open(up_name.c_str(), O_RDONLY | flags));
    if (!up.valid() && OutOfDescriptors(errno)) return Exhausted(errno);
    if (!down.valid() || !up.valid() || !CheckFifo(down.get(), down_name).ok() || !CheckFifo(up.get(), up_name).ok()) {
      return nullptr;
    }
    probe.Reset();
    const int space = ::fcntl(up.get(), F_DUPFD_CLOEXEC, 0);  // for the descriptor that NewPipeIo() needs
    if (space < 0) return Exhausted(errno);
    ::close(space);
    absl::StatusOr<std::unique_ptr<ByteIo>> io = NewPipeIo(std::move(up), std::move(down));
    if (!io.ok()) return io.status();
    ::unlink(up_name.c_str());
    ::unlink(down_name.c_str());
    return Answer(request, *std::move(io));
  }

  std::unique_ptr<Endpoint> Answer(const FifoRequest& request, std::unique_ptr<ByteIo> io) const {
    FifoAnswer answer;
    if (request.version != kFifoVersion || request.max_frame != kFifoMaxFrame) answer.refusal = FifoRefusal::kVersion;
    const std::string bytes = EncodeFifoAnswer(answer);
    size_t sent = 0;
    for (int i = 0; i < kSendTries && sent < bytes.size(); ++i) {
      const ssize_t n = io->Send(bytes.data() + sent, bytes.size() - sent);
      if (n > 0) sent += static_cast<size_t>(n);
    }
    if (sent < bytes.size() || answer.refusal != FifoRefusal::kNone) return nullptr;
    ByteStreamOptions options;
    options.info.transport = "fifo";
    options.info.max_frame = kFifoMaxFrame;
    options.name = name_;
    return std::make_unique<ByteStreamEndpoint>(std::move(io), std::move(options));
  }

  void Rest(bool resting) {
    if (resting == resting_ && !resting) return;
    epoll_event event = {};
    event.events = resting ? 0 : static_cast<uint32_t>(EPOLLIN);
    if (resting != resting_) ::epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, well_known_->in.get(), &event);
    resting_ = resting;
    itimerspec spec = {};
    spec.it_value.tv_nsec = resting ? kPauseNanos : 0;
    ::timerfd_settime(timer_.get(), 0, &spec, nullptr);
  }

  const Address address_;
  const std::string name_;
  std::mutex mutex_;
  const std::unique_ptr<WellKnown> well_known_;
  const UniqueFd epoll_;  // of the FIFO and the timer
  const UniqueFd timer_;
  std::string bytes_;  // read, not yet served
  bool resting_ = false;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Listener>> ListenFifo(const Address& address) {
  const absl::StatusOr<Place> place = FifoPlaceOf(address);
  if (!place.ok()) return place.status();
  const auto named = [&](const absl::Status& status) {
    return absl::Status(status.code(), absl::StrCat(address.ToString(), ": ", status.message()));
  };
  auto well_known = std::make_unique<WellKnown>();
  absl::StatusOr<std::unique_ptr<NameLock>> lock =
      NameLock::Take(place->path, {.private_directory = place->private_directory});
  if (!lock.ok()) return named(lock.status());
  well_known->lock = *std::move(lock);
  absl::Status status = CheckFifoDirectory(place->path);
  if (status.ok()) status = CheckReplaceable(*well_known->lock);
  if (status.ok()) status = MakeWellKnown(well_known.get());
  if (!status.ok()) return named(status);
  RemoveLeftPairs();

  UniqueFd epoll(::epoll_create1(EPOLL_CLOEXEC));
  UniqueFd timer(::timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK));
  epoll_event event = {};
  event.events = EPOLLIN;
  if (!epoll.valid() || !timer.valid() || ::epoll_ctl(epoll.get(), EPOLL_CTL_ADD, well_known->in.get(), &event) != 0 ||
      ::epoll_ctl(epoll.get(), EPOLL_CTL_ADD, timer.get(), &event) != 0) {
    return ErrnoStatus(errno, absl::StrCat(address.ToString(), ": cannot watch the FIFO"));
  }
  return std::make_unique<FifoListener>(address, std::move(well_known), std::move(epoll), std::move(timer));
}

}  // namespace nearcall::internal
