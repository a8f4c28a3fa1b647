// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0

#include "nearcall/transports/conformance/split_io.h"

#include <errno.h>
#include <poll.h>

#include <algorithm>
#include <random>
#include <utility>
#include <vector>

namespace nearcall {
namespace {

class Forwarding : public ByteIo {
 public:
  explicit Forwarding(std::unique_ptr<ByteIo> io) : io_(std::move(io)) {}
  int send_fd() const override { return io_->send_fd(); }
  int receive_fd() const override { return io_->receive_fd(); }
  int wake_fd() const override { return io_->wake_fd(); }
  bool end_is_received() const override { return io_->end_is_received(); }
  ssize_t Send(const char* data, size_t size) override { return io_->Send(data, size); }
  ssize_t Receive(char* data, size_t size) override { return io_->Receive(data, size); }
  ssize_t SendMessage(const msghdr& message) override { return io_->SendMessage(message); }
  ssize_t ReceiveMessage(msghdr* message) override { return io_->ReceiveMessage(message); }
  bool can_block() const override { return io_->can_block(); }
  ssize_t ReceiveBlocking(char* data, size_t size, int64_t timeout_ns) override {
    return io_->ReceiveBlocking(data, size, timeout_ns);
  }
  void Shutdown() override { io_->Shutdown(); }

 protected:
  const std::unique_ptr<ByteIo> io_;
};

class Splitting final : public Forwarding {
 public:
  Splitting(std::unique_ptr<ByteIo> io, IoMode mode, uint64_t seed)
      : Forwarding(std::move(io)), send_{mode, std::mt19937_64(seed)}, receive_{mode, std::mt19937_64(~seed)} {}

  ssize_t Send(const char* data, size_t size) override {
    const size_t part = send_.Part(size);
    return part == 0 && size > 0 ? Again() : io_->Send(data, part);
  }
  ssize_t Receive(char* data, size_t size) override {
    const size_t part = receive_.Part(size);
    return part == 0 ? Again() : io_->Receive(data, part);
  }
  ssize_t ReceiveBlocking(char* data, size_t size, int64_t timeout_ns) override {
    return io_->ReceiveBlocking(data, std::max<size_t>(1, receive_.Part(size)), timeout_ns);
  }
  ssize_t SendMessage(const msghdr& message) override {
    msghdr cut = message;
    std::vector<iovec> parts;
    if (!Cut(message, send_, &parts)) return Again();
    cut.msg_iov = parts.data();
    cut.msg_iovlen = parts.size();
    return io_->SendMessage(cut);
  }
  ssize_t ReceiveMessage(msghdr* message) override {
    msghdr cut = *message;
    std::vector<iovec> parts;
    if (!Cut(*message, receive_, &parts)) return Again();
    cut.msg_iov = parts.data();
    cut.msg_iovlen = parts.size();
    const ssize_t received = io_->ReceiveMessage(&cut);
    cut.msg_iov = message->msg_iov;
    cut.msg_iovlen = message->msg_iovlen;
    *message = cut;
    return received;
  }

 private:
  struct Dice {
    IoMode mode;
    std::mt19937_64 random;
    size_t Part(size_t size) {
      if (mode == IoMode::kOneByte) return std::min<size_t>(size, 1);
      const uint64_t roll = random();
      if (roll % 16 == 0) return 0;
      if (roll % 4 == 0) return size;
      // Small pieces as often as large ones.
      const size_t most = std::min<size_t>(size, size_t{1} << (roll / 16 % 17));
      return most == 0 ? 0 : 1 + random() % most;
    }
  };

  static ssize_t Again() {
    errno = EAGAIN;
    return -1;
  }

  static bool Cut(const msghdr& message, Dice& dice, std::vector<iovec>* parts) {
    size_t size = 0;
    for (size_t i = 0; i < message.msg_iovlen; ++i) size += message.msg_iov[i].iov_len;
    size_t left = dice.Part(size);
    if (left == 0) return size == 0;
    for (size_t i = 0; i < message.msg_iovlen && left > 0; ++i) {
      const size_t length = std::min(left, message.msg_iov[i].iov_len);
      parts->push_back({message.msg_iov[i].iov_base, length});
      left -= length;
    }
    return true;
  }

  Dice send_;
  Dice receive_;
};

class Forging final : public Forwarding {
 public:
  Forging(std::unique_ptr<ByteIo> io, std::shared_ptr<Forgery> forgery)
      : Forwarding(std::move(io)), forgery_(std::move(forgery)) {}

  ssize_t Send(const char* data, size_t size) override {
    const std::string forged = forgery_->Take();
    if (forged.empty()) return io_->Send(data, size);
    for (size_t sent = 0; sent < forged.size();) {
      const ssize_t n = io_->Send(forged.data() + sent, forged.size() - sent);
      if (n > 0) sent += static_cast<size_t>(n);
      if (n >= 0) continue;
      pollfd writable = {io_->send_fd(), POLLOUT, 0};
      if (errno != EAGAIN || ::poll(&writable, 1, 1000) <= 0) return -1;
    }
    return static_cast<ssize_t>(size);
  }

 private:
  const std::shared_ptr<Forgery> forgery_;
};

}  // namespace

const char* IoModeName(IoMode mode) {
  switch (mode) {
    case IoMode::kNormal:
      return "Normal";
    case IoMode::kOneByte:
      return "OneByte";
    case IoMode::kRandom:
      return "Random";
  }
  return "?";
}

std::unique_ptr<ByteIo> SplitIo(std::unique_ptr<ByteIo> io, IoMode mode, uint64_t seed) {
  if (mode == IoMode::kNormal) return io;
  return std::make_unique<Splitting>(std::move(io), mode, seed);
}

std::unique_ptr<ByteIo> ForgingIo(std::unique_ptr<ByteIo> io, std::shared_ptr<Forgery> forgery) {
  return std::make_unique<Forging>(std::move(io), std::move(forgery));
}

}  // namespace nearcall
