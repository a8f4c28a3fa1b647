// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0

#include "nearcall/transports/byte_stream/frame_buffers.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace nearcall {
namespace {

constexpr size_t kStart = 8;  // so that the first payload lies at 16
constexpr size_t kFirstCapacity = 4096;
constexpr size_t kSendLimit = 256 * 1024;
// A large frame is received alone (with the next header), so that it need never be moved; small ones many at a time.
constexpr size_t kLargeFrame = 16 * 1024;
constexpr size_t kQuietRounds = 256;

std::unique_ptr<char[]> Allocate(size_t size) { return std::unique_ptr<char[]>(new char[size]); }

}  // namespace

SendBuffer::SendBuffer(size_t max_frame) : limit_(std::max(kSendLimit, kFrameHeaderSize + max_frame)) {}

bool SendBuffer::MakeRoom(size_t need) {
  const size_t unsent = end_ - begin_;
  reserved_ = kNothingReserved;
  if (unsent + need > limit_) return false;
  const size_t wanted = kStart + unsent + need;
  if (wanted > capacity_) {
    const size_t capacity = std::min(std::max({kFirstCapacity, 2 * capacity_, wanted}), kStart + limit_);
    std::unique_ptr<char[]> larger = Allocate(capacity);
    if (unsent > 0) std::memcpy(larger.get() + kStart, data_.get() + begin_, unsent);
    data_ = std::move(larger);
    capacity_ = capacity;
  } else {
    std::memmove(data_.get() + kStart, data_.get() + begin_, unsent);
  }
  begin_ = kStart;
  end_ = kStart + unsent;
  return true;
}

void SendBuffer::Emptied() {
  if (capacity_ > kFirstCapacity) {
    quiet_ = end_ <= kFirstCapacity / 2 ? quiet_ + 1 : 0;
    if (quiet_ >= kQuietRounds) {
      quiet_ = 0;
      data_ = Allocate(kFirstCapacity);
      capacity_ = kFirstCapacity;
    }
  }
  begin_ = end_ = kStart;
}

ReceiveBuffer::Found ReceiveBuffer::Bad(uint64_t header) {
  if ((header & 0xffffffff00000000u) == 0) return Found::kTooLong;
  return (header >> 40) != 0 ? Found::kNotZero : Found::kHasDescriptors;
}

absl::Span<char> ReceiveBuffer::Room() {
  const size_t most = kStart + kFrameHeaderSize + max_frame_ + 2 * kFrameHeaderSize;
  const size_t have = end_ - begin_;
  // The last receive call filled the buffer, or nearly: take more at once from now on.
  const bool was_full = capacity_ != 0 && end_ + kFrameHeaderSize >= capacity_;
  size_t frame = 0;  // whole size of the frame that has begun
  if (have >= kFrameHeaderSize) {
    frame = kFrameHeaderSize + static_cast<size_t>(LoadFrameHeader(data_.get() + begin_));
  }
  if (have == 0) {
    quiet_ = end_ <= kFirstCapacity / 2 ? quiet_ + 1 : 0;
    begin_ = end_ = kStart;
    if (capacity_ > kFirstCapacity && quiet_ >= kQuietRounds) Resize(kFirstCapacity);
  }
  size_t wanted = std::max({kStart + frame + 2 * kFrameHeaderSize, kFirstCapacity, capacity_});
  if (was_full) wanted = std::max(wanted, 4 * capacity_);
  wanted = std::min(wanted, most);
  if (wanted > capacity_) {
    Resize(wanted);
  } else if (begin_ > kStart && (have <= kFirstCapacity || begin_ + frame + kFrameHeaderSize > capacity_)) {
    std::memmove(data_.get() + kStart, data_.get() + begin_, have);
    begin_ = kStart;
    end_ = kStart + have;
  }
  size_t room = capacity_ - end_;
  if (frame >= kLargeFrame) room = std::min(room, frame + kFrameHeaderSize - have);
  return {data_.get() + end_, room};
}

void ReceiveBuffer::Resize(size_t capacity) {
  const size_t have = end_ - begin_;
  std::unique_ptr<char[]> other = Allocate(capacity);
  if (have > 0) std::memcpy(other.get() + kStart, data_.get() + begin_, have);
  data_ = std::move(other);
  capacity_ = capacity;
  begin_ = kStart;
  end_ = kStart + have;
}

}  // namespace nearcall
