// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
#include "nearcall/rpc/exit_with.h"

#include <cstdio>
#include <string>

namespace nearcall {

int ExitWith(const absl::Status& status) {
  if (status.ok()) return 0;
  std::fprintf(stderr, "%s\n", status.ToString().c_str());
  return 64 + static_cast<int>(status.code());
}

}  // namespace nearcall
