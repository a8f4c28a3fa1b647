// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
#include "nearcall/transports/message_queue/queue_medium.h"

#include <errno.h>
#include <fcntl.h>

#include <algorithm>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "nearcall/transports/api/closed_endpoint.h"
#include "nearcall/transports/api/errno_status.h"
#include "nearcall/transports/message_queue/queue.h"
#include "nearcall/transports/rendezvous/dialing.h"

namespace nearcall::internal {
namespace {

constexpr uint32_t kLayout = 1;
constexpr size_t kLayoutAt = 0, kMessagesAt = 4, kZeroAt = 8;

// The client's own, besides those that it sends.
struct Queues {
  UniqueFd to_server;
  UniqueFd to_client;
};

absl::StatusOr<int> MessagesOf(const Address& address) {
  const std::optional<std::string> text = address.Parameter("messages");
  if (!text.has_value()) return kDefaultMessages;
  int number = 0;
  if (!absl::SimpleAtoi(*text, &number) || number < kMinMessages || number > kMaxMessages) {
    return absl::InvalidArgumentError(absl::StrCat(address.ToString(), ": messages=", *text, " is not a number from ",
                                                   kMinMessages, " to ", kMaxMessages));
  }
  return number;
}

absl::StatusOr<int> ProposedMessages(const MediumOffer& offer) {
  const uint32_t layout = GetParameter(offer, kLayoutAt), messages = GetParameter(offer, kMessagesAt);
  const auto zero = offer.parameters.begin() + kZeroAt;
  if (layout != kLayout || messages < kMinMessages || messages > kMaxMessages ||
      std::any_of(zero, offer.parameters.end(), [](char c) { return c != 0; })) {
    return absl::InvalidArgumentError(absl::StrCat("it proposes queues of layout ", layout, " with ", messages,
                                                   " messages; this server knows layout ", kLayout, " with ",
                                                   kMinMessages, " to ", kMaxMessages));
  }
  if (offer.descriptors.size() != 2) {
    return absl::InvalidArgumentError(
        absl::StrCat("its greeting came with ", offer.descriptors.size(), " descriptors instead of two queues"));
  }
  return static_cast<int>(messages);
}

DatagramOptions Options(Meeting& meeting) {
  DatagramOptions options;
  options.info.transport = meeting.transport;
  options.info.peer = meeting.peer;
  options.info.sees_death = meeting.handshake == nullptr && meeting.death.valid();
  options.max_datagram = kQueueMessage;
  options.name = meeting.address;
  options.death = std::move(meeting.death);
  return options;
}

}  // namespace

uint32_t QueueMedium::max_frame() const { return kQueueMessage - 4; }

absl::StatusOr<MediumOffer> QueueMedium::MakeOffer(const Address& address) const {
  const absl::StatusOr<int> messages = MessagesOf(address);
  if (!messages.ok()) return messages.status();
  auto kept = std::make_shared<Queues>();
  MediumOffer offer;
  for (UniqueFd* own : {&kept->to_server, &kept->to_client}) {
    absl::StatusOr<UniqueFd> queue = MakeQueue(*messages);
    if (!queue.ok()) {
      return absl::Status(queue.status().code(), absl::StrCat(address.ToString(), ": ", queue.status().message()));
    }
    *own = *std::move(queue);
    UniqueFd sent(::fcntl(own->get(), F_DUPFD_CLOEXEC, 0));
    if (!sent.valid()) return ErrnoStatus(errno, absl::StrCat(address.ToString(), ": no descriptor for a queue"));
    offer.descriptors.push_back(std::move(sent));
  }
  PutParameter(offer, kLayoutAt, kLayout);
  PutParameter(offer, kMessagesAt, static_cast<uint32_t>(*messages));
  offer.kept = std::move(kept);
  return offer;
}

std::unique_ptr<Endpoint> QueueMedium::Dial(Meeting meeting) const {
  const auto own = std::static_pointer_cast<Queues>(meeting.offer.kept);
  absl::StatusOr<std::unique_ptr<DatagramDialing>> dialing =
      NewRendezvousDialing(*meeting.socket, std::move(meeting.handshake));
  if (!dialing.ok()) return NewClosedEndpoint(meeting.transport, dialing.status());
  DatagramOptions options = Options(meeting);
  options.info.sees_death = false;  // until the greeting has shown whose death is watched
  options.dialing = *std::move(dialing);
  return std::make_unique<DatagramEndpoint>(
      NewQueueIo(std::move(own->to_server), std::move(own->to_client), std::move(meeting.socket)), std::move(options));
}

absl::StatusOr<std::unique_ptr<Endpoint>> QueueMedium::Serve(Meeting& meeting) const {
  const absl::StatusOr<int> messages = ProposedMessages(meeting.offer);
  if (!messages.ok()) return messages.status();
  std::vector<UniqueFd>& queues = meeting.offer.descriptors;
  for (const UniqueFd& queue : queues) {
    if (absl::Status good = CheckQueue(queue.get(), *messages); !good.ok()) return good;
  }
  DatagramOptions options = Options(meeting);
  return std::make_unique<DatagramEndpoint>(
      NewQueueIo(std::move(queues[1]), std::move(queues[0]), std::move(meeting.socket)), std::move(options));
}

const QueueMedium& TheQueueMedium() {
  static const QueueMedium* const medium = new QueueMedium;  // listeners may outlive static destructors
  return *medium;
}

}  // namespace nearcall::internal
