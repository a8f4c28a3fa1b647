// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// ExitWith: from a status to the end of main().
//
//   if (!channel.ok()) return nearcall::ExitWith(channel.status());
//
// Prints "CODE: text" to stderr. Gives 0 for OK, else 64 + the code's number (grpcurl's convention), so that scripts
// can tell an unavailable server (78) from a refused one (71).
#ifndef NEARCALL_RPC_EXIT_WITH_H_
#define NEARCALL_RPC_EXIT_WITH_H_

#include "absl/status/status.h"

namespace nearcall {

int ExitWith(const absl::Status& status);

}  // namespace nearcall

#endif  // NEARCALL_RPC_EXIT_WITH_H_
