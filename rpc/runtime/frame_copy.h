// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// FrameCopy: the reader's own copy of a frame whose bytes the peer may still rewrite (EndpointInfo::peer_can_write).
// Whatever is looked at twice, as a length that is checked and then used, must be looked at in memory of one's own.
//
//   FrameCopy copy;
//   frame.bytes = copy.Of(frame.bytes);   // read once; then validate, then parse
//
// Thread safety: the reader's. Lifetime: what Of() gives is valid until the next Of(). Room: that of the longest frame
// so far, rounded up.
#ifndef NEARCALL_RPC_RUNTIME_FRAME_COPY_H_
#define NEARCALL_RPC_RUNTIME_FRAME_COPY_H_

#include <algorithm>
#include <bit>
#include <cstddef>
#include <memory>

#include "absl/types/span.h"
#include "nearcall/rpc/wire/copy.h"

namespace nearcall::internal {

class FrameCopy {
 public:
  absl::Span<const char> Of(absl::Span<const char> bytes) {
    if (bytes.size() > room_) {
      room_ = std::bit_ceil(std::max<size_t>(bytes.size(), 4096));
      buffer_.reset(new char[room_]);
    }
    CopyBytes(buffer_.get(), bytes.data(), bytes.size());
    return {buffer_.get(), bytes.size()};
  }

 private:
  std::unique_ptr<char[]> buffer_;
  size_t room_ = 0;
};

}  // namespace nearcall::internal

#endif  // NEARCALL_RPC_RUNTIME_FRAME_COPY_H_
