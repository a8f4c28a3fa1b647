// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// The medium of mq: two POSIX message queues, which the client makes and sends along with its greeting.
//
//   ListenRendezvous(address, Names::kAllowed, {&TheQueueMedium()});
//
// Parameters in the greeting, little-endian: u32 version of the layout (1), u32 messages of each queue, 24 bytes zero.
// Two descriptors: the queue to the server, the queue to the client. Address parameter: messages=N, the client's wish,
// 2 to 10.
//
// A client's endpoint is "connecting" until the server's greeting has come: unlike rings, a queue of two messages has
// no room worth filling before.
//
// Thread-safe, stateless, static. Errors: as queue.h says.
#ifndef NEARCALL_TRANSPORTS_MESSAGE_QUEUE_QUEUE_MEDIUM_H_
#define NEARCALL_TRANSPORTS_MESSAGE_QUEUE_QUEUE_MEDIUM_H_

#include <memory>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "nearcall/transports/rendezvous/medium.h"

namespace nearcall::internal {

class QueueMedium final : public Medium {
 public:
  MediumBit bit() const override { return kMediumQueue; }
  absl::string_view name() const override { return "mq"; }
  uint32_t max_frame() const override;
  absl::string_view parameter() const override { return "messages"; }
  bool needs_offer() const override { return true; }

  absl::StatusOr<MediumOffer> MakeOffer(const Address& address) const override;
  std::unique_ptr<Endpoint> Dial(Meeting meeting) const override;
  absl::StatusOr<std::unique_ptr<Endpoint>> Serve(Meeting& meeting) const override;
};

const QueueMedium& TheQueueMedium();

}  // namespace nearcall::internal

#endif  // NEARCALL_TRANSPORTS_MESSAGE_QUEUE_QUEUE_MEDIUM_H_
