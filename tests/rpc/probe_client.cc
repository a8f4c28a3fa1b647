// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// One call as a process of its own, for tests that run it as another user or kill it: probe_client ADDRESS TEXT
// [KEEPALIVE_MS TIMEOUT_MS]. Prints the reply, or ends as ExitWith() says.
#include <cstdio>
#include <cstdlib>

#include "nearcall/tests/rpc/probe_service.h"

int main(int argc, char** argv) {
  if (argc != 3 && argc != 5) return EXIT_FAILURE;
  nearcall::ChannelOptions options;
  if (argc == 5) options.set_keepalive(absl::Milliseconds(std::atoi(argv[3])), absl::Milliseconds(std::atoi(argv[4])));
  absl::StatusOr<nearcall::Channel> channel = nearcall::Connect(argv[1], options);
  if (!channel.ok()) return nearcall::ExitWith(channel.status());
  const nearcall::test::ProbeStub stub(*channel);
  absl::StatusOr<rpctest::Message> reply = stub.Unary(nearcall::test::Text(argv[2])).Wait();
  if (!reply.ok()) return nearcall::ExitWith(reply.status());
  std::printf("%s %lld\n", reply->text().c_str(), static_cast<long long>(reply->number()));
  return EXIT_SUCCESS;
}
