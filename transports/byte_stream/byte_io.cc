// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0

#include "nearcall/transports/byte_stream/byte_io.h"

#include <errno.h>
#include <sys/time.h>

#include <bit>
#include <mutex>
#include <utility>

namespace nearcall {
namespace {

class SocketIo final : public ByteIo {
 public:
  explicit SocketIo(UniqueFd socket) : socket_(std::move(socket)) {}

  int send_fd() const override { return socket_.get(); }
  int receive_fd() const override { return socket_.get(); }

  ssize_t Send(const char* data, size_t size) override {
    ssize_t n;
    do {
      n = ::send(socket_.get(), data, size, MSG_DONTWAIT | MSG_NOSIGNAL);
    } while (n < 0 && errno == EINTR);
    return n;
  }
  ssize_t Receive(char* data, size_t size) override {
    ssize_t n;
    do {
      n = ::recv(socket_.get(), data, size, MSG_DONTWAIT);
    } while (n < 0 && errno == EINTR);
    return n;
  }
  ssize_t SendMessage(const msghdr& message) override {
    ssize_t n;
    do {
      n = ::sendmsg(socket_.get(), &message, MSG_DONTWAIT | MSG_NOSIGNAL);
    } while (n < 0 && errno == EINTR);
    return n;
  }
  ssize_t ReceiveMessage(msghdr* message) override {
    ssize_t n;
    do {
      n = ::recvmsg(socket_.get(), message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    } while (n < 0 && errno == EINTR);
    return n;
  }

  bool can_block() const override { return true; }
  ssize_t ReceiveBlocking(char* data, size_t size, int64_t timeout_ns) override {
    SetTimeout(timeout_ns);
    return ::recv(socket_.get(), data, size, 0);
  }

  void Shutdown() override { ::shutdown(socket_.get(), SHUT_RDWR); }

 private:
  // SO_RCVTIMEO stays as it is while it is at most the wanted timeout and not much less, so that calls whose deadlines
  // are alike pay for no setsockopt. (An early EAGAIN is allowed.)
  void SetTimeout(int64_t timeout_ns) {
    if (timeout_ns == INT64_MAX) {
      if (timeout_ns_ != 0) ApplyTimeout(0);
      return;
    }
    if (timeout_ns_ != 0 && timeout_ns_ <= timeout_ns && timeout_ns_ >= timeout_ns / 8) return;
    ApplyTimeout(static_cast<int64_t>(std::bit_floor(static_cast<uint64_t>(timeout_ns))));
  }
  void ApplyTimeout(int64_t ns) {
    const timeval value = {static_cast<time_t>(ns / 1'000'000'000), static_cast<suseconds_t>(ns / 1000 % 1'000'000)};
    if (::setsockopt(socket_.get(), SOL_SOCKET, SO_RCVTIMEO, &value, sizeof(value)) == 0) timeout_ns_ = ns;
  }

  const UniqueFd socket_;
  int64_t timeout_ns_ = 0;  // 0: none; the receiver's
};

// The one piece of state here: a test's decorator. Never destroyed, as connections may outlive main().
struct Decorator {
  std::mutex mutex;
  internal::ByteIoDecorator decorate;
};
Decorator& TheDecorator() {
  static Decorator* const decorator = new Decorator;
  return *decorator;
}

}  // namespace

std::unique_ptr<ByteIo> NewSocketIo(UniqueFd socket) {
  return internal::DecorateByteIo(std::make_unique<SocketIo>(std::move(socket)));
}

namespace internal {

void SetByteIoDecoratorForTest(ByteIoDecorator decorate) {
  std::lock_guard<std::mutex> lock(TheDecorator().mutex);
  TheDecorator().decorate = std::move(decorate);
}

std::unique_ptr<ByteIo> DecorateByteIo(std::unique_ptr<ByteIo> io) {
  std::lock_guard<std::mutex> lock(TheDecorator().mutex);
  return TheDecorator().decorate ? TheDecorator().decorate(std::move(io)) : std::move(io);
}

}  // namespace internal
}  // namespace nearcall
