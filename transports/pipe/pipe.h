// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// The transports `pipe:` and `exec:`: two pipes to one other process.
//
//   PipeTransport().Listen(*ParseAddress("pipe:3,4"));         // read from 3, write to 4; Connect() likewise
//   PipeTransport().Listen(*ParseAddress("pipe:"));            // in a child that exec: started
//   ExecTransport().Connect(*ParseAddress("exec:./my_server --flag"));   // starts it, with pipes to it
//
// A listener of pipe: accepts one connection, and once that has ended says OUT_OF_RANGE: a server then ends. exec:
// splits at spaces (%20 is one within a word), looks PROGRAM up in PATH, and uses no shell. The child's environment has
// NEARCALL_PIPE=PID,R,W; its stdin, stdout and stderr are this process's. It gets the end of its pipes when the
// connection ends or this process does, SIGTERM 5 s later and SIGKILL after 5 s more. How it ended and its last lines
// on stderr are in the connection's status().
//
// Thread-safe, stateless. The descriptors in an address become the endpoint's. Errors: INVALID_ARGUMENT (not a pipe, no
// such descriptor, nothing in NEARCALL_PIPE), NOT_FOUND (no such program), RESOURCE_EXHAUSTED naming the limit
// (descriptors, processes, fs.pipe-user-pages-soft).
#ifndef NEARCALL_TRANSPORTS_PIPE_PIPE_H_
#define NEARCALL_TRANSPORTS_PIPE_PIPE_H_

#include <memory>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "nearcall/transports/api/endpoint.h"

namespace nearcall {

class PipeTransport final : public Transport {
 public:
  absl::string_view scheme() const override { return "pipe"; }
  absl::StatusOr<std::unique_ptr<Listener>> Listen(const Address& address) override;
  absl::StatusOr<std::unique_ptr<Endpoint>> Connect(const Address& address) override;
};

class ExecTransport final : public Transport {
 public:
  absl::string_view scheme() const override { return "exec"; }
  absl::StatusOr<std::unique_ptr<Listener>> Listen(const Address& address) override;  // INVALID_ARGUMENT
  absl::StatusOr<std::unique_ptr<Endpoint>> Connect(const Address& address) override;
};

}  // namespace nearcall

#endif  // NEARCALL_TRANSPORTS_PIPE_PIPE_H_
