// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
#include "nearcall/transports/ring/ring_medium.h"

#include <algorithm>
#include <bit>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "nearcall/transports/api/closed_endpoint.h"
#include "nearcall/transports/ring/dialing_endpoint.h"
#include "nearcall/transports/ring/ring_endpoint.h"
#include "nearcall/transports/ring/ring_memory.h"

namespace nearcall::internal {
namespace {

constexpr uint32_t kLayout = 1;
constexpr size_t kLayoutAt = 0, kRingAt = 4, kZeroAt = 8;

// The ring that the client proposes, or what is wrong with its proposal.
absl::StatusOr<uint32_t> ProposedRing(const MediumOffer& offer) {
  if (GetParameter(offer, kLayoutAt) != kLayout) {
    return absl::InvalidArgumentError(
        absl::StrCat("its shared memory has layout ", GetParameter(offer, kLayoutAt), ", this server knows ", kLayout));
  }
  const uint32_t ring = GetParameter(offer, kRingAt);
  const auto zero = offer.parameters.begin() + kZeroAt;
  if (!IsRingSize(ring) || offer.max_frame != MaxFrameOf(ring) ||
      std::any_of(zero, offer.parameters.end(), [](char c) { return c != 0; })) {
    return absl::InvalidArgumentError(absl::StrCat("it proposes rings of ", ring, " bytes with frames of ",
                                                   offer.max_frame, "; rings are powers of two from ", kMinRing, " to ",
                                                   kMaxRing));
  }
  if (offer.descriptors.size() != 1) {
    return absl::InvalidArgumentError(absl::StrCat("its greeting came with ", offer.descriptors.size(),
                                                   " descriptors instead of one, that of the memory"));
  }
  return ring;
}

}  // namespace

absl::StatusOr<uint32_t> RingSizeOf(const Address& address) {
  const std::optional<std::string> text = address.Parameter("size");
  if (!text.has_value()) return kDefaultRing;
  absl::string_view digits = *text;
  uint64_t unit = 1;
  if (!digits.empty() && (digits.back() == 'K' || digits.back() == 'M')) {
    unit = digits.back() == 'K' ? 1 << 10 : 1 << 20;
    digits.remove_suffix(1);
  }
  uint32_t number;
  if (!absl::SimpleAtoi(digits, &number) || number * unit < kMinRing || number * unit > kMaxRing) {
    return absl::InvalidArgumentError(absl::StrCat(
        address.ToString(), ": size=", *text, " is not a size of a ring; write 16K to 16M, for example size=256K"));
  }
  return static_cast<uint32_t>(std::bit_ceil(number * unit));
}

uint32_t RingMedium::max_frame() const { return kMaxRingFrame; }

bool RingMedium::allows_max_frame(uint32_t max_frame) const {
  return max_frame >= MaxFrameOf(kMinRing) && max_frame <= kMaxRingFrame;
}

absl::StatusOr<MediumOffer> RingMedium::MakeOffer(const Address& address) const {
  const absl::StatusOr<uint32_t> ring = RingSizeOf(address);
  if (!ring.ok()) return ring.status();
  const auto named = [&](const absl::Status& status) {
    return absl::Status(status.code(), absl::StrCat(address.ToString(), ": ", status.message()));
  };
  absl::StatusOr<UniqueFd> file = MakeFile(address, RingMemory::SizeFor(*ring));
  if (!file.ok()) return named(file.status());
  absl::StatusOr<RingMemory> memory = RingMemory::Map(file->get(), *ring, guard());
  if (!memory.ok()) return named(memory.status());
  MediumOffer offer;
  offer.max_frame = MaxFrameOf(*ring);
  PutParameter(offer, kLayoutAt, kLayout);
  PutParameter(offer, kRingAt, *ring);
  offer.descriptors.push_back(*std::move(file));
  offer.kept = std::make_shared<RingMemory>(*std::move(memory));
  return offer;
}

std::unique_ptr<Endpoint> RingMedium::Dial(Meeting meeting) const {
  const auto memory = std::static_pointer_cast<RingMemory>(meeting.offer.kept);
  return std::make_unique<DialingEndpoint>(std::move(meeting), bit(), std::move(*memory));
}

absl::StatusOr<std::unique_ptr<Endpoint>> RingMedium::Serve(Meeting& meeting) const {
  const absl::StatusOr<uint32_t> ring = ProposedRing(meeting.offer);
  if (!ring.ok()) return ring.status();
  const int file = meeting.offer.descriptors.front().get();
  if (absl::Status good = CheckFile(file, RingMemory::SizeFor(*ring)); !good.ok()) return good;
  absl::StatusOr<RingMemory> memory = RingMemory::Map(file, *ring, guard());
  if (!memory.ok()) return memory.status();
  RingOptions options;
  options.bells = std::make_unique<LocalBells>();
  if (!options.bells->status().ok()) return options.bells->status();
  options.info.transport = meeting.transport;
  options.info.peer = meeting.peer;
  options.info.max_frame = MaxFrameOf(*ring);
  options.info.peer_can_write = true;
  options.info.cheap_poll = true;
  options.info.sees_death = meeting.death.valid();
  options.name = meeting.address;
  options.death = std::move(meeting.death);
  return std::make_unique<RingEndpoint>(*std::move(memory), RingEndpoint::kServer, std::move(meeting.socket),
                                        std::move(options));
}

}  // namespace nearcall::internal
