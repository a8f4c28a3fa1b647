// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// The greeting: the first 64 bytes of each direction of a rendezvous. With its first byte go SCM_CREDENTIALS and, if
// the sender has one, its own pidfd (SCM_RIGHTS). docs/decisions/0003 has the layout as a diagram.
//
//   GreetingWriter writer(greeting, std::move(descriptors));   // sender
//   while (writer.Write(io, frames, &sent) == Io::kOk) ...
//   GreetingReader reader;                                     // receiver
//   switch (reader.Read(io)) { case GreetingReader::kDone: Use(reader.greeting()); ... }
//
// Thread safety: one owner each. Lifetime: both own the descriptors they hold and close what nobody takes.
// Errors: a reader stops at the first byte that no greeting has; problem() says what was received.
#ifndef NEARCALL_TRANSPORTS_RENDEZVOUS_GREETING_H_
#define NEARCALL_TRANSPORTS_RENDEZVOUS_GREETING_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "nearcall/transports/api/credentials.h"
#include "nearcall/transports/api/endpoint.h"
#include "nearcall/transports/api/unique_fd.h"
#include "nearcall/transports/byte_stream/byte_io.h"
#include "nearcall/transports/rendezvous/medium.h"

namespace nearcall::internal {

inline constexpr size_t kGreetingSize = 64;
inline constexpr uint16_t kGreetingVersion = 1;

enum class GreetingKind : uint8_t { kClient = 1, kWelcome = 2, kRefusal = 3 };

enum class Refusal : uint8_t {  // part of the protocol
  kNone = 0,
  kNotAGreeting = 1,  // the server received something else
  kVersion = 2,       // a greeting of another version
  kMedium = 3,        // no medium that both sides allow
  kIdentity = 4,      // credentials or pidfd are not those of the process that connected
  kBusy = 5,          // out of descriptors, or too many half-open connections of this uid
  kTimeout = 6,       // the greeting was not complete in time
  kMediumFailed = 7,  // the medium's own set-up failed
  kNotAdmitted = 8,   // the client's uid may not connect (where no file's mode decides that)
};

struct Greeting {
  GreetingKind kind = GreetingKind::kClient;
  Refusal refusal = Refusal::kNone;
  bool has_pidfd = false;   // the first descriptor
  uint8_t descriptors = 0;  // in all
  uint32_t media = 0;       // client: all it accepts; server: all it allows
  uint32_t medium = 0;      // client: the one it proposes; welcome: the one taken, of the client's set; refusal: 0
  uint32_t max_frame = 0;   // of that medium
  std::array<char, kMediumParameters> parameters = {};
};

std::array<char, kGreetingSize> EncodeGreeting(const Greeting& greeting);

// What a received refusal means, for the client's status: "it allows shm, this client accepts unix".
std::string RefusalText(const Greeting& refusal, uint32_t our_media);

class GreetingWriter {
 public:
  // Sets has_pidfd and descriptors of `greeting` itself; adds this process's pidfd before `descriptors`.
  GreetingWriter(Greeting greeting, std::vector<UniqueFd> descriptors);

  // As ByteStreamHandshake::SendGreeting; kClosed with errno in *error.
  Io Write(ByteIo& io, absl::Span<const char> frames, size_t* sent, int* error);

 private:
  ssize_t WriteFirst(ByteIo& io, absl::Span<const char> frames);

  std::array<char, kGreetingSize> bytes_;
  size_t written_ = 0;
  Greeting greeting_;
  std::vector<UniqueFd> descriptors_;
};

class GreetingReader {
 public:
  enum Result {
    kDone,       // greeting() and the rest are there
    kMore,       // EAGAIN
    kEnd,        // the stream ended or broke: problem()
    kBad,        // not a greeting, or descriptors where none belong: problem()
    kVersion,    // of another version: version()
    kTruncated,  // descriptors were lost on the way: this process is at its limit
  };
  // Never reads past the greeting. After any result but kMore, call it no more.
  Result Read(ByteIo& io);

  const Greeting& greeting() const { return greeting_; }
  const std::optional<Credentials>& credentials() const { return credentials_; }
  std::vector<UniqueFd>& descriptors() { return descriptors_; }  // the pidfd first, if has_pidfd
  uint16_t version() const { return version_; }
  const std::string& problem() const { return problem_; }

 private:
  Result TakeControl(msghdr& message, bool first);
  Result Check();
  std::string Received() const;

  std::array<char, kGreetingSize> bytes_;
  size_t size_ = 0;
  Greeting greeting_;
  std::optional<Credentials> credentials_;
  std::vector<UniqueFd> descriptors_;
  uint16_t version_ = 0;
  std::string problem_;
};

// The identity of a greeting's sender. Takes the pidfd out of `reader` into *death if it is that of `process`; leaves
// it invalid if there is none or it cannot be told. Empty, or what is wrong.
std::string CheckGreetingIdentity(GreetingReader& reader, const Credentials& process, UniqueFd* death);

}  // namespace nearcall::internal

#endif  // NEARCALL_TRANSPORTS_RENDEZVOUS_GREETING_H_
