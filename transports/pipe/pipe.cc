// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
#include "nearcall/transports/pipe/pipe.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "nearcall/transports/api/closed_endpoint.h"
#include "nearcall/transports/api/errno_status.h"
#include "nearcall/transports/byte_stream/byte_stream.h"
#include "nearcall/transports/byte_stream/pipe_io.h"
#include "nearcall/transports/pipe/spawn.h"

namespace nearcall {
namespace {

using internal::ErrnoStatus;

constexpr size_t kMaxFrame = 65536;
constexpr char kVariable[] = "NEARCALL_PIPE";

absl::Status Bad(const Address& address, absl::string_view why) {
  return absl::InvalidArgumentError(absl::StrCat(address.ToString(), ": ", why));
}

struct Ends {
  int in = -1;
  int out = -1;
};

// "R,W"; of the variable, what is behind "PID,".
absl::StatusOr<Ends> ParseEnds(const Address& address, absl::string_view text) {
  const std::vector<absl::string_view> parts = absl::StrSplit(text, ',');
  Ends ends;
  if (parts.size() != 2 || !absl::SimpleAtoi(parts[0], &ends.in) || !absl::SimpleAtoi(parts[1], &ends.out)) {
    return Bad(address, "write pipe:R,W, the descriptors to read from and to write to");
  }
  if (ends.in <= 1 || ends.out <= 1 || ends.in == ends.out) {
    return Bad(address, "R and W are two descriptors, never 0 or 1");
  }
  return ends;
}

absl::StatusOr<Ends> FromParent(const Address& address) {
  const char* const text = ::secure_getenv(kVariable);
  if (text == nullptr) {
    return Bad(address, absl::StrCat("no ", kVariable, " in the environment: this process was not started by exec:"));
  }
  const std::pair<absl::string_view, absl::string_view> parts = absl::StrSplit(text, absl::MaxSplits(',', 1));
  pid_t pid = 0;
  if (!absl::SimpleAtoi(parts.first, &pid) || pid != ::getpid()) {
    return Bad(address, absl::StrCat(kVariable, "=", text, " is for another process than this one, ", ::getpid()));
  }
  return ParseEnds(address, parts.second);
}

absl::Status CheckEnd(const Address& address, int fd, bool read) {
  struct stat found;
  const int flags = ::fcntl(fd, F_GETFL);
  if (flags < 0 || ::fstat(fd, &found) != 0) {
    return Bad(address, absl::StrCat("descriptor ", fd, " is not open in this process"));
  }
  if (!S_ISFIFO(found.st_mode)) {
    return Bad(address, absl::StrCat("descriptor ", fd, " is ", internal::FileTypeText(found.st_mode), ", not a pipe"));
  }
  const int mode = flags & O_ACCMODE;
  if (mode != O_RDWR && mode != (read ? O_RDONLY : O_WRONLY)) {
    return Bad(address, absl::StrCat("descriptor ", fd, " is not open for ", read ? "reading" : "writing"));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<Endpoint>> MakeEndpoint(const Address& address,
                                                       std::unique_ptr<ByteStreamEnding> ending) {
  if (absl::Status status = CheckParameters(address, {}); !status.ok()) return status;
  const absl::StatusOr<Ends> ends = address.rest.empty() ? FromParent(address) : ParseEnds(address, address.rest);
  if (!ends.ok()) return ends.status();
  if (absl::Status status = CheckEnd(address, ends->in, true); !status.ok()) return status;
  if (absl::Status status = CheckEnd(address, ends->out, false); !status.ok()) return status;
  absl::StatusOr<std::unique_ptr<ByteIo>> io = NewPipeIo(UniqueFd(ends->in), UniqueFd(ends->out));
  if (!io.ok()) return io.status();
  ByteStreamOptions options;
  options.info.transport = "pipe";
  options.info.max_frame = kMaxFrame;
  options.name = address.ToString();
  options.ending = std::move(ending);
  return std::make_unique<ByteStreamEndpoint>(*std::move(io), std::move(options));
}

// What a listener and the one connection that it gives share.
class OneConnection {
 public:
  explicit OneConnection(UniqueFd event) : event_(std::move(event)) { Tell(); }
  int fd() const { return event_.get(); }
  void Put(std::unique_ptr<Endpoint> endpoint) {
    std::lock_guard<std::mutex> lock(mutex_);
    waiting_ = std::move(endpoint);
  }
  absl::StatusOr<std::unique_ptr<Endpoint>> Take(const std::string& name) {
    std::lock_guard<std::mutex> lock(mutex_);
    if (ended_) return absl::OutOfRangeError(absl::StrCat(name, ": its one connection has ended"));
    eventfd_t count;
    ::eventfd_read(event_.get(), &count);
    return std::move(waiting_);
  }
  void End() {
    std::lock_guard<std::mutex> lock(mutex_);
    ended_ = true;
    Tell();
  }

 private:
  void Tell() { ::eventfd_write(event_.get(), 1); }

  const UniqueFd event_;
  std::mutex mutex_;
  std::unique_ptr<Endpoint> waiting_;
  bool ended_ = false;
};

class TellListener final : public ByteStreamEnding {
 public:
  explicit TellListener(std::weak_ptr<OneConnection> one) : one_(std::move(one)) {}
  ~TellListener() override {
    if (const auto one = one_.lock()) one->End();
  }

 private:
  const std::weak_ptr<OneConnection> one_;
};

class PipeListener final : public Listener {
 public:
  PipeListener(Address address, std::shared_ptr<OneConnection> one)
      : address_(std::move(address)), one_(std::move(one)) {}
  const Address& address() const override { return address_; }
  int fd() const override { return one_->fd(); }
  absl::StatusOr<std::unique_ptr<Endpoint>> Accept() override { return one_->Take(address_.ToString()); }

 private:
  const Address address_;
  const std::shared_ptr<OneConnection> one_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Listener>> PipeTransport::Listen(const Address& address) {
  UniqueFd event(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!event.valid()) return ErrnoStatus(errno, absl::StrCat(address.ToString(), ": cannot make an eventfd"));
  auto one = std::make_shared<OneConnection>(std::move(event));
  auto endpoint = MakeEndpoint(address, std::make_unique<TellListener>(one));
  if (!endpoint.ok()) return endpoint.status();
  one->Put(*std::move(endpoint));
  return std::make_unique<PipeListener>(address, std::move(one));
}

absl::StatusOr<std::unique_ptr<Endpoint>> PipeTransport::Connect(const Address& address) {
  return MakeEndpoint(address, nullptr);
}

absl::StatusOr<std::unique_ptr<Listener>> ExecTransport::Listen(const Address& address) {
  return Bad(address, "a server that exec: starts listens at pipe:");
}

absl::StatusOr<std::unique_ptr<Endpoint>> ExecTransport::Connect(const Address& address) {
  const std::string name = address.ToString();
  if (absl::Status status = CheckParameters(address, {}); !status.ok()) return status;
  absl::StatusOr<std::vector<std::string>> words = internal::SplitCommand(address);
  if (!words.ok()) return words.status();
  absl::StatusOr<internal::Spawned> child = internal::Spawn(*words);
  if (!child.ok()) return absl::Status(child.status().code(), absl::StrCat(name, ": ", child.status().message()));
  absl::StatusOr<std::unique_ptr<ByteIo>> io = NewPipeIo(std::move(child->in), std::move(child->out));
  if (!io.ok()) return io.status();
  ByteStreamOptions options;
  options.info.transport = "exec";
  options.info.max_frame = kMaxFrame;
  options.info.sees_death = true;  // by the report of the process that waits for the child
  options.name = name;
  options.death = std::move(child->death);
  options.ending = std::move(child->ending);
  return std::make_unique<ByteStreamEndpoint>(*std::move(io), std::move(options));
}

}  // namespace nearcall
