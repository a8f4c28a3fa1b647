// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
#include "nearcall/transports/tcp_socket/tcp_greeting.h"

#include <errno.h>
#include <string.h>

#include <algorithm>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "nearcall/transports/api/errno_status.h"

namespace nearcall::internal {
namespace {

// Not text in its first byte, so no text protocol begins like it.
constexpr char kMagic[8] = {'\x8e', 'n', 'e', 'a', 'r', 't', 'c', 'p'};
// Offsets. Those before kFlagsAt hold in every version to come.
constexpr size_t kVersionAt = 8, kSizeAt = 10, kKindAt = 12, kRefusalAt = 13, kFlagsAt = 14;
constexpr size_t kMaxFrameAt = 16, kReservedAt = 20, kTokenAt = 24;
static_assert(kTokenAt + kTokenHalf == kTcpGreetingSize);
constexpr uint32_t kFlagToken = 1;

void Put(char* at, uint32_t value, int bytes) {
  for (int i = 0; i < bytes; ++i) at[i] = static_cast<char>(value >> (8 * i));
}
uint32_t Get(const char* at, int bytes) {
  uint32_t value = 0;
  for (int i = 0; i < bytes; ++i) value |= uint32_t{static_cast<unsigned char>(at[i])} << (8 * i);
  return value;
}

bool NotNow(int error) { return error == EAGAIN || error == EWOULDBLOCK || error == EINTR; }

}  // namespace

std::array<char, kTcpGreetingSize> EncodeTcpGreeting(const TcpGreeting& greeting) {
  std::array<char, kTcpGreetingSize> bytes = {};
  ::memcpy(bytes.data(), kMagic, sizeof(kMagic));
  Put(&bytes[kVersionAt], kTcpGreetingVersion, 2);
  Put(&bytes[kSizeAt], kTcpGreetingSize, 2);
  Put(&bytes[kKindAt], static_cast<uint8_t>(greeting.kind), 1);
  Put(&bytes[kRefusalAt], static_cast<uint8_t>(greeting.refusal), 1);
  Put(&bytes[kFlagsAt], greeting.token.has_value() ? kFlagToken : 0, 2);
  Put(&bytes[kMaxFrameAt], greeting.max_frame, 4);
  if (greeting.token.has_value()) ::memcpy(&bytes[kTokenAt], greeting.token->data(), kTokenHalf);
  return bytes;
}

Io TcpGreetingWriter::Write(ByteIo& io, int* error) {
  while (written_ < bytes_.size()) {
    const ssize_t n = io.Send(bytes_.data() + written_, bytes_.size() - written_);
    if (n < 0) {
      *error = errno;
      return NotNow(*error) ? Io::kWouldBlock : Io::kClosed;
    }
    written_ += static_cast<size_t>(n);
  }
  return Io::kOk;
}

TcpGreetingReader::Result TcpGreetingReader::Read(ByteIo& io) {
  while (size_ < bytes_.size()) {
    const ssize_t n = io.Receive(bytes_.data() + size_, bytes_.size() - size_);
    if (n < 0 && NotNow(errno)) return kMore;
    if (n <= 0) {
      const std::string how = n == 0 ? "ended" : absl::StrCat("broke (", ErrnoText(errno), ")");
      problem_ = absl::StrCat("the connection ", how, " after ", size_, " bytes of the greeting", Received());
      return kEnd;
    }
    size_ += static_cast<size_t>(n);
    const Result checked = Check();
    if (checked != kMore) return checked;
  }
  return kDone;
}

std::string TcpGreetingReader::Received() const {
  if (size_ == 0) return "";
  // No further than the head: nothing of a token goes into an error's text.
  const size_t shown = std::min<size_t>(size_, kTokenAt);
  return absl::StrCat(" (received \"", absl::CHexEscape(absl::string_view(bytes_.data(), shown)),
                      size_ > shown ? "..." : "", "\")");
}

// Looks at what is there so far: garbage ends at its first wrong byte, however few come.
TcpGreetingReader::Result TcpGreetingReader::Check() {
  if (::memcmp(bytes_.data(), kMagic, std::min(size_, sizeof(kMagic))) != 0) {
    problem_ = absl::StrCat("it does not begin with a greeting", Received());
    return kBad;
  }
  if (size_ < kFlagsAt) return kMore;
  const uint32_t version = Get(&bytes_[kVersionAt], 2);
  if (version != kTcpGreetingVersion) {
    problem_ = absl::StrCat("the peer speaks greeting version ", version, ", this side ", kTcpGreetingVersion);
    return kVersion;
  }
  if (size_ < bytes_.size()) return kMore;
  const uint32_t flags = Get(&bytes_[kFlagsAt], 2);
  if (Get(&bytes_[kSizeAt], 2) != kTcpGreetingSize || (flags & ~kFlagToken) != 0 || Get(&bytes_[kReservedAt], 4) != 0) {
    problem_ = absl::StrCat("a malformed greeting", Received());
    return kBad;
  }
  greeting_.kind = static_cast<TcpGreetingKind>(bytes_[kKindAt]);
  greeting_.refusal = static_cast<TcpRefusal>(bytes_[kRefusalAt]);
  greeting_.max_frame = Get(&bytes_[kMaxFrameAt], 4);
  if ((flags & kFlagToken) != 0) {
    greeting_.token.emplace();
    ::memcpy(greeting_.token->data(), &bytes_[kTokenAt], kTokenHalf);
  }
  return kDone;
}

}  // namespace nearcall::internal
