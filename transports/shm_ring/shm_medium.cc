// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
#include "nearcall/transports/shm_ring/shm_medium.h"

#include <algorithm>
#include <bit>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "nearcall/transports/api/closed_endpoint.h"
#include "nearcall/transports/shm_ring/dialing_endpoint.h"
#include "nearcall/transports/shm_ring/ring_memory.h"
#include "nearcall/transports/shm_ring/shm_endpoint.h"

namespace nearcall::internal {
namespace {

constexpr uint32_t kLayout = 1;
constexpr size_t kLayoutAt = 0, kRingAt = 4, kZeroAt = 8;

void Put(std::array<char, kMediumParameters>& to, size_t at, uint32_t value) {
  for (size_t i = 0; i < 4; ++i) to[at + i] = static_cast<char>(value >> (8 * i));
}
uint32_t Get(const std::array<char, kMediumParameters>& from, size_t at) {
  uint32_t value = 0;
  for (size_t i = 0; i < 4; ++i) value |= uint32_t{static_cast<unsigned char>(from[at + i])} << (8 * i);
  return value;
}

// The ring that the client proposes, or what is wrong with its proposal.
absl::StatusOr<uint32_t> ProposedRing(const MediumOffer& offer) {
  if (Get(offer.parameters, kLayoutAt) != kLayout) {
    return absl::InvalidArgumentError(absl::StrCat("its shared memory has layout ", Get(offer.parameters, kLayoutAt),
                                                   ", this server knows ", kLayout));
  }
  const uint32_t ring = Get(offer.parameters, kRingAt);
  const auto zero = offer.parameters.begin() + kZeroAt;
  if (!IsRingSize(ring) || offer.max_frame != MaxFrameOf(ring) ||
      std::any_of(zero, offer.parameters.end(), [](char c) { return c != 0; })) {
    return absl::InvalidArgumentError(absl::StrCat("it proposes rings of ", ring, " bytes with frames of ",
                                                   offer.max_frame, "; rings are powers of two from ", kMinRing, " to ",
                                                   kMaxRing));
  }
  if (offer.descriptors.size() != 1) {
    return absl::InvalidArgumentError(
        absl::StrCat("its greeting came with ", offer.descriptors.size(), " descriptors instead of one memfd"));
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

uint32_t ShmMedium::max_frame() const { return kMaxShmFrame; }

bool ShmMedium::allows_max_frame(uint32_t max_frame) const {
  return max_frame >= MaxFrameOf(kMinRing) && max_frame <= kMaxShmFrame;
}

absl::StatusOr<MediumOffer> ShmMedium::MakeOffer(const Address& address) const {
  const absl::StatusOr<uint32_t> ring = RingSizeOf(address);
  if (!ring.ok()) return ring.status();
  UniqueFd file;
  absl::StatusOr<RingMemory> memory = RingMemory::Make(*ring, &file);
  if (!memory.ok()) {
    return absl::Status(memory.status().code(), absl::StrCat(address.ToString(), ": ", memory.status().message()));
  }
  MediumOffer offer;
  offer.max_frame = MaxFrameOf(*ring);
  Put(offer.parameters, kLayoutAt, kLayout);
  Put(offer.parameters, kRingAt, *ring);
  offer.descriptors.push_back(std::move(file));
  offer.kept = std::make_shared<RingMemory>(*std::move(memory));
  return offer;
}

std::unique_ptr<Endpoint> ShmMedium::Dial(Meeting meeting) const {
  const auto memory = std::static_pointer_cast<RingMemory>(meeting.offer.kept);
  return std::make_unique<DialingEndpoint>(std::move(meeting), std::move(*memory));
}

absl::StatusOr<std::unique_ptr<Endpoint>> ShmMedium::Serve(Meeting& meeting) const {
  const absl::StatusOr<uint32_t> ring = ProposedRing(meeting.offer);
  if (!ring.ok()) return ring.status();
  absl::StatusOr<RingMemory> memory = RingMemory::Map(meeting.offer.descriptors.front().get(), *ring);
  if (!memory.ok()) return memory.status();
  ShmOptions options;
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
  return std::make_unique<ShmEndpoint>(*std::move(memory), ShmEndpoint::kServer, std::move(meeting.socket),
                                       std::move(options));
}

const ShmMedium& TheShmMedium() {
  static const ShmMedium* const medium = new ShmMedium;  // listeners may outlive static destructors
  return *medium;
}

}  // namespace nearcall::internal
