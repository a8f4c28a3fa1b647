// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// The transport `mq:`: frames in two POSIX message queues, between two processes that have met over a Unix socket.
//
//   MessageQueueTransport().Listen(*ParseAddress("mq:greeter"));
//   MessageQueueTransport().Connect(*ParseAddress("mq:/run/greeter.sock?messages=4"));
//
// mq:NAME lives in the user's runtime directory, mq:/path at a path, as local:. messages= is the client's wish for each
// queue: 2 to 10, 2 if not said.
//
// Thread-safe, stateless. Errors: see rendezvous/listener.h and rendezvous/connector.h; RESOURCE_EXHAUSTED from
// Connect() names the limit that leaves no room for the queues.
#ifndef NEARCALL_TRANSPORTS_MESSAGE_QUEUE_MESSAGE_QUEUE_H_
#define NEARCALL_TRANSPORTS_MESSAGE_QUEUE_MESSAGE_QUEUE_H_

#include <memory>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "nearcall/transports/api/endpoint.h"

namespace nearcall {

class MessageQueueTransport final : public Transport {
 public:
  absl::string_view scheme() const override { return "mq"; }
  absl::StatusOr<std::unique_ptr<Listener>> Listen(const Address& address) override;
  absl::StatusOr<std::unique_ptr<Endpoint>> Connect(const Address& address) override;
  std::unique_ptr<ServerWatch> Watch(const Address& address) override;
};

}  // namespace nearcall

#endif  // NEARCALL_TRANSPORTS_MESSAGE_QUEUE_MESSAGE_QUEUE_H_
