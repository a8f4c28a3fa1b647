// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
#include "nearcall/transports/rendezvous/greeting.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "nearcall/transports/api/errno_status.h"
#include "nearcall/transports/rendezvous/process_fd.h"

namespace nearcall::internal {
namespace {

// Not text in its first byte, so no text protocol begins like it.
constexpr char kMagic[8] = {'\x8e', 'n', 'e', 'a', 'r', 'c', 'a', 'l'};
// Offsets. Those before kMediaAt hold in every version to come.
constexpr size_t kVersionAt = 8, kSizeAt = 10, kKindAt = 12, kRefusalAt = 13, kDescriptorsAt = 14, kFlagsAt = 15;
constexpr size_t kMediaAt = 16, kMediumAt = 20, kMaxFrameAt = 24, kReservedAt = 28, kParametersAt = 32;
static_assert(kParametersAt + kMediumParameters == kGreetingSize);
constexpr uint8_t kFlagPidfd = 1;
constexpr size_t kMaxDescriptors = kMaxMediumDescriptors + 1;

void Put(char* at, uint64_t value, int bytes) {
  for (int i = 0; i < bytes; ++i) at[i] = static_cast<char>(value >> (8 * i));
}
uint32_t Get(const char* at, int bytes) {
  uint32_t value = 0;
  for (int i = 0; i < bytes; ++i) value |= uint32_t{static_cast<unsigned char>(at[i])} << (8 * i);
  return value;
}

}  // namespace

std::string MediaText(uint32_t bits) {
  std::string text;
  const auto add = [&](uint32_t bit, absl::string_view name) {
    if ((bits & bit) != 0) absl::StrAppend(&text, text.empty() ? "" : ", ", name);
  };
  add(kMediumShm, "shm");
  add(kMediumSocket, "unix");
  add(kMediumQueue, "mq");
  add(kMediumFile, "mmap");
  const uint32_t unknown = bits & ~uint32_t{kMediumShm | kMediumSocket | kMediumQueue | kMediumFile};
  if (unknown != 0) add(bits, absl::StrCat("unknown (0x", absl::Hex(unknown), ")"));
  return text.empty() ? "nothing" : text;
}

std::vector<absl::string_view> ParametersOf(const Media& media) {
  std::vector<absl::string_view> keys;
  for (const Medium* medium : media) {
    if (!medium->parameter().empty()) keys.push_back(medium->parameter());
  }
  return keys;
}

std::array<char, kGreetingSize> EncodeGreeting(const Greeting& greeting) {
  std::array<char, kGreetingSize> bytes = {};
  ::memcpy(bytes.data(), kMagic, sizeof(kMagic));
  Put(&bytes[kVersionAt], kGreetingVersion, 2);
  Put(&bytes[kSizeAt], kGreetingSize, 2);
  Put(&bytes[kKindAt], static_cast<uint8_t>(greeting.kind), 1);
  Put(&bytes[kRefusalAt], static_cast<uint8_t>(greeting.refusal), 1);
  Put(&bytes[kDescriptorsAt], greeting.descriptors, 1);
  Put(&bytes[kFlagsAt], greeting.has_pidfd ? kFlagPidfd : 0, 1);
  Put(&bytes[kMediaAt], greeting.media, 4);
  Put(&bytes[kMediumAt], greeting.medium, 4);
  Put(&bytes[kMaxFrameAt], greeting.max_frame, 4);
  ::memcpy(&bytes[kParametersAt], greeting.parameters.data(), kMediumParameters);
  return bytes;
}

std::string RefusalText(const Greeting& refusal, uint32_t our_media) {
  switch (refusal.refusal) {
    case Refusal::kNotAGreeting:
      return "the server refused the connection: it did not receive a greeting it understands";
    case Refusal::kVersion:
      return "the server refused the connection: it does not speak this greeting version";
    case Refusal::kMedium:
      return absl::StrCat("no common medium: the server allows ", MediaText(refusal.media), ", this client accepts ",
                          MediaText(our_media));
    case Refusal::kIdentity:
      return "the server refused the connection: the greeting is not from the process that connected (was there a "
             "fork in between?)";
    case Refusal::kBusy:
      return "the server refused the connection: it is out of descriptors or has too many half-open connections";
    case Refusal::kTimeout:
      return "the server refused the connection: the greeting was not complete in time";
    case Refusal::kMediumFailed:
      return absl::StrCat("the server could not set up the connection over ", MediaText(our_media));
    case Refusal::kNotAdmitted:
      return "the server does not admit this client's uid (its address may name it, with client_uid=)";
    case Refusal::kNone:
      break;
  }
  return absl::StrCat("the server refused the connection (reason ", static_cast<int>(refusal.refusal), ")");
}

GreetingWriter::GreetingWriter(Greeting greeting, std::vector<UniqueFd> descriptors)
    : greeting_(greeting), descriptors_(std::move(descriptors)) {
  UniqueFd pidfd = OwnPidfd();
  greeting_.has_pidfd = pidfd.valid();
  if (pidfd.valid()) descriptors_.insert(descriptors_.begin(), std::move(pidfd));
  greeting_.descriptors = static_cast<uint8_t>(descriptors_.size());
  bytes_ = EncodeGreeting(greeting_);
}

// The first byte takes the control messages along.
ssize_t GreetingWriter::WriteFirst(ByteIo& io, absl::Span<const char> frames) {
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(ucred)) + CMSG_SPACE(sizeof(int) * kMaxDescriptors)] = {};
  iovec parts[2] = {{bytes_.data(), bytes_.size()}, {const_cast<char*>(frames.data()), frames.size()}};
  msghdr message = {};
  message.msg_iov = parts;
  message.msg_iovlen = frames.empty() ? 1 : 2;
  message.msg_control = control;
  message.msg_controllen = sizeof(control);
  // The effective ids: those of SO_PEERCRED.
  const ucred self = {::getpid(), ::geteuid(), ::getegid()};
  cmsghdr* header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_CREDENTIALS;
  header->cmsg_len = CMSG_LEN(sizeof(self));
  ::memcpy(CMSG_DATA(header), &self, sizeof(self));
  size_t length = CMSG_SPACE(sizeof(self));
  const size_t count = std::min(descriptors_.size(), kMaxDescriptors);
  if (count > 0) {
    header = CMSG_NXTHDR(&message, header);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int) * count);
    for (size_t i = 0; i < count; ++i) {
      const int fd = descriptors_[i].get();
      ::memcpy(CMSG_DATA(header) + sizeof(int) * i, &fd, sizeof(fd));
    }
    length += CMSG_SPACE(sizeof(int) * count);
  }
  message.msg_controllen = length;
  return io.SendMessage(message);
}

