// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// A server as a process of its own, for tests that kill it or run it as another user: probe_server ADDRESS. Says
// "ready" once it listens, or its error. Unary of "hold" never answers, and says "held" when it begins.
#include <cstdio>
#include <cstdlib>

#include "absl/strings/str_cat.h"
#include "nearcall/tests/rpc/probe_service.h"
#include "nearcall/tests/transports/process_util.h"

int main(int argc, char** argv) {
  if (argc != 2) return EXIT_FAILURE;
  nearcall::test::ProbeService service;
  service.unary = [](nearcall::ServerContext& context,
                     const rpctest::Message& request) -> absl::StatusOr<rpctest::Message> {
    if (request.text() == "hold") {
      std::puts("held");
      std::fflush(stdout);
      while (!context.IsCancelled()) ::poll(nullptr, 0, 1);
    }
    if (request.text() == "who") {
      rpctest::Message reply;
      reply.set_number(context.peer().credentials.has_value() ? context.peer().credentials->uid : -1);
      return reply;
    }
    return request;
  };
  nearcall::Server server;
  server.AddService(&service);
  if (absl::Status status = server.Listen(argv[1]); !status.ok()) return nearcall::ExitWith(status);
  std::puts("ready");
  std::fflush(stdout);
  server.Run();
  return EXIT_SUCCESS;
}
