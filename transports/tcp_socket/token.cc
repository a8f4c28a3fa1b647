// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
#include "nearcall/transports/tcp_socket/token.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "nearcall/transports/api/errno_status.h"

namespace nearcall::internal {
namespace {

constexpr size_t kLine = 2 * kTokenHalf + 1;
constexpr size_t kFileSize = 2 * kLine;

absl::Status FillWithRandom(TokenHalf* half) {
  ssize_t n;
  do {
    n = ::getrandom(half->data(), half->size(), 0);
  } while (n < 0 && errno == EINTR);
  // So few bytes come whole or not at all.
  if (n == static_cast<ssize_t>(half->size())) return absl::OkStatus();
  return ErrnoStatus(errno, "cannot make a token: getrandom");
}

std::string Encode(const Token& token) {
  const auto line = [](const TokenHalf& half) { return absl::BytesToHexString({half.data(), half.size()}) + "\n"; };
  return line(token.client) + line(token.server);
}

bool DecodeHalf(absl::string_view line, TokenHalf* half) {
  if (line.size() != kLine || line.back() != '\n') return false;
  line.remove_suffix(1);
  for (const char c : line) {
    if ((c < '0' || c > '9') && (c < 'a' || c > 'f')) return false;
  }
  const std::string bytes = absl::HexStringToBytes(line);
  ::memcpy(half->data(), bytes.data(), half->size());
  return true;
}

absl::Status WriteAll(int fd, const std::string& text) {
  ssize_t n;
  do {
    n = ::write(fd, text.data(), text.size());
  } while (n < 0 && errno == EINTR);
  if (n == static_cast<ssize_t>(text.size())) return absl::OkStatus();
  return ErrnoStatus(n < 0 ? errno : ENOSPC, "cannot write");
}

// For reading: the usual place is pinned first, as its directory must be ours.
UniqueFd OpenForReading(const std::string& path, bool usual, absl::Status* why) {
  constexpr int kFlags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY;
  UniqueFd file;
  if (!usual) {
    file.Reset(::open(path.c_str(), kFlags));
  } else {
    const size_t slash = path.rfind('/');
    const std::string directory = path.substr(0, slash);
    UniqueFd pinned(::open(directory.c_str(), O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    struct stat found;
    if (pinned.valid() && ::fstat(pinned.get(), &found) == 0 && found.st_uid != ::geteuid()) {
      *why = absl::PermissionDeniedError(absl::StrCat("the directory ", directory, " belongs to ",
                                                      UidText(found.st_uid), ", not to ", UidText(::geteuid())));
      return file;
    }
    if (pinned.valid()) file.Reset(::openat(pinned.get(), path.c_str() + slash + 1, kFlags | O_NOFOLLOW));
  }
  if (!file.valid()) *why = ErrnoStatus(errno, absl::StrCat("cannot read the token in ", path));
  return file;
}

// What somebody else may have written is not a token, and what somebody else may read is not a secret.
absl::Status CheckTrusted(const std::string& path, const struct stat& file) {
  if (!S_ISREG(file.st_mode)) {
    return absl::FailedPreconditionError(
        absl::StrCat("the token file ", path, " is ", FileTypeText(file.st_mode), ", not a regular file"));
  }
  if (file.st_uid != ::geteuid() && file.st_uid != 0) {
    return absl::PermissionDeniedError(absl::StrCat("the token file ", path, " belongs to ", UidText(file.st_uid),
                                                    ", neither to ", UidText(::geteuid()), " nor to root"));
  }
  if ((file.st_mode & 077) != 0) {
    return absl::PermissionDeniedError(
        absl::StrFormat("others may read or write the token file %s, its mode is %04o; "
                        "run chmod 600 %s",
                        path, file.st_mode & 07777, path));
  }
  return absl::OkStatus();
}

}  // namespace

bool SameHalf(const TokenHalf& a, const TokenHalf& b) {
  volatile unsigned char differ = 0;
  for (size_t i = 0; i < a.size(); ++i) differ = differ | static_cast<unsigned char>(a[i] ^ b[i]);
  return differ == 0;
}

absl::Status TokenFile::CheckReplaceable() const {
  struct stat found;
  if (::fstatat(lock_->dir_fd(), lock_->base().c_str(), &found, AT_SYMLINK_NOFOLLOW) != 0) {
    return errno == ENOENT ? absl::OkStatus() : ErrnoStatus(errno, absl::StrCat("cannot stat ", lock_->path()));
  }
  if (!S_ISREG(found.st_mode)) {
    return absl::FailedPreconditionError(absl::StrCat(lock_->path(), " is ", FileTypeText(found.st_mode),
                                                      ", not a token; remove it or use another path"));
  }
  return lock_->CheckOwner(lock_->base(), found.st_uid);
}

// Only the holder of the lock makes this name: what is there is a dead server's.
absl::Status TokenFile::Make(const std::string& temporary) {
  const std::string what = absl::StrCat("cannot make ", temporary, " beside ", lock_->path());
  if (::unlinkat(lock_->dir_fd(), temporary.c_str(), 0) != 0 && errno != ENOENT) return ErrnoStatus(errno, what);
  file_.Reset(::openat(lock_->dir_fd(), temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
  struct stat made;
  // Whatever the umask takes from it.
  if (!file_.valid() || ::fchmod(file_.get(), 0600) != 0 || ::fstat(file_.get(), &made) != 0) {
    return ErrnoStatus(errno, what);
  }
  device_ = made.st_dev;
  inode_ = made.st_ino;
  absl::Status written = WriteAll(file_.get(), Encode(token_));
  if (!written.ok()) return absl::Status(written.code(), absl::StrCat(lock_->path(), ": ", written.message()));
  if (::renameat(lock_->dir_fd(), temporary.c_str(), lock_->dir_fd(), lock_->base().c_str()) == 0) {
    return absl::OkStatus();
  }
  return ErrnoStatus(errno, absl::StrCat("cannot put the token at ", lock_->path()));
}

absl::StatusOr<std::unique_ptr<TokenFile>> TokenFile::Write(const std::string& path, bool usual) {
  std::unique_ptr<TokenFile> file(new TokenFile);
  for (TokenHalf* half : {&file->token_.client, &file->token_.server}) {
    absl::Status random = FillWithRandom(half);
    if (!random.ok()) return random;
  }
  absl::StatusOr<std::unique_ptr<NameLock>> lock = NameLock::Take(path, {.private_directory = usual});
  if (!lock.ok()) return lock.status();
  file->lock_ = *std::move(lock);
  absl::Status status = file->CheckReplaceable();
  if (!status.ok()) return status;
  const std::string temporary = file->lock_->base() + ".new";
  status = file->Make(temporary);
  if (status.ok()) return file;
  ::unlinkat(file->lock_->dir_fd(), temporary.c_str(), 0);
  return status;
}

TokenFile::~TokenFile() {
  struct stat named;
  if (lock_ == nullptr || !lock_->ours() || !file_.valid()) return;
  if (::fstatat(lock_->dir_fd(), lock_->base().c_str(), &named, AT_SYMLINK_NOFOLLOW) == 0 && named.st_dev == device_ &&
      named.st_ino == inode_) {
    ::unlinkat(lock_->dir_fd(), lock_->base().c_str(), 0);
  }
}

// Its times change: an event of its directory.
void TokenFile::Announce() const { ::futimens(file_.get(), nullptr); }

absl::StatusOr<Token> ReadToken(const std::string& path, bool usual) {
  absl::Status why;
  const UniqueFd file = OpenForReading(path, usual, &why);
  if (!file.valid()) return why;
  struct stat found;
  if (::fstat(file.get(), &found) != 0) return ErrnoStatus(errno, absl::StrCat("cannot stat ", path));
  absl::Status trusted = CheckTrusted(path, found);
  if (!trusted.ok()) return trusted;
  char text[kFileSize + 1];
  ssize_t n;
  do {
    n = ::read(file.get(), text, sizeof(text));
  } while (n < 0 && errno == EINTR);
  if (n < 0) return ErrnoStatus(errno, absl::StrCat("cannot read the token in ", path));
  Token token;
  if (n != static_cast<ssize_t>(kFileSize) || !DecodeHalf({text, kLine}, &token.client) ||
      !DecodeHalf({text + kLine, kLine}, &token.server)) {
    return absl::FailedPreconditionError(absl::StrCat("there is no token in ", path));
  }
  return token;
}

}  // namespace nearcall::internal
