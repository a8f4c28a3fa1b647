// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// Bytes owns a block of bytes that starts uninitialised: filling a message of a megabyte with zeros first costs as much
// as copying it. Movable; one owner. The bytes of a large block begin 64 after what the allocator gave: a message is
// written there from a string that often lies the same way within its page, and a copy a few bytes ahead of its source
// is slow (copy.h).
#ifndef NEARCALL_RPC_WIRE_BYTES_H_
#define NEARCALL_RPC_WIRE_BYTES_H_

#include <cstddef>
#include <memory>
#include <new>
#include <utility>

#include "absl/types/span.h"

namespace nearcall::internal {

class Bytes {
 public:
  Bytes() = default;
  explicit Bytes(size_t size) : data_(size == 0 ? nullptr : new char[Lead(size) + size]), size_(size) {}
  Bytes(Bytes&& other) noexcept : data_(std::move(other.data_)), size_(std::exchange(other.size_, 0)) {}
  Bytes& operator=(Bytes&& other) noexcept {
    data_ = std::move(other.data_);
    size_ = std::exchange(other.size_, 0);
    return *this;
  }

  // For a size that someone else chose: false, and nothing changed, if there is no memory for it.
  static bool TryAllocate(size_t size, Bytes* bytes) {
    std::unique_ptr<char[]> data(size == 0 ? nullptr : new (std::nothrow) char[Lead(size) + size]);
    if (size != 0 && data == nullptr) return false;
    bytes->data_ = std::move(data);
    bytes->size_ = size;
    return true;
  }

  char* data() { return data_.get() + Lead(size_); }
  const char* data() const { return data_.get() + Lead(size_); }
  size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  absl::Span<const char> span() const { return {data(), size_}; }

 private:
  static constexpr size_t Lead(size_t size) { return size < 4096 ? 0 : 64; }

  std::unique_ptr<char[]> data_;
  size_t size_ = 0;
};

}  // namespace nearcall::internal

#endif  // NEARCALL_RPC_WIRE_BYTES_H_
