// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// What client and server say to each other before frames, and the rules for the files that they meet at.
//
// The client makes a pair of FIFOs, 0600, in its 0700 directory of names, `fifo-PID-RANDOM.up` and `.down`, opens them,
// and writes a request to the well-known FIFO. At 256 bytes, less than PIPE_BUF, it arrives whole (pipe(7)):
//
//   0        8          10        12           16                                    256
//   | magic  | version  | size    | max_frame  | path of the pair without its ending |
//     8 B      u16 1      u16 256   u32          a text, filled up with zeros
//
// The server opens both, takes their names away, and answers in the one that goes down:
//
//   0        8          9         10         12           16
//   | magic  | 1: yes   | reason  | version  | max_frame  |
//     8 B      2: no      u8        u16        u32
//
// All numbers are little-endian. From there on each FIFO carries frames.
//
// Thread-safe. Errors: as the functions say.
#ifndef NEARCALL_TRANSPORTS_FIFO_FIFO_REQUEST_H_
#define NEARCALL_TRANSPORTS_FIFO_FIFO_REQUEST_H_

#include <sys/types.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "nearcall/transports/api/address.h"
#include "nearcall/transports/rendezvous/place.h"

namespace nearcall::internal {

inline constexpr size_t kFifoRequestSize = 256;
inline constexpr size_t kFifoAnswerSize = 16;
inline constexpr uint16_t kFifoVersion = 1;
inline constexpr uint32_t kFifoMaxFrame = 65536;
inline constexpr absl::string_view kFifoMagic = "\x8enearfif";
inline constexpr char kFifoUp[] = ".up";      // to the server
inline constexpr char kFifoDown[] = ".down";  // to the client

enum class FifoRefusal : uint8_t { kNone = 0, kVersion = 1 };

struct FifoRequest {
  uint16_t version = kFifoVersion;
  uint32_t max_frame = kFifoMaxFrame;
  std::string pair;
};
// REQUIRES: request.pair has at most kFifoRequestSize - 17 bytes.
std::string EncodeFifoRequest(const FifoRequest& request);
// Of kFifoRequestSize bytes that begin with the magic; nothing where they are no request.
std::optional<FifoRequest> DecodeFifoRequest(absl::string_view bytes);

struct FifoAnswer {
  FifoRefusal refusal = FifoRefusal::kNone;
  uint16_t version = kFifoVersion;
  uint32_t max_frame = kFifoMaxFrame;
};
std::string EncodeFifoAnswer(const FifoAnswer& answer);
std::optional<FifoAnswer> DecodeFifoAnswer(absl::string_view bytes);

// Where the well-known FIFO of `address` is.
absl::StatusOr<Place> FifoPlaceOf(const Address& address);
// PERMISSION_DENIED where somebody besides this user and root may exchange files in the directory of `path`.
absl::Status CheckFifoDirectory(const std::string& path);
// Whether an opened file is a FIFO of this user's, or root's.
absl::Status CheckFifo(int fd, absl::string_view name);

// Takes away what clients have left that were killed between making their pair and its opening by a server.
void RemoveLeftPairs();

}  // namespace nearcall::internal

#endif  // NEARCALL_TRANSPORTS_FIFO_FIFO_REQUEST_H_
