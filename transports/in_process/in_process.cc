// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0

#include "nearcall/transports/in_process/in_process.h"

#include <errno.h>
#include <sys/eventfd.h>

#include <deque>
#include <map>
#include <mutex>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "nearcall/transports/api/closed_endpoint.h"
#include "nearcall/transports/api/errno_status.h"
#include "nearcall/transports/in_process/in_process_endpoint.h"

namespace nearcall {
namespace {

constexpr size_t kBacklog = 4096;

// A listener's waiting connections; connectors hold it for the time of one Offer().
class Queue {
 public:
  explicit Queue(UniqueFd event) : event_(std::move(event)) {}
  int fd() const { return event_.get(); }

  absl::Status Offer(const std::string& name, std::unique_ptr<Endpoint> server) {
    std::lock_guard<std::mutex> lock(mutex_);
    if (closed_) return absl::UnavailableError(absl::StrCat(name, ": the server has stopped listening"));
    if (waiting_.size() >= kBacklog) {
      return absl::UnavailableError(absl::StrCat(name, ": ", kBacklog, " connections wait to be accepted already"));
    }
    waiting_.push_back(std::move(server));
    if (waiting_.size() == 1) ::eventfd_write(event_.get(), 1);
    return absl::OkStatus();
  }

  std::unique_ptr<Endpoint> Take() {
    std::lock_guard<std::mutex> lock(mutex_);
    if (waiting_.empty()) return nullptr;
    std::unique_ptr<Endpoint> next = std::move(waiting_.front());
    waiting_.pop_front();
    eventfd_t count;
    if (waiting_.empty()) ::eventfd_read(event_.get(), &count);
    return next;
  }

  void Close() {
    std::deque<std::unique_ptr<Endpoint>> dropped;
    std::lock_guard<std::mutex> lock(mutex_);
    closed_ = true;
    dropped.swap(waiting_);
  }

 private:
  const UniqueFd event_;
  std::mutex mutex_;
  std::deque<std::unique_ptr<Endpoint>> waiting_;
  bool closed_ = false;
};

// Who listens in this process, and whom to tell of it. Never destroyed: listeners may outlive main().
struct NameTable {
  std::mutex mutex;
  std::map<std::string, std::shared_ptr<Queue>> names;
  std::multimap<std::string, int> watches;  // eventfds
};
NameTable& Names() {
  static NameTable* const names = new NameTable;
  return *names;
}

class InProcessListener final : public Listener {
 public:
  InProcessListener(Address address, std::shared_ptr<Queue> queue)
      : address_(std::move(address)), queue_(std::move(queue)) {}
  ~InProcessListener() override {
    {
      std::lock_guard<std::mutex> lock(Names().mutex);
      Names().names.erase(address_.rest);
    }
    queue_->Close();
  }

  const Address& address() const override { return address_; }
  int fd() const override { return queue_->fd(); }
  absl::StatusOr<std::unique_ptr<Endpoint>> Accept() override { return queue_->Take(); }

 private:
  const Address address_;
  const std::shared_ptr<Queue> queue_;
};

class InProcessWatch final : public ServerWatch {
 public:
  InProcessWatch(const std::string& name, UniqueFd event) : event_(std::move(event)) {
    std::lock_guard<std::mutex> lock(Names().mutex);
    place_ = Names().watches.emplace(name, event_.get());
  }
  ~InProcessWatch() override {
    std::lock_guard<std::mutex> lock(Names().mutex);
    Names().watches.erase(place_);
  }
  int fd() const override { return event_.get(); }
  bool Arm() override { return true; }
  bool Came() override {
    eventfd_t count;
    return ::eventfd_read(event_.get(), &count) == 0;
  }

 private:
  const UniqueFd event_;
  std::multimap<std::string, int>::iterator place_;
};

class InProcessTransport final : public Transport {
 public:
  absl::string_view scheme() const override { return "inproc"; }

  absl::StatusOr<std::unique_ptr<Listener>> Listen(const Address& address) override {
    if (absl::Status status = Check(address); !status.ok()) return status;
    UniqueFd event(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    if (!event.valid()) {
      return internal::ErrnoStatus(errno, absl::StrCat(address.ToString(), ": cannot make an eventfd"));
    }
    auto queue = std::make_shared<Queue>(std::move(event));
    std::lock_guard<std::mutex> lock(Names().mutex);
    if (!Names().names.emplace(address.rest, queue).second) {
      return absl::AlreadyExistsError(
          absl::StrCat(address.ToString(), ": a server in this process listens at this name already"));
    }
    const auto watches = Names().watches.equal_range(address.rest);
    for (auto watch = watches.first; watch != watches.second; ++watch) ::eventfd_write(watch->second, 1);
    return std::make_unique<InProcessListener>(address, std::move(queue));
  }

  absl::StatusOr<std::unique_ptr<Endpoint>> Connect(const Address& address) override {
    if (absl::Status status = Check(address); !status.ok()) return status;
    const std::string name = address.ToString();
    std::shared_ptr<Queue> queue;
    {
      std::lock_guard<std::mutex> lock(Names().mutex);
      if (const auto found = Names().names.find(address.rest); found != Names().names.end()) queue = found->second;
    }
    if (queue == nullptr) {
      return NewClosedEndpoint("inproc",
                               absl::UnavailableError(absl::StrCat(name, ": nobody in this process listens there")));
    }
    absl::StatusOr<internal::InProcessPair> pair = internal::NewInProcessPair(name);
    if (!pair.ok()) return pair.status();
    if (absl::Status status = queue->Offer(name, std::move(pair->server)); !status.ok()) {
      return NewClosedEndpoint("inproc", std::move(status));
    }
    return std::move(pair->client);
  }

  std::unique_ptr<ServerWatch> Watch(const Address& address) override {
    UniqueFd event(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    if (!event.valid()) return nullptr;
    return std::make_unique<InProcessWatch>(address.rest, std::move(event));
  }

 private:
  static absl::Status Check(const Address& address) {
    if (address.rest.empty()) {
      return absl::InvalidArgumentError(
          absl::StrCat("address \"", address.ToString(), "\" has no name: write for example inproc:greeter"));
    }
    return CheckParameters(address, {});
  }
};

}  // namespace

std::unique_ptr<Transport> NewInProcessTransport() { return std::make_unique<InProcessTransport>(); }

}  // namespace nearcall
