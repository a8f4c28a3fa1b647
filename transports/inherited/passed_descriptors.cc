// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
#include "nearcall/transports/inherited/passed_descriptors.h"

#include <stdlib.h>
#include <unistd.h>

#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"

namespace nearcall::internal {
namespace {

constexpr int kMost = 4096;

std::string Variable(const char* name) {
  const char* value = ::getenv(name);
  return value == nullptr ? "" : value;
}

// One name a descriptor; "unknown" where the manager gave none, as it says itself.
absl::StatusOr<std::vector<std::string>> Names() {
  const std::string pid = Variable("LISTEN_PID");
  const std::string count = Variable("LISTEN_FDS");
  if (pid.empty() || count.empty()) {
    return absl::FailedPreconditionError(
        "no socket was passed to this process (LISTEN_PID and LISTEN_FDS are not set); is it started by its .socket "
        "unit, or by systemd-socket-activate?");
  }
  if (pid != absl::StrCat(::getpid())) {
    return absl::FailedPreconditionError(
        absl::StrCat("the sockets were passed to pid ", pid, " (LISTEN_PID), not to this process, pid ", ::getpid(),
                     "; is it started through another program, which should exec it?"));
  }
  int number = 0;
  if (!absl::SimpleAtoi(count, &number) || number < 0 || number > kMost) {
    return absl::FailedPreconditionError(absl::StrCat("LISTEN_FDS=", count, " is not a number of descriptors"));
  }
  std::vector<std::string> names;
  const std::string given = Variable("LISTEN_FDNAMES");
  if (!given.empty()) names = absl::StrSplit(given, ':');
  names.resize(static_cast<size_t>(number), "unknown");
  return names;
}

}  // namespace

absl::StatusOr<int> PassedDescriptor(const std::string& name) {
  absl::StatusOr<std::vector<std::string>> names = Names();
  if (!names.ok()) return names.status();
  std::vector<int> found;
  for (size_t i = 0; i < names->size(); ++i) {
    if (name.empty() || (*names)[i] == name) found.push_back(kFirstPassedDescriptor + static_cast<int>(i));
  }
  if (found.size() == 1) return found[0];
  const std::string passed =
      names->empty() ? "no socket was passed" : absl::StrCat("passed were: ", absl::StrJoin(*names, ", "));
  if (found.empty()) {
    return absl::FailedPreconditionError(
        name.empty() ? passed : absl::StrCat("no socket named \"", name, "\" was passed; ", passed));
  }
  return absl::InvalidArgumentError(absl::StrCat(
      found.size(), " sockets were passed", name.empty() ? "" : absl::StrCat(" under the name \"", name, "\""), " (",
      passed, "); name one with FileDescriptorName=, or write fd:", absl::StrJoin(found, " or fd:")));
}

}  // namespace nearcall::internal
