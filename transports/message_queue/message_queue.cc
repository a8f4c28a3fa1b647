// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
#include "nearcall/transports/message_queue/message_queue.h"

#include "nearcall/transports/message_queue/queue.h"
#include "nearcall/transports/message_queue/queue_medium.h"
#include "nearcall/transports/rendezvous/connector.h"
#include "nearcall/transports/rendezvous/listener.h"
#include "nearcall/transports/rendezvous/place_watch.h"

namespace nearcall {

absl::StatusOr<std::unique_ptr<Listener>> MessageQueueTransport::Listen(const Address& address) {
  auto listener = internal::ListenRendezvous(address, internal::Names::kAllowed, {&internal::TheQueueMedium()});
  if (listener.ok()) internal::RemoveLeftQueues();
  return listener;
}

absl::StatusOr<std::unique_ptr<Endpoint>> MessageQueueTransport::Connect(const Address& address) {
  return internal::ConnectRendezvous(address, internal::Names::kAllowed, {&internal::TheQueueMedium()});
}

std::unique_ptr<ServerWatch> MessageQueueTransport::Watch(const Address& address) {
  return internal::WatchRendezvous(address, internal::Names::kAllowed, {&internal::TheQueueMedium()});
}

}  // namespace nearcall
