// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// Spawn(): starts a program with two pipes to it, and a keeper beside it.
//
//   absl::StatusOr<Spawned> child = Spawn({"./my_server", "--flag"});
//   NewPipeIo(std::move(child->in), std::move(child->out));
//
// The keeper is a forked process that needs nothing of this one's memory. It passes the child's stderr on and keeps the
// last of it, waits for the child (so that this process gets no SIGCHLD, has no zombie, and its own waitpid(-1) finds
// nothing new), reports how it ended, and ends it when this process has gone or has let go of the connection: the end
// of its pipes at once, SIGTERM after 5 s, SIGKILL after 10 s. It is nobody's child: init reaps it.
//
//   this process -- out, in: pipes ------------------------ child
//        |                                                    | stderr, a pipe
//        +-------- leash: a socket pair; its report ------- keeper --> this process's stderr
//
// Thread-safe. Lifetime: the child's is the leash's, which is Spawned::death (the ending has a copy). Errors:
// NOT_FOUND, PERMISSION_DENIED; RESOURCE_EXHAUSTED naming the limit. What goes wrong later is in the report.
#ifndef NEARCALL_TRANSPORTS_PIPE_SPAWN_H_
#define NEARCALL_TRANSPORTS_PIPE_SPAWN_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "nearcall/transports/api/address.h"
#include "nearcall/transports/api/unique_fd.h"
#include "nearcall/transports/byte_stream/byte_stream.h"

namespace nearcall::internal {

// The words of an exec: address: split at spaces, then unescaped. INVALID_ARGUMENT where there is none.
absl::StatusOr<std::vector<std::string>> SplitCommand(const Address& address);

struct Spawned {
  UniqueFd in;     // from the child
  UniqueFd out;    // to it
  UniqueFd death;  // readable once it has ended
  std::unique_ptr<ByteStreamEnding> ending;
};

absl::StatusOr<Spawned> Spawn(const std::vector<std::string>& words);

}  // namespace nearcall::internal

#endif  // NEARCALL_TRANSPORTS_PIPE_SPAWN_H_
