// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// The whole public API. A generated X.nearcall.h includes it.
#ifndef NEARCALL_RPC_NEARCALL_H_
#define NEARCALL_RPC_NEARCALL_H_

#include "nearcall/rpc/call_options.h"    // IWYU pragma: export
#include "nearcall/rpc/channel.h"         // IWYU pragma: export
#include "nearcall/rpc/client_streams.h"  // IWYU pragma: export
#include "nearcall/rpc/executor.h"        // IWYU pragma: export
#include "nearcall/rpc/exit_with.h"       // IWYU pragma: export
#include "nearcall/rpc/interceptor.h"     // IWYU pragma: export
#include "nearcall/rpc/metadata.h"        // IWYU pragma: export
#include "nearcall/rpc/op.h"              // IWYU pragma: export
#include "nearcall/rpc/responder.h"       // IWYU pragma: export
#include "nearcall/rpc/run_loop.h"        // IWYU pragma: export
#include "nearcall/rpc/server.h"          // IWYU pragma: export
#include "nearcall/rpc/server_context.h"  // IWYU pragma: export
#include "nearcall/rpc/server_streams.h"  // IWYU pragma: export
#include "nearcall/rpc/task.h"            // IWYU pragma: export

#endif  // NEARCALL_RPC_NEARCALL_H_
