// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// Medium: one way to carry frames between two processes that have met over a Unix socket. The rendezvous owns listener,
// connector, greeting and identity and is given a list of media; a new one (rings, queues) is one small class.
//
//   class SocketMedium : public Medium { ... };                      // the socket itself: transports/unix_socket
//   ConnectRendezvous(address, {&socket_medium});                    // the first of the list is proposed
//   ListenRendezvous(address, {&shm_medium, &socket_medium});        // any of them is allowed
//
// Thread safety: a Medium has no state; all methods from any thread. Lifetime: media outlive every listener, and are
// usually static. Errors: what Serve() returns is told to the client as a refusal; nothing else is harmed.
#ifndef NEARCALL_TRANSPORTS_RENDEZVOUS_MEDIUM_H_
#define NEARCALL_TRANSPORTS_RENDEZVOUS_MEDIUM_H_

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "nearcall/transports/api/endpoint.h"
#include "nearcall/transports/byte_stream/byte_io.h"
#include "nearcall/transports/byte_stream/byte_stream.h"

namespace nearcall::internal {

// A bit of the greeting's sets. Part of the protocol: never renumbered.
enum MediumBit : uint32_t { kMediumSocket = 1, kMediumShm = 2, kMediumQueue = 4, kMediumFile = 8 };
std::string MediaText(uint32_t bits);  // "shm, unix"

inline constexpr size_t kMediumParameters = 32;
inline constexpr size_t kMaxMediumDescriptors = 15;  // beside the pidfd

// What a medium sends along with a greeting.
struct MediumOffer {
  std::array<char, kMediumParameters> parameters = {};  // as the medium likes, little-endian
  std::vector<UniqueFd> descriptors;
};

// Two processes that meet: what a medium makes an endpoint of.
struct Meeting {
  std::string transport;                           // for EndpointInfo: the medium's name
  std::string address;                             // for the text of errors
  std::unique_ptr<ByteIo> socket;                  // stays open as the sign of life, whatever carries the frames
  std::unique_ptr<ByteStreamHandshake> handshake;  // client: connects and greets, driven by the endpoint
  std::optional<Credentials> peer;                 // server: the client, from SO_PEERCRED
  UniqueFd death;                                  // readable once the peer is dead; may be invalid
  MediumOffer offer;                               // server: what the client sent
  MediumOffer reply;                               // server: what Serve() wants the client to have
};

class Medium {
 public:
  virtual ~Medium() = default;
  virtual MediumBit bit() const = 0;
  virtual absl::string_view name() const = 0;
  virtual uint32_t max_frame() const = 0;

  // Client: what to propose, made before the connection.
  virtual absl::StatusOr<MediumOffer> MakeOffer() const { return MediumOffer(); }
  // Client: the endpoint, not yet greeted. May send at once.
  virtual std::unique_ptr<Endpoint> Dial(Meeting meeting) const = 0;
  // Server: the endpoint of a client whose greeting has passed; the listener sends its greeting over the socket next.
  // On an error `meeting` still holds the socket.
  virtual absl::StatusOr<std::unique_ptr<Endpoint>> Serve(Meeting& meeting) const = 0;
};

using Media = std::vector<const Medium*>;

}  // namespace nearcall::internal

#endif  // NEARCALL_TRANSPORTS_RENDEZVOUS_MEDIUM_H_
