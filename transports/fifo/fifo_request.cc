// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
#include "nearcall/transports/fifo/fifo_request.h"

#include <errno.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <system_error>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/strip.h"
#include "nearcall/transports/api/errno_status.h"

namespace nearcall::internal {
namespace {

constexpr size_t kVersionAt = 8, kSizeAt = 10, kMaxFrameAt = 12, kPairAt = 16;
constexpr size_t kKindAt = 8, kReasonAt = 9, kAnswerVersionAt = 10;
constexpr uint32_t kYes = 1, kNo = 2;

void Put(std::string* to, size_t at, uint32_t value, size_t bytes) {
  for (size_t i = 0; i < bytes; ++i) (*to)[at + i] = static_cast<char>(value >> (8 * i));
}
uint32_t Get(absl::string_view from, size_t at, size_t bytes) {
  uint32_t value = 0;
  for (size_t i = 0; i < bytes; ++i) value |= uint32_t{static_cast<unsigned char>(from[at + i])} << (8 * i);
  return value;
}

}  // namespace

std::string EncodeFifoRequest(const FifoRequest& request) {
  std::string bytes(kFifoRequestSize, '\0');
  bytes.replace(0, kFifoMagic.size(), kFifoMagic.data(), kFifoMagic.size());
  Put(&bytes, kVersionAt, request.version, 2);
  Put(&bytes, kSizeAt, kFifoRequestSize, 2);
  Put(&bytes, kMaxFrameAt, request.max_frame, 4);
  bytes.replace(kPairAt, request.pair.size(), request.pair);
  return bytes;
}

std::optional<FifoRequest> DecodeFifoRequest(absl::string_view bytes) {
  if (bytes.size() < kFifoRequestSize || Get(bytes, kSizeAt, 2) != kFifoRequestSize) return std::nullopt;
  const absl::string_view pair = bytes.substr(kPairAt, kFifoRequestSize - kPairAt);
  const size_t end = pair.find('\0');
  if (end == absl::string_view::npos || pair[0] != '/' ||
      pair.find_first_not_of('\0', end) != absl::string_view::npos) {
    return std::nullopt;
  }
  return FifoRequest{static_cast<uint16_t>(Get(bytes, kVersionAt, 2)), Get(bytes, kMaxFrameAt, 4),
                     std::string(pair.substr(0, end))};
}

std::string EncodeFifoAnswer(const FifoAnswer& answer) {
  std::string bytes(kFifoAnswerSize, '\0');
  bytes.replace(0, kFifoMagic.size(), kFifoMagic.data(), kFifoMagic.size());
  Put(&bytes, kKindAt, answer.refusal == FifoRefusal::kNone ? kYes : kNo, 1);
  Put(&bytes, kReasonAt, static_cast<uint32_t>(answer.refusal), 1);
  Put(&bytes, kAnswerVersionAt, answer.version, 2);
  Put(&bytes, kMaxFrameAt, answer.max_frame, 4);
  return bytes;
}

std::optional<FifoAnswer> DecodeFifoAnswer(absl::string_view bytes) {
  if (bytes.size() != kFifoAnswerSize || !absl::StartsWith(bytes, kFifoMagic)) return std::nullopt;
  FifoAnswer answer;
  answer.refusal = static_cast<FifoRefusal>(Get(bytes, kReasonAt, 1));
  answer.version = static_cast<uint16_t>(Get(bytes, kAnswerVersionAt, 2));
  answer.max_frame = Get(bytes, kMaxFrameAt, 4);
  const uint32_t kind = Get(bytes, kKindAt, 1);
  if (kind != (answer.refusal == FifoRefusal::kNone ? kYes : kNo)) return std::nullopt;
  return answer;
}

absl::StatusOr<Place> FifoPlaceOf(const Address& address) {
  if (absl::Status status = CheckParameters(address, {}); !status.ok()) return status;
  return PlaceOf(address, Names::kAllowed);
}

absl::Status CheckFifoDirectory(const std::string& path) {
  const std::string directory = DirectoryOf(path);
  struct stat found;
  if (::stat(directory.c_str(), &found) != 0) return ErrnoStatus(errno, directory);
  if (found.st_uid != ::geteuid() && found.st_uid != 0) {
    return absl::PermissionDeniedError(absl::StrCat("the directory ", directory, " belongs to ", UidText(found.st_uid),
                                                    ", who could exchange the FIFO"));
  }
  if ((found.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
    return absl::PermissionDeniedError(absl::StrFormat(
        "the directory %s can be written to by others (mode %04o), who could put a FIFO of theirs there; choose one "
        "of your own, or fifo:NAME",
        directory, found.st_mode & 07777));
  }
  return absl::OkStatus();
}

absl::Status CheckFifo(int fd, absl::string_view name) {
  struct stat found;
  if (::fstat(fd, &found) != 0) return ErrnoStatus(errno, absl::StrCat("cannot look at ", name));
  if (!S_ISFIFO(found.st_mode)) {
    return absl::UnavailableError(absl::StrCat(name, " is ", FileTypeText(found.st_mode), ", not a FIFO"));
  }
  if (found.st_uid != ::geteuid() && found.st_uid != 0) {
    return absl::PermissionDeniedError(absl::StrCat(name, " belongs to ", UidText(found.st_uid)));
  }
  return absl::OkStatus();
}

void RemoveLeftPairs() {
  std::error_code error;
  for (std::filesystem::directory_iterator entry(NamesDirectory(), error), end; !error && entry != end;
       entry.increment(error)) {
    // Servers have names of their choice here: only what is of a pair in every respect is one.
    const std::string name = entry->path().filename().string();
    absl::string_view rest = name;
    pid_t pid = 0;
    std::error_code unknown;
    if (!absl::ConsumePrefix(&rest, "fifo-") || !absl::SimpleAtoi(rest.substr(0, rest.find('-')), &pid) ||
        !(absl::EndsWith(rest, kFifoUp) || absl::EndsWith(rest, kFifoDown)) ||
        entry->symlink_status(unknown).type() != std::filesystem::file_type::fifo) {
      continue;
    }
    if (pid > 0 && ::kill(pid, 0) != 0 && errno == ESRCH) ::unlink(entry->path().c_str());
  }
}

}  // namespace nearcall::internal
