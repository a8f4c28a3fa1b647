// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// The rendezvous's connector: connects, checks who listens before a byte is sent, greets, and checks who answered.
//
//   auto endpoint = ConnectRendezvous(address, Names::kAllowed, {&shm, &socket});   // proposes shm, if it can be made
//
// The endpoint may be used at once: its first flush carries the greeting and the first frames in one system call. A
// full backlog (EAGAIN) is tried again after 1, 2, 4 ... 50 ms, for 5 s, while the endpoint is "connecting".
//
// Thread safety: any thread. Lifetime: the endpoint is the caller's. Errors: a bad address is the function's error. No
// server, no permission and a server of a foreign uid are a closed endpoint's status: UNAVAILABLE or PERMISSION_DENIED
// naming the address, the errno and what to do.
#ifndef NEARCALL_TRANSPORTS_RENDEZVOUS_CONNECTOR_H_
#define NEARCALL_TRANSPORTS_RENDEZVOUS_CONNECTOR_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "nearcall/transports/api/endpoint.h"
#include "nearcall/transports/byte_stream/byte_stream.h"
#include "nearcall/transports/rendezvous/greeting.h"
#include "nearcall/transports/rendezvous/medium.h"
#include "nearcall/transports/rendezvous/place.h"
#include "nearcall/transports/rendezvous/process_fd.h"

namespace nearcall::internal {

absl::StatusOr<std::unique_ptr<Endpoint>> ConnectRendezvous(const Address& address, Names names, const Media& media);
// The same, at a place that is known already.
absl::StatusOr<std::unique_ptr<Endpoint>> ConnectRendezvousAt(const Address& address, Place place, const Media& media);

// The client's half of the handshake, driven by whatever endpoint the medium makes.
class ClientHandshake final : public ByteStreamHandshake {
 public:
  // `fd` is the endpoint's socket (it outlives this), not yet connected, in non-blocking mode.
  // Takes the offer's descriptors.
  ClientHandshake(std::string name, Place place, int fd, uint32_t media, const Medium& medium, MediumOffer& offer);

  // The first attempt, before there is an endpoint. kWouldBlock: the backlog is full.
  Io Start(absl::Status* why);
  // A pidfd of the process that listens, to watch until the greeting tells more; invalid if not yet connected.
  UniqueFd TakeListenerPidfd();

  Io Connect(ByteIo& io, absl::Status* why) override;
  pollfd ConnectPoll() const override;
  void Interrupt() override;
  Io SendGreeting(ByteIo& io, absl::Span<const char> frames, size_t* sent, absl::Status* why) override;
  Io ReceiveGreeting(ByteIo& io, Greeted* greeted, absl::Status* why) override;

 private:
  Io Attempt(absl::Status* why);
  Io BacklogFull(absl::Status* why);
  Io Connected(absl::Status* why);
  absl::Status ConnectFailed(int error) const;
  absl::Status CheckServer(uid_t uid) const;
  absl::Status CheckWelcome(Greeted* greeted);
  absl::Status Unavailable(absl::string_view text) const;

  const std::string name_;
  const Place place_;
  const int fd_;
  const Greeting proposal_;
  std::vector<UniqueFd> descriptors_;
  bool connected_ = false;
  UniqueFd retry_timer_;  // only if the first attempt found the backlog full; constant from then on
  int64_t retry_nanos_ = 1'000'000;
  int64_t give_up_at_ = 0;
  PeerProcess listener_;  // whoever called listen(), as the kernel says; once connected
  bool listener_watched_ = false;
  std::unique_ptr<GreetingWriter> writer_;
  GreetingReader reader_;
};

}  // namespace nearcall::internal

#endif  // NEARCALL_TRANSPORTS_RENDEZVOUS_CONNECTOR_H_
