// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0

#include "nearcall/transports/in_process/in_process_endpoint.h"

#include <errno.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <mutex>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "nearcall/transports/api/errno_status.h"
#include "nearcall/transports/in_process/lane.h"

namespace nearcall::internal {
namespace {

absl::Status NoDescriptors(const std::string& name, int error) {
  return internal::ErrnoStatus(error, absl::StrCat(name, ": cannot make an eventfd"));
}

EndpointInfo Info() {
  EndpointInfo info;
  info.transport = "inproc";
  // The peer is this process, and the kernel would say of a socket made by it: effective ids, own pid.
  info.peer = Credentials{::geteuid(), ::getegid(), ::getpid()};
  info.max_frame = Lane::kMaxFrame;
  info.cheap_poll = true;  // a lock and a load
  return info;
}

class InProcessEndpoint final : public Endpoint {
 public:
  InProcessEndpoint(std::string name, std::shared_ptr<Lane> out, std::shared_ptr<Lane> in)
      : name_(std::move(name)), info_(Info()), out_(std::move(out)), in_(std::move(in)) {}
  ~InProcessEndpoint() override { Close(absl::OkStatus()); }

  const EndpointInfo& info() const override { return info_; }
  absl::Status status() const override {
    std::lock_guard<std::mutex> lock(mutex_);
    return reason_;
  }

  Io Reserve(size_t size, absl::Span<char>* space) override {
    if (SendingEnded()) return Io::kClosed;
    if (size > info_.max_frame) {
      return Misuse(absl::StrCat("a frame of ", size, " bytes was to be sent; the limit is ", info_.max_frame));
    }
    char* place = out_->Reserve(size);
    if (place == nullptr) {
      out_->Flush();  // without this, a caller that only ever commits would wait for space that nobody makes
      return Io::kWouldBlock;
    }
    *space = {place, size};
    return Io::kOk;
  }

  Io Commit(size_t size, absl::Span<UniqueFd> fds) override {
    if (SendingEnded()) return Io::kClosed;
    if (!fds.empty()) return Misuse(absl::StrCat(fds.size(), " descriptors were to be sent; inproc carries none"));
    if (!out_->CanCommit(size)) return Misuse("a frame was committed that is larger than what was reserved");
    out_->Commit(size);
    return Io::kOk;
  }

  Io Flush() override {
    if (SendingEnded()) return Io::kClosed;
    out_->Flush();
    return Io::kOk;
  }

  Io Borrow(Frame* frame) override {
    if (closed()) return Io::kClosed;
    switch (in_->Borrow(&frame->bytes)) {
      case Lane::Got::kFrame:
        frame->fds = {};
        return Io::kOk;
      case Lane::Got::kNothing:
        return Io::kWouldBlock;
      case Lane::Got::kEnd:
        break;
    }
    Close(Ended(*in_));
    return Io::kClosed;
  }
  void Release() override { in_->Release(); }
  bool HasFrame() const override { return in_->HasFrame(); }

  bool Arm(Side side) override {
    if (closed()) return false;
    if (!(side == Side::kSend ? out_->ArmSender() : in_->ArmReceiver())) return false;
    if (!closed()) return true;
    Disarm(side);  // Close() rang before the alarm was set
    return false;
  }
  void Disarm(Side side) override {
    if (side == Side::kSend) {
      out_->DisarmSender();
    } else {
      in_->DisarmReceiver();
    }
  }
  std::array<pollfd, 3> PollFds(Side side) const override {
    const int fd = side == Side::kSend ? out_->sender_fd() : in_->receiver_fd();
    return {{{fd, POLLIN, 0}, {-1, 0, 0}, {-1, 0, 0}}};
  }

  void Close(absl::Status why) override {
    {
      std::lock_guard<std::mutex> lock(mutex_);
      if (closed()) return;
      if (reason_.ok()) {
        reason_ = why.ok() ? absl::CancelledError(absl::StrCat(name_, ": closed by this side")) : std::move(why);
      }
      closed_.store(true, std::memory_order_release);
    }
    out_->End();
    in_->End();
  }

 private:
  bool closed() const { return closed_.load(std::memory_order_acquire); }

  absl::Status Ended(const Lane& lane) const {
    if (const int error = lane.error(); error != 0) return NoDescriptors(name_, error);
    return absl::UnavailableError(absl::StrCat(name_, ": the peer closed the connection"));
  }

  // Only sending ends when the peer has closed: what it sent before is still to be borrowed.
  bool SendingEnded() {
    if (closed()) return true;
    if (!out_->ended()) return false;
    std::lock_guard<std::mutex> lock(mutex_);
    if (reason_.ok()) reason_ = Ended(*out_);
    return true;
  }

  Io Misuse(absl::string_view what) {
    Close(absl::InvalidArgumentError(absl::StrCat(name_, ": ", what)));
    return Io::kClosed;
  }

  const std::string name_;
  const EndpointInfo info_;
  const std::shared_ptr<Lane> out_;
  const std::shared_ptr<Lane> in_;
  std::atomic<bool> closed_{false};
  mutable std::mutex mutex_;
  absl::Status reason_;
};

}  // namespace

absl::StatusOr<InProcessPair> NewInProcessPair(const std::string& name) {
  auto there = std::make_shared<Lane>();
  auto back = std::make_shared<Lane>();
  if (!there->Create() || !back->Create()) return NoDescriptors(name, errno);
  InProcessPair pair;
  pair.client = std::make_unique<InProcessEndpoint>(name, there, back);
  pair.server = std::make_unique<InProcessEndpoint>(name, back, there);
  return pair;
}

}  // namespace nearcall::internal
