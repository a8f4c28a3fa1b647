// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// The session header: the first 16 bytes of every frame. PROTOCOL.md beside this file is the specification.
//
//     0       1       2               4                               8                               12 16
//     +-------+-------+---------------+-------------------------------+-------------------------------+---------------+
//     | kind  | flags | 0             | call id                       | header block length           | total length  |
//     +-------+-------+---------------+-------------------------------+-------------------------------+---------------+
//     little-endian; then the body: the header block, then the message. A *unit* is one header block and at most one
//     message; a unit larger than a frame goes as several: the first says the whole unit's lengths, all but the last
//     have kMore. Continuations repeat kind and call id, with both lengths 0.
#ifndef NEARCALL_RPC_WIRE_FRAME_H_
#define NEARCALL_RPC_WIRE_FRAME_H_

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace nearcall::internal {

enum class FrameKind : uint8_t {
  kHello = 1,            // versions, limits, a clock sample; the first frame each way; call id 0
  kCall = 2,             // method path, deadline, metadata; kWithMessage: the only request (then nothing else follows)
  kInitialMetadata = 3,  // server to client, at most once, before the first reply
  kMessage = 4,          // one message of a stream (needs credit)
  kHalfClose = 5,        // the client sends no more messages
  kStatus = 6,           // ends the call: code, text, payloads, trailing metadata; kWithMessage: the only reply
  kCancel = 7,           // client: the call is over for me
  kCredit = 8,           // that many more bytes of stream messages may be sent to me
  kPing = 9,             // kAck: the answer
  kDrain = 10,           // no new calls please; the last call id that was or will be served
};
inline constexpr uint8_t kSkippable = 0x80;  // bit of the kind: who does not know it skips the frame

enum FrameFlags : uint8_t {
  kMore = 1,         // another frame of this unit follows
  kNotStarted = 2,   // on kStatus: no handler has seen or will see the call, it may be sent again
  kWithMessage = 4,  // the body has a message behind the header block (perhaps an empty one)
  kAck = 8,          // on kPing
};

inline constexpr size_t kFrameHeaderSize = 16;

struct FrameHeader {
  FrameKind kind = FrameKind::kHello;
  uint8_t flags = 0;
  uint32_t call_id = 0;
  uint32_t block_size = 0;
  uint32_t total_size = 0;
};

// x86-64 and AArch64 are little-endian; a big-endian port changes these two functions and StoreLittle/LoadLittle alone.
static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "nearcall's wire format is little-endian");

inline void EncodeFrameHeader(const FrameHeader& header, char* out) {
  out[0] = static_cast<char>(header.kind);
  out[1] = static_cast<char>(header.flags);
  out[2] = 0;
  out[3] = 0;
  std::memcpy(out + 4, &header.call_id, 4);
  std::memcpy(out + 8, &header.block_size, 4);
  std::memcpy(out + 12, &header.total_size, 4);
}

// REQUIRES: kFrameHeaderSize readable bytes. Nothing is checked but that; false if the reserved bytes are not 0.
inline bool DecodeFrameHeader(const char* in, FrameHeader* header) {
  header->kind = static_cast<FrameKind>(static_cast<uint8_t>(in[0]));
  header->flags = static_cast<uint8_t>(in[1]);
  std::memcpy(&header->call_id, in + 4, 4);
  std::memcpy(&header->block_size, in + 8, 4);
  std::memcpy(&header->total_size, in + 12, 4);
  return in[2] == 0 && in[3] == 0;
}

}  // namespace nearcall::internal

#endif  // NEARCALL_RPC_WIRE_FRAME_H_
