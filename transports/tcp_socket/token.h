// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// The token of a tcp: server: two random halves in a file that only its own user can read. A client proves the first,
// then the server answers with the second, so each knows that the other can read the file.
//
//   absl::StatusOr<std::unique_ptr<TokenFile>> file = TokenFile::Write(path, true);   // server: before it listens
//   (*file)->Announce();                                                              // and once it does
//   absl::StatusOr<Token> token = ReadToken(path, true);                              // client
//
// The file: each half as 64 hexadecimal digits, one a line. It is written 0600 beside its place and renamed into it,
// under the NameLock of that place, so that a dead server's leftover is replaced and a live server's is not.
// `usual`: in the directory of names (0700, made by the server), where nobody else may have put a link.
//
// Thread safety: functions from any thread; a TokenFile is one owner's. Lifetime: the destructor removes the file if it
// is still its own; in a forked child it does not. Errors name the path and say what to do.
#ifndef NEARCALL_TRANSPORTS_TCP_SOCKET_TOKEN_H_
#define NEARCALL_TRANSPORTS_TCP_SOCKET_TOKEN_H_

#include <sys/stat.h>
#include <sys/types.h>

#include <array>
#include <cstddef>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "nearcall/transports/api/unique_fd.h"
#include "nearcall/transports/rendezvous/name_lock.h"

namespace nearcall::internal {

inline constexpr size_t kTokenHalf = 32;
using TokenHalf = std::array<char, kTokenHalf>;

struct Token {
  TokenHalf client;  // what a client proves
  TokenHalf server;  // what the server answers
};

// In a time that does not depend on where they differ.
bool SameHalf(const TokenHalf& a, const TokenHalf& b);

class TokenFile {
 public:
  // A new token. ALREADY_EXISTS: another server holds the path.
  static absl::StatusOr<std::unique_ptr<TokenFile>> Write(const std::string& path, bool usual);
  ~TokenFile();
  TokenFile(const TokenFile&) = delete;
  TokenFile& operator=(const TokenFile&) = delete;

  const Token& token() const { return token_; }
  // Wakes who watches the path (place_watch.h): its server can be reached now.
  void Announce() const;

 private:
  TokenFile() = default;
  absl::Status CheckReplaceable() const;
  absl::Status Make(const std::string& temporary);

  std::unique_ptr<NameLock> lock_;
  UniqueFd file_;
  dev_t device_ = 0;
  ino_t inode_ = 0;
  Token token_;
};

// NOT_FOUND: there is no file. PERMISSION_DENIED: it is not ours or root's, or others may read or write it.
// FAILED_PRECONDITION: it holds no token.
absl::StatusOr<Token> ReadToken(const std::string& path, bool usual);

}  // namespace nearcall::internal

#endif  // NEARCALL_TRANSPORTS_TCP_SOCKET_TOKEN_H_
