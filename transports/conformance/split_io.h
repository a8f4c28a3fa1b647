// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// ByteIo decorators of tests: transfers cut to pieces, and a peer that says what it likes.
//
//   SetByteIoDecoratorForTest([](auto io) { return SplitIo(std::move(io), IoMode::kOneByte, 0); });
//
// Thread safety: as ByteIo. Lifetime: the decorator owns what it decorates.
#ifndef NEARCALL_TRANSPORTS_CONFORMANCE_SPLIT_IO_H_
#define NEARCALL_TRANSPORTS_CONFORMANCE_SPLIT_IO_H_

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>

#include "nearcall/transports/byte_stream/byte_io.h"

namespace nearcall {

// kRandom: from one byte to all, and now and then nothing at all (EAGAIN) although there is something to do.
enum class IoMode { kNormal, kOneByte, kRandom };
const char* IoModeName(IoMode mode);

std::unique_ptr<ByteIo> SplitIo(std::unique_ptr<ByteIo> io, IoMode mode, uint64_t seed);

// What a hostile peer is to send instead of its next frames. Thread-safe.
class Forgery {
 public:
  void Set(std::string bytes) {
    std::lock_guard<std::mutex> lock(mutex_);
    bytes_ = std::move(bytes);
  }
  std::string Take() {
    std::lock_guard<std::mutex> lock(mutex_);
    return std::exchange(bytes_, std::string());
  }

 private:
  std::mutex mutex_;
  std::string bytes_;
};

// The next Send() after `forgery` was set sends that, and claims to have sent what it was given.
std::unique_ptr<ByteIo> ForgingIo(std::unique_ptr<ByteIo> io, std::shared_ptr<Forgery> forgery);

}  // namespace nearcall

#endif  // NEARCALL_TRANSPORTS_CONFORMANCE_SPLIT_IO_H_
