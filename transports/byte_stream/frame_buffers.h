// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// The two buffers of a ByteStreamEndpoint, free of system calls: one packs frames behind 8-byte headers, the other
// unpacks them. Both start at nothing, then 4 KiB; they grow under load and go back after long quiet traffic.
//
//   char* payload = send.Reserve(5);  memcpy(payload, "hello", 5);  send.Commit(5);
//   absl::Span<const char> out = send.unsent();  // give it to send(2), then send.Sent(n)
//
//   absl::Span<char> room = receive.Room();      // give it to recv(2), then receive.Received(n)
//   if (receive.Next(&frame) == ReceiveBuffer::Found::kFrame) { Use(frame); receive.Drop(); }
//
// Thread safety: none; each belongs to one role. Memory for a frame is taken only after its length was checked.
// Where it costs nothing a payload starts at 0 mod 16 (large copies to other offsets can be twenty times slower).
#ifndef NEARCALL_TRANSPORTS_BYTE_STREAM_FRAME_BUFFERS_H_
#define NEARCALL_TRANSPORTS_BYTE_STREAM_FRAME_BUFFERS_H_

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>

#include "absl/types/span.h"

namespace nearcall {

inline constexpr size_t kFrameHeaderSize = 8;

// The header as one number, as it lies on the wire in little-endian order: length, descriptors, three zeros.
inline uint64_t LoadFrameHeader(const char* from) {
  unsigned char bytes[kFrameHeaderSize];
  std::memcpy(bytes, from, sizeof(bytes));
  uint64_t header = 0;
  for (int i = 0; i < 8; ++i) header |= uint64_t{bytes[i]} << (8 * i);
  return header;
}
inline void StoreFrameHeader(uint32_t length, char* to) {
  for (int i = 0; i < 8; ++i) to[i] = i < 4 ? static_cast<char>(length >> (8 * i)) : '\0';
}

class SendBuffer {
 public:
  explicit SendBuffer(size_t max_frame);

  // Space for a frame's payload, until Commit() or the next Reserve(). Null: over the bound; send first.
  char* Reserve(size_t size) {
    const size_t need = kFrameHeaderSize + size;
    if (capacity_ - end_ < need && !MakeRoom(need)) return nullptr;
    reserved_ = size;
    return data_.get() + end_ + kFrameHeaderSize;
  }
  bool CanCommit(size_t size) const { return reserved_ != kNothingReserved && size <= reserved_; }
  void Commit(size_t size) {  // REQUIRES: CanCommit(size)
    StoreFrameHeader(static_cast<uint32_t>(size), data_.get() + end_);
    end_ += kFrameHeaderSize + size;
    reserved_ = kNothingReserved;
  }

  bool empty() const { return begin_ == end_; }
  absl::Span<const char> unsent() const { return {data_.get() + begin_, end_ - begin_}; }
  void Sent(size_t size) {  // a reservation stays where it is
    begin_ += size;
    if (begin_ == end_ && reserved_ == kNothingReserved) Emptied();
  }

 private:
  static constexpr size_t kNothingReserved = SIZE_MAX;

  bool MakeRoom(size_t need);
  void Emptied();

  const size_t limit_;  // of unsent bytes, headers included
  std::unique_ptr<char[]> data_;
  size_t capacity_ = 0;
  size_t begin_ = 0, end_ = 0;
  size_t reserved_ = kNothingReserved;
  size_t quiet_ = 0;  // times in a row that it was emptied having held little
};

class ReceiveBuffer {
 public:
  enum class Found { kFrame, kPart, kTooLong, kHasDescriptors, kNotZero };

  explicit ReceiveBuffer(size_t max_frame) : max_frame_(max_frame) {}

  // The first frame, in place until Drop(); asked again, it says the same again.
  Found Next(absl::Span<const char>* frame) const {
    if (end_ - begin_ < kFrameHeaderSize) return Found::kPart;
    const uint64_t header = LoadFrameHeader(data_.get() + begin_);
    if (header > max_frame_) return Bad(header);  // also a header with any of the upper four bytes set
    const size_t length = static_cast<size_t>(header);
    if (end_ - begin_ - kFrameHeaderSize < length) return Found::kPart;
    *frame = {data_.get() + begin_ + kFrameHeaderSize, length};
    return Found::kFrame;
  }
  void Drop() {  // REQUIRES: Next() said kFrame
    begin_ += kFrameHeaderSize + static_cast<size_t>(LoadFrameHeader(data_.get() + begin_));
  }
  bool HasPart() const { return begin_ != end_; }

  // Where to receive to; at least one byte, and no more than one wants to read at once. REQUIRES: Next() said kPart.
  absl::Span<char> Room();
  void Received(size_t size) { end_ += size; }

 private:
  static Found Bad(uint64_t header);
  void Resize(size_t capacity);

  const size_t max_frame_;
  std::unique_ptr<char[]> data_;
  size_t capacity_ = 0;
  size_t begin_ = 0, end_ = 0;
  size_t quiet_ = 0;  // buffers in a row that were emptied having held little
};

}  // namespace nearcall

#endif  // NEARCALL_TRANSPORTS_BYTE_STREAM_FRAME_BUFFERS_H_
