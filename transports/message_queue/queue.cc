// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
#include "nearcall/transports/message_queue/queue.h"

#include <errno.h>
#include <fcntl.h>
#include <mqueue.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <random>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/types/span.h"
#include "nearcall/transports/api/clock.h"
#include "nearcall/transports/api/errno_status.h"
#include "nearcall/transports/api/poll.h"

namespace nearcall::internal {
namespace {

constexpr unsigned kSlots = 64;
constexpr long kQueueMagic = 0x19800202;  // of the file system mqueue (linux/ipc/mqueue.c)

std::string SlotName(unsigned slot) { return absl::StrCat("/nearcall-", ::geteuid(), "-", slot); }

absl::Status CannotMake(int error, int messages) {
  const size_t size = static_cast<size_t>(messages) * (kQueueMessage + kQueueOverhead);
  std::string text = absl::StrCat("cannot make a message queue of ", size, " bytes: ", ErrnoText(error));
  rlimit limit = {};
  if (error == EMFILE) {  // two limits say so
    UniqueFd probe(::open("/dev/null", O_RDONLY | O_CLOEXEC));
    const bool bytes = probe.valid() && ::getrlimit(RLIMIT_MSGQUEUE, &limit) == 0;
    absl::StrAppend(
        &text, "; ",
        bytes ? absl::StrCat("RLIMIT_MSGQUEUE is ", limit.rlim_cur, " bytes for all queues of this user (ulimit -q)")
              : "the limit of descriptors is RLIMIT_NOFILE (ulimit -n)");
  } else if (error == ENOSPC) {
    absl::StrAppend(&text, "; the limit of queues is /proc/sys/fs/mqueue/queues_max");
  } else if (error == EINVAL) {
    absl::StrAppend(&text, "; the limits are /proc/sys/fs/mqueue/msg_max and msgsize_max");
    return absl::ResourceExhaustedError(text);
  } else if (error == ENOSYS) {
    return absl::UnimplementedError(text);
  }
  return absl::Status(ErrnoStatus(error, "").code(), text);
}

class QueueIo final : public DatagramIo {
 public:
  QueueIo(UniqueFd out, UniqueFd in, std::unique_ptr<ByteIo> socket)
      : out_(std::move(out)), in_(std::move(in)), socket_(std::move(socket)) {}

  int send_fd() const override { return out_.get(); }
  int receive_fd() const override { return in_.get(); }
  int end_fd() const override { return socket_->receive_fd(); }

  ssize_t Send(const char* data, size_t size) override { return Post(out_.get(), data, size); }
  ssize_t Receive(char* data, size_t size) override { return Take(data, size, kNow); }
  bool Ended() override {
    pollfd look = {socket_->receive_fd(), POLLIN | POLLRDHUP, 0};
    return PollUntil(absl::MakeSpan(&look, 1), 0) > 0;
  }

  bool can_block() const override { return true; }
  ssize_t ReceiveBlocking(char* data, size_t size, int64_t until_ns) override {
    // mq_timedreceive(3) knows only CLOCK_REALTIME; should that be set meanwhile, the caller polls sooner or later.
    timespec now;
    ::clock_gettime(CLOCK_REALTIME, &now);
    const int64_t ns = int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec + (until_ns - MonotonicNanos());
    return Take(data, size, {static_cast<time_t>(ns / 1'000'000'000), static_cast<long>(ns % 1'000'000'000)});
  }

  // An empty message, behind all that was sent, is the end. Where there is no room for it, nobody sleeps in a receive
  // call; who polls sees the socket.
  void Shutdown() override {
    socket_->Shutdown();
    static_cast<void>(Post(out_.get(), "", 0));
    static_cast<void>(Post(in_.get(), "", 0));
  }

 private:
  static constexpr timespec kNow = {0, 0};

  // With a deadline that has passed, not O_NONBLOCK: the peer shares the flags and could take that away.
  static ssize_t Post(int queue, const char* data, size_t size) {
    int result;
    do {
      result = ::mq_timedsend(queue, data, size, 0, &kNow);
    } while (result != 0 && errno == EINTR);
    if (result != 0 && errno == ETIMEDOUT) errno = EAGAIN;
    return result == 0 ? static_cast<ssize_t>(size) : -1;
  }
  ssize_t Take(char* data, size_t size, timespec until) {
    const ssize_t n = ::mq_timedreceive(in_.get(), data, size, nullptr, &until);
    if (n < 0 && (errno == ETIMEDOUT || (errno == EINTR && until.tv_sec == 0))) errno = EAGAIN;
    return n;
  }

  const UniqueFd out_;
  const UniqueFd in_;
  const std::unique_ptr<ByteIo> socket_;
};

}  // namespace

absl::StatusOr<UniqueFd> MakeQueue(int messages) {
  mq_attr attributes = {};
  attributes.mq_maxmsg = messages;
  attributes.mq_msgsize = kQueueMessage;
  std::random_device random;
  const unsigned first = random() % kSlots;
  for (unsigned i = 0; i <= kSlots; ++i) {
    // Names that are all taken are another user's doing.
    const std::string name =
        i < kSlots ? SlotName((first + i) % kSlots) : absl::StrCat(SlotName(kSlots), "-", random(), "-", random());
    UniqueFd queue(::mq_open(name.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600, &attributes));
    if (queue.valid()) {
      ::mq_unlink(name.c_str());
      return queue;
    }
    if (errno != EEXIST) return CannotMake(errno, messages);
  }
  return CannotMake(EEXIST, messages);
}

absl::Status CheckQueue(int queue, int messages) {
  const auto bad = [](absl::string_view what) {
    return absl::InvalidArgumentError(absl::StrCat("its message queue ", what));
  };
  struct statfs system;
  if (::fstatfs(queue, &system) != 0) return bad(absl::StrCat("cannot be looked at: ", ErrnoText(errno)));
  if (system.f_type != kQueueMagic) {
    return bad(absl::StrCat("is not one (file system 0x", absl::Hex(system.f_type), ")"));
  }
  if ((::fcntl(queue, F_GETFL) & O_ACCMODE) != O_RDWR) return bad("is not open for reading and writing");
  mq_attr attributes = {};
  if (::mq_getattr(queue, &attributes) != 0) return bad(absl::StrCat("cannot be asked: ", ErrnoText(errno)));
  if (attributes.mq_msgsize != static_cast<long>(kQueueMessage) || attributes.mq_maxmsg != messages) {
    return bad(absl::StrCat("holds ", attributes.mq_maxmsg, " messages of ", attributes.mq_msgsize,
                            " bytes instead of ", messages, " of ", kQueueMessage));
  }
  return absl::OkStatus();
}

void RemoveLeftQueues() {
  for (unsigned slot = 0; slot < kSlots; ++slot) ::mq_unlink(SlotName(slot).c_str());
}

std::vector<std::string> QueueNamesInUse() {
  std::vector<std::string> names;
  for (unsigned slot = 0; slot < kSlots; ++slot) {
    std::string name = SlotName(slot);
    const UniqueFd queue(::mq_open(name.c_str(), O_RDONLY | O_CLOEXEC));
    if (queue.valid() || errno != ENOENT) names.push_back(std::move(name));
  }
  std::sort(names.begin(), names.end());
  return names;
}

std::unique_ptr<DatagramIo> NewQueueIo(UniqueFd out, UniqueFd in, std::unique_ptr<ByteIo> socket) {
  return std::make_unique<QueueIo>(std::move(out), std::move(in), std::move(socket));
}

}  // namespace nearcall::internal
