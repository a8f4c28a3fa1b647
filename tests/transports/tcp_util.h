// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// Addresses of tcp: for tests: of a loopback address that is this process's alone, so that no other test, and no port
// that the kernel gives a client, is ever in the way.
//
//   "tcp:" + OwnTcpPlace("server")   // tcp:127.1.2.3:23456, the same for the same name
//
// Thread-safe. A forked child has its parent's places if it is given the text.
#ifndef NEARCALL_TESTS_TRANSPORTS_TCP_UTIL_H_
#define NEARCALL_TESTS_TRANSPORTS_TCP_UTIL_H_

#include <unistd.h>

#include <functional>
#include <string>

#include "absl/strings/str_cat.h"

namespace nearcall::test {

inline std::string OwnTcpPlace(const std::string& name) {
  const auto pid = static_cast<unsigned>(::getpid());
  const size_t port = 10'000 + std::hash<std::string>()(name) % 20'000;
  return absl::StrCat("127.", 1 + (pid >> 16) % 254, ".", pid >> 8 & 255, ".", pid & 255, ":", port);
}

}  // namespace nearcall::test

#endif  // NEARCALL_TESTS_TRANSPORTS_TCP_UTIL_H_