Io GreetingWriter::Write(ByteIo& io, absl::Span<const char> frames, size_t* sent, int* error) {
  *sent = 0;
  while (written_ < kGreetingSize) {
    ssize_t n;
    if (written_ == 0) {
      n = WriteFirst(io, frames);
      if (n < 0 && errno == ETOOMANYREFS && greeting_.has_pidfd && descriptors_.size() == 1) {
        // Too many descriptors of ours are in flight: without the pidfd the peer only sees the end of the stream.
        descriptors_.clear();
        greeting_.has_pidfd = false;
        greeting_.descriptors = 0;
        bytes_ = EncodeGreeting(greeting_);
        n = WriteFirst(io, frames);
      }
    } else {
      n = io.Send(bytes_.data() + written_, kGreetingSize - written_);
    }
    if (n < 0) {
      *error = errno;
      return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR ? Io::kWouldBlock : Io::kClosed;
    }
    if (written_ == 0) descriptors_.clear();
    written_ += static_cast<size_t>(n);
    if (written_ > kGreetingSize) *sent = written_ - kGreetingSize;
  }
  return Io::kOk;
}

GreetingReader::Result GreetingReader::Read(ByteIo& io) {
  while (size_ < kGreetingSize) {
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof(ucred)) + CMSG_SPACE(sizeof(int) * kMaxDescriptors)];
    iovec part = {bytes_.data() + size_, kGreetingSize - size_};
    msghdr message = {};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control;
    message.msg_controllen = sizeof(control);
    const ssize_t n = io.ReceiveMessage(&message);
    if (n < 0) {
      if (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR) return kMore;
      problem_ = ErrnoText(errno);
      return kEnd;
    }
    const Result control_result = TakeControl(message, size_ == 0);
    if (control_result != kDone) return control_result;
    if (n == 0) {
      problem_ = absl::StrCat("the connection ended after ", size_, " bytes of the greeting", Received());
      return kEnd;
    }
    size_ += static_cast<size_t>(n);
    const Result checked = Check();
    if (checked != kMore) return checked;
  }
  return kDone;
}

