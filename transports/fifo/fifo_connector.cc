// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
#include "nearcall/transports/fifo/fifo_connector.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <algorithm>
#include <random>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "nearcall/transports/api/clock.h"
#include "nearcall/transports/api/closed_endpoint.h"
#include "nearcall/transports/api/errno_status.h"
#include "nearcall/transports/byte_stream/byte_stream.h"
#include "nearcall/transports/byte_stream/pipe_io.h"
#include "nearcall/transports/fifo/fifo_request.h"
#include "nearcall/transports/rendezvous/timer.h"

namespace nearcall::internal {
namespace {

constexpr int64_t kAnswerNanos = 5'000'000'000;
constexpr int64_t kRetryMaxNanos = 50'000'000;

// The pair's names, as long as they are there. What it needs to be made is in the directory of names.
class PairNames {
 public:
  static absl::StatusOr<std::unique_ptr<PairNames>> Make() {
    const std::string directory = NamesDirectory();
    if (::mkdir(directory.c_str(), 0700) != 0 && errno != EEXIST) {
      return ErrnoStatus(errno, absl::StrCat("cannot make ", directory));
    }
    UniqueFd pinned(::open(directory.c_str(), O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    struct stat found;
    if (!pinned.valid() || ::fstat(pinned.get(), &found) != 0) return ErrnoStatus(errno, directory);
    if (found.st_uid != ::geteuid() || (found.st_mode & 077) != 0) {
      return absl::PermissionDeniedError(
          absl::StrCat(directory, " must be this user's alone (mode 0700); it belongs to ", UidText(found.st_uid)));
    }
    std::random_device random;
    const std::string base = absl::StrCat("fifo-", ::getpid(), "-", absl::Hex(random()), absl::Hex(random()));
    auto names = std::unique_ptr<PairNames>(new PairNames(directory, base, std::move(pinned)));
    for (const std::string& name : {base + kFifoUp, base + kFifoDown}) {
      if (::mkfifoat(names->directory_fd_.get(), name.c_str(), 0600) != 0) {
        return ErrnoStatus(errno, absl::StrCat("cannot make a FIFO in ", directory));
      }
    }
    return names;
  }
  ~PairNames() { Remove(); }

  // Ours alone to see, so nothing but the pair can be there.
  UniqueFd Open(const char* ending, int flags) const {
    return UniqueFd(::openat(directory_fd_.get(), (base_ + ending).c_str(), flags | O_NONBLOCK | O_CLOEXEC));
  }
  void Remove() {
    if (removed_ || ::getpid() != owner_) return;
    removed_ = true;
    for (const char* ending : {kFifoUp, kFifoDown}) ::unlinkat(directory_fd_.get(), (base_ + ending).c_str(), 0);
  }
  std::string path() const { return directory_ + "/" + base_; }

 private:
  PairNames(std::string directory, std::string base, UniqueFd directory_fd)
      : directory_(std::move(directory)), base_(std::move(base)), directory_fd_(std::move(directory_fd)) {}

  const std::string directory_;
  const std::string base_;
  const UniqueFd directory_fd_;
  const pid_t owner_ = ::getpid();
  bool removed_ = false;
};

class FifoHandshake final : public ByteStreamHandshake {
 public:
  // `also`: an epoll descriptor of `timer` and `well_known`, the latter for its end.
  FifoHandshake(std::string name, UniqueFd well_known, std::unique_ptr<PairNames> names, int down, UniqueFd timer,
                UniqueFd also)
      : name_(std::move(name)),
        well_known_(std::move(well_known)),
        names_(std::move(names)),
        down_(down),
        timer_(std::move(timer)),
        also_(std::move(also)),
        request_(EncodeFifoRequest({kFifoVersion, kFifoMaxFrame, names_->path()})),
        give_up_at_(MonotonicNanos() + kAnswerNanos) {}

  Io Connect(ByteIo& io, absl::Status* why) override {
    if (done_) return Io::kOk;
    const int64_t now = MonotonicNanos();
    if (!asked_) {
      if (now < retry_at_ && !NobodyListens()) return Io::kWouldBlock;
      if (const Io asked = Ask(now, why); asked != Io::kOk) return asked;
    }
    const Io answered = ReadAnswer(io, why);
    if (answered == Io::kWouldBlock && NobodyListens() && !Readable()) {
      *why = Unavailable("the server ended before it answered");
      return Io::kClosed;
    }
    if (answered == Io::kWouldBlock && now >= give_up_at_) {
      *why = Unavailable("the server has not answered for 5 s; is it stopped?");
      return Io::kClosed;
    }
    return answered;
  }

  pollfd ConnectPoll() const override { return {down_, POLLIN, 0}; }
  pollfd ConnectTimer() const override { return {also_.get(), POLLIN, 0}; }
  void Interrupt() override { SetTimer(timer_.get(), 1); }

  Io SendGreeting(ByteIo& io, absl::Span<const char> frames, size_t* sent, absl::Status* why) override {
    *sent = 0;
    if (frames.empty()) return Io::kOk;
    const ssize_t n = io.Send(frames.data(), frames.size());
    if (n >= 0) {
      *sent = static_cast<size_t>(n);
      return Io::kOk;
    }
    if (errno == EAGAIN) return Io::kOk;
    *why = Unavailable("the peer closed the connection");
    return Io::kClosed;
  }
  Io ReceiveGreeting(ByteIo&, Greeted*, absl::Status*) override { return Io::kOk; }

 private:
  absl::Status Unavailable(absl::string_view text) const {
    return absl::UnavailableError(absl::StrCat(name_, ": ", text));
  }

  // While nobody has opened the pair, its FIFOs cannot tell that nobody will.
  bool NobodyListens() const {
    pollfd look = {well_known_.get(), 0, 0};
    return ::poll(&look, 1, 0) > 0 && (look.revents & POLLERR) != 0;
  }
  bool Readable() const {
    pollfd look = {down_, POLLIN, 0};
    return ::poll(&look, 1, 0) > 0 && (look.revents & POLLIN) != 0;
  }

  // Writes the request, all or nothing.
  Io Ask(int64_t now, absl::Status* why) {
    const ssize_t n = WriteWithoutSigpipe(well_known_.get(), request_.data(), request_.size());
    if (n == static_cast<ssize_t>(request_.size())) {
      asked_ = true;
      SetTimer(timer_.get(), std::max<int64_t>(give_up_at_ - now, 1));
      return Io::kOk;
    }
    if (n < 0 && errno == EAGAIN && now < give_up_at_) {  // full of requests
      retry_at_ = now + retry_nanos_;
      SetTimer(timer_.get(), retry_nanos_);
      retry_nanos_ = std::min(2 * retry_nanos_, kRetryMaxNanos);
      return Io::kWouldBlock;
    }
    *why = n < 0 && errno == EPIPE ? Unavailable("no server is listening: it has just ended")
                                   : Unavailable("the server takes no request; is it stopped?");
    return Io::kClosed;
  }

  Io ReadAnswer(ByteIo& io, absl::Status* why) {
    while (answer_.size() < kFifoAnswerSize) {
      char bytes[kFifoAnswerSize];
      const ssize_t n = io.Receive(bytes, kFifoAnswerSize - answer_.size());
      if (n > 0) {
        answer_.append(bytes, static_cast<size_t>(n));
        continue;
      }
      // A FIFO that nobody has opened for writing yet reads as one that everybody has closed; poll(2) tells them apart.
      pollfd look = {down_, POLLIN, 0};
      if (n == 0 && ::poll(&look, 1, 0) > 0 && (look.revents & (POLLHUP | POLLIN)) == POLLHUP) {
        *why = Unavailable("the server closed the connection before it answered");
        return Io::kClosed;
      }
      return Io::kWouldBlock;
    }
    const std::optional<FifoAnswer> answer = DecodeFifoAnswer(answer_);
    if (!answer.has_value()) {
      *why = Unavailable("no nearcall server answered");
    } else if (answer->refusal == FifoRefusal::kVersion) {
      *why = Unavailable(absl::StrCat("the server speaks version ", answer->version, ", this client ", kFifoVersion,
                                      "; rebuild the older of the two"));
    } else if (answer->refusal != FifoRefusal::kNone || answer->max_frame != kFifoMaxFrame) {
      *why = Unavailable("the server refused the connection");
    } else {
      done_ = true;
      well_known_.Reset();
      names_->Remove();  // the server has, as a rule
      return Io::kOk;
    }
    return Io::kClosed;
  }

  const std::string name_;
  UniqueFd well_known_;
  const std::unique_ptr<PairNames> names_;
  const int down_;  // the endpoint's
  const UniqueFd timer_;
  const UniqueFd also_;
  const std::string request_;
  const int64_t give_up_at_;
  int64_t retry_at_ = 0;
  int64_t retry_nanos_ = 1'000'000;
  bool asked_ = false;
  bool done_ = false;
  std::string answer_;
};

// Readable once the timer is, or nobody reads the FIFO any more.
UniqueFd WatchBoth(int timer, int well_known) {
  UniqueFd epoll(::epoll_create1(EPOLL_CLOEXEC));
  epoll_event event = {};
  if (!epoll.valid() || ::epoll_ctl(epoll.get(), EPOLL_CTL_ADD, well_known, &event) != 0) return UniqueFd();
  event.events = EPOLLIN;
  if (::epoll_ctl(epoll.get(), EPOLL_CTL_ADD, timer, &event) != 0) return UniqueFd();
  return epoll;
}

absl::Status CannotOpen(const std::string& name, int error) {
  const std::string text = absl::StrCat(name, ": ", ErrnoText(error));
  if (error == ENXIO || error == ENOENT) {
    return absl::UnavailableError(absl::StrCat(name, ": no server is listening: ", ErrnoText(error),
                                               error == ENXIO ? ", its server has ended" : "", "; start it"));
  }
  if (error == EACCES || error == ELOOP) return absl::PermissionDeniedError(text);
  return ErrnoStatus(error, name);
}

}  // namespace

absl::StatusOr<std::unique_ptr<Endpoint>> ConnectFifo(const Address& address) {
  const absl::StatusOr<Place> place = FifoPlaceOf(address);
  if (!place.ok()) return place.status();
  const std::string name = address.ToString();
  const auto named = [&](const absl::Status& status) {
    return absl::Status(status.code(), absl::StrCat(name, ": ", status.message()));
  };
  UniqueFd well_known(::open(place->path.c_str(), O_WRONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC));
  if (!well_known.valid()) {
    absl::Status why = CannotOpen(name, errno);
    if (!absl::IsUnavailable(why) && !absl::IsPermissionDenied(why)) return why;
    return NewClosedEndpoint("fifo", std::move(why));
  }
  absl::Status trusted = CheckFifoDirectory(place->path);
  if (trusted.ok()) trusted = CheckFifo(well_known.get(), place->path);
  if (!trusted.ok()) return NewClosedEndpoint("fifo", named(trusted));

  absl::StatusOr<std::unique_ptr<PairNames>> names = PairNames::Make();
  if (!names.ok()) return named(names.status());
  if ((*names)->path().size() > kFifoRequestSize - 17) return named(absl::InvalidArgumentError("its path is too long"));
  UniqueFd up = (*names)->Open(kFifoUp, O_RDWR);
  UniqueFd down = (*names)->Open(kFifoDown, O_RDONLY);
  UniqueFd timer(::timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK));
  if (!up.valid() || !down.valid() || !timer.valid()) {
    return ErrnoStatus(errno, absl::StrCat(name, ": no descriptor"));
  }
  UniqueFd also = WatchBoth(timer.get(), well_known.get());
  if (!also.valid()) return ErrnoStatus(errno, absl::StrCat(name, ": no descriptor"));
  if (absl::Status roomy = CheckPipeSize(up.get()); !roomy.ok()) return named(roomy);
  const int down_fd = down.get();
  absl::StatusOr<std::unique_ptr<ByteIo>> io = NewPipeIo(std::move(down), std::move(up));
  if (!io.ok()) return named(io.status());

  ByteStreamOptions options;
  options.info.transport = "fifo";
  options.info.max_frame = kFifoMaxFrame;
  options.name = name;
  options.handshake = std::make_unique<FifoHandshake>(name, std::move(well_known), *std::move(names), down_fd,
                                                      std::move(timer), std::move(also));
  auto endpoint = std::make_unique<ByteStreamEndpoint>(*std::move(io), std::move(options));
  static_cast<void>(endpoint->Flush());  // the request
  return endpoint;
}

}  // namespace nearcall::internal
