// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// The greeting of tcp:, the first 56 bytes of each direction. All numbers are little-endian.
//
//     0        8    10   12     13        14      16          20         24              56
//     | magic  | ver | len | kind | refusal | flags | max_frame | reserved | token half  |
//       8 B      u16   u16   u8     u8        u16     u32         u32, 0     32 B
//
// - magic 8e "neartcp", version 1, length 56: the three that every version keeps. kind 1 client, 2 welcome, 3 refusal.
// - flags bit 0: with a token half, the client's own in its greeting, the server's in a welcome; else 32 zeros.
// - max_frame: the client's, which a welcome repeats.
//
// A client sends its greeting and nothing else until a welcome has come whose half it has checked: whoever took the
// port of a dead server learns no request, and never the server's half.
//
//   TcpGreetingWriter writer(greeting); while (writer.Write(io, &error) == Io::kOk) ...
//   TcpGreetingReader reader; switch (reader.Read(io)) { case TcpGreetingReader::kDone: Use(reader.greeting()); ... }
//
// Thread safety: one owner each. Errors: a reader stops at the first byte that no greeting has; problem() says what was
// received.
#ifndef NEARCALL_TRANSPORTS_TCP_SOCKET_TCP_GREETING_H_
#define NEARCALL_TRANSPORTS_TCP_SOCKET_TCP_GREETING_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "nearcall/transports/api/endpoint.h"
#include "nearcall/transports/byte_stream/byte_io.h"
#include "nearcall/transports/tcp_socket/token.h"

namespace nearcall::internal {

inline constexpr size_t kTcpGreetingSize = 56;
inline constexpr uint16_t kTcpGreetingVersion = 1;
inline constexpr uint32_t kTcpMaxFrame = 65536;

enum class TcpGreetingKind : uint8_t { kClient = 1, kWelcome = 2, kRefusal = 3 };

enum class TcpRefusal : uint8_t {  // part of the protocol
  kNone = 0,
  kNotAGreeting = 1,  // the server received something else
  kVersion = 2,       // a greeting of another version
  kNoToken = 3,       // the client has none, and the server asks for one
  kWrongToken = 4,    // the client's half is not the server's
  kOpen = 5,          // the client has a token, and the server none
  kMaxFrame = 6,      // frames of another size
  kBusy = 7,          // out of descriptors, or too many half-open connections
  kTimeout = 8,       // the greeting was not complete in time
};

struct TcpGreeting {
  TcpGreetingKind kind = TcpGreetingKind::kClient;
  TcpRefusal refusal = TcpRefusal::kNone;
  uint32_t max_frame = kTcpMaxFrame;
  std::optional<TokenHalf> token = {};
};

std::array<char, kTcpGreetingSize> EncodeTcpGreeting(const TcpGreeting& greeting);

class TcpGreetingWriter {
 public:
  explicit TcpGreetingWriter(const TcpGreeting& greeting) : bytes_(EncodeTcpGreeting(greeting)) {}
  // kOk: all of it is out. kClosed with errno in *error.
  Io Write(ByteIo& io, int* error);

 private:
  const std::array<char, kTcpGreetingSize> bytes_;
  size_t written_ = 0;
};

class TcpGreetingReader {
 public:
  enum Result {
    kDone,     // greeting() is there
    kMore,     // EAGAIN
    kEnd,      // the stream ended or broke: problem()
    kBad,      // not a greeting: problem()
    kVersion,  // of another version: problem()
  };
  // Never reads past the greeting. After any result but kMore, call it no more.
  Result Read(ByteIo& io);

  const TcpGreeting& greeting() const { return greeting_; }
  const std::string& problem() const { return problem_; }

 private:
  Result Check();
  std::string Received() const;

  std::array<char, kTcpGreetingSize> bytes_;
  size_t size_ = 0;
  TcpGreeting greeting_;
  std::string problem_;
};

}  // namespace nearcall::internal

#endif  // NEARCALL_TRANSPORTS_TCP_SOCKET_TCP_GREETING_H_