// Takes what came with the bytes; closes descriptors that do not belong there.
GreetingReader::Result GreetingReader::TakeControl(msghdr& message, bool first) {
  std::vector<UniqueFd> received;
  for (cmsghdr* header = CMSG_FIRSTHDR(&message); header != nullptr; header = CMSG_NXTHDR(&message, header)) {
    if (header->cmsg_level != SOL_SOCKET || header->cmsg_len < CMSG_LEN(0)) continue;
    const size_t length = header->cmsg_len - CMSG_LEN(0);
    if (header->cmsg_type == SCM_RIGHTS) {
      for (size_t i = 0; i + sizeof(int) <= length; i += sizeof(int)) {
        int fd;
        ::memcpy(&fd, CMSG_DATA(header) + i, sizeof(fd));
        received.emplace_back(fd);
      }
    } else if (header->cmsg_type == SCM_CREDENTIALS && length >= sizeof(ucred) && first) {
      ucred sender;
      ::memcpy(&sender, CMSG_DATA(header), sizeof(sender));
      credentials_ = Credentials{sender.uid, sender.gid, sender.pid};
    }
  }
  if ((message.msg_flags & MSG_CTRUNC) != 0) {
    problem_ = "descriptors were lost on the way (too many of them, or at the limit of open descriptors)";
    return kTruncated;
  }
  if (first) {
    descriptors_ = std::move(received);
  } else if (!received.empty()) {
    problem_ = "descriptors came in the middle of the greeting";
    return kBad;
  }
  return kDone;
}

std::string GreetingReader::Received() const {
  if (size_ == 0) return "";
  const size_t shown = std::min<size_t>(size_, 24);
  return absl::StrCat(" (received \"", absl::CHexEscape(absl::string_view(bytes_.data(), shown)),
                      size_ > shown ? "..." : "", "\")");
}

// Looks at what is there so far: garbage ends at its first wrong byte, however few come.
GreetingReader::Result GreetingReader::Check() {
  if (::memcmp(bytes_.data(), kMagic, std::min(size_, sizeof(kMagic))) != 0) {
    problem_ = absl::StrCat("it does not begin with a greeting", Received());
    return kBad;
  }
  if (size_ < kMediaAt) return kMore;
  version_ = static_cast<uint16_t>(Get(&bytes_[kVersionAt], 2));
  greeting_.kind = static_cast<GreetingKind>(bytes_[kKindAt]);
  greeting_.refusal = static_cast<Refusal>(bytes_[kRefusalAt]);
  if (version_ != kGreetingVersion) return kVersion;
  const uint32_t length = Get(&bytes_[kSizeAt], 2);
  const uint8_t flags = static_cast<uint8_t>(bytes_[kFlagsAt]);
  if (length != kGreetingSize || (flags & ~kFlagPidfd) != 0) {
    problem_ = absl::StrCat("a malformed greeting", Received());
    return kBad;
  }
  if (size_ < kGreetingSize) return kMore;
  greeting_.has_pidfd = (flags & kFlagPidfd) != 0;
  greeting_.descriptors = static_cast<uint8_t>(bytes_[kDescriptorsAt]);
  greeting_.media = Get(&bytes_[kMediaAt], 4);
  greeting_.medium = Get(&bytes_[kMediumAt], 4);
  greeting_.max_frame = Get(&bytes_[kMaxFrameAt], 4);
  ::memcpy(greeting_.parameters.data(), &bytes_[kParametersAt], kMediumParameters);
  if (greeting_.descriptors != descriptors_.size() || (greeting_.has_pidfd && descriptors_.empty()) ||
      Get(&bytes_[kReservedAt], 4) != 0) {
    problem_ = absl::StrCat("a greeting that announces ", greeting_.descriptors, " descriptors came with ",
                            descriptors_.size(), Received());
    return kBad;
  }
  return kDone;
}

std::string CheckGreetingIdentity(GreetingReader& reader, const Credentials& process, UniqueFd* death) {
  const std::optional<Credentials>& sender = reader.credentials();
  if (!sender.has_value()) return "the greeting came without credentials";
  if (sender->pid != process.pid || sender->uid != process.uid) {
    return absl::StrCat("the greeting came from pid ", sender->pid, " of uid ", sender->uid, ", not from pid ",
                        process.pid, " of uid ", process.uid);
  }
  if (!reader.greeting().has_pidfd) return "";
  UniqueFd pidfd = std::move(reader.descriptors().front());
  reader.descriptors().erase(reader.descriptors().begin());
  switch (CheckPidfd(pidfd.get(), process.pid)) {
    case PidfdCheck::kSame:
    case PidfdCheck::kDead:  // readable at once: the endpoint will see the death
      *death = std::move(pidfd);
      return "";
    case PidfdCheck::kUnknown:
      return "";
    case PidfdCheck::kOther:
      break;
  }
  return absl::StrCat("the greeting's descriptor is not a pidfd of its sender, pid ", process.pid);
}

}  // namespace nearcall::internal
