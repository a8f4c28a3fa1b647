// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// Medium: one way to carry frames between two processes that have met over a Unix socket. The rendezvous owns listener,
// connector, greeting and identity and is given a list of media; a new one (rings, queues) is one small class.
//
//   class SocketMedium : public Medium { ... };                      // the socket itself: transports/unix_socket
//   ConnectRendezvous(address, {&shm_medium, &socket_medium});       // the first that can be made is proposed
//   ListenRendezvous(address, {&shm_medium, &socket_medium});        // any of them is allowed
//
// Thread safety: a Medium has no state; all methods from any thread. Lifetime: media outlive every listener, and are
// usually static. Errors: what Serve() returns is told to the client as a refusal; nothing else is harmed. Where it is
// RESOURCE_EXHAUSTED or UNIMPLEMENTED, the server first tries another medium that the client accepts.
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
  uint32_t max_frame = 0;      // client: of this connection; 0: the medium's
  std::shared_ptr<void> kept;  // client: not sent, for Dial()
};

// A parameter of an offer, at a byte of it.
inline void PutParameter(MediumOffer& to, size_t at, uint32_t value) {
  for (size_t i = 0; i < 4; ++i) to.parameters[at + i] = static_cast<char>(value >> (8 * i));
}
inline uint32_t GetParameter(const MediumOffer& from, size_t at) {
  uint32_t value = 0;
  for (size_t i = 0; i < 4; ++i) value |= uint32_t{static_cast<unsigned char>(from.parameters[at + i])} << (8 * i);
  return value;
}

class Medium;
using Media = std::vector<const Medium*>;

// Two processes that meet: what a medium makes an endpoint of.
struct Meeting {
  std::string transport;                           // for EndpointInfo: the medium's name
  std::string address;                             // for the text of errors
  std::unique_ptr<ByteIo> socket;                  // stays open as the sign of life, whatever carries the frames
  std::unique_ptr<ByteStreamHandshake> handshake;  // client: connects and greets, driven by the endpoint
  std::optional<Credentials> peer;                 // server: the client, from SO_PEERCRED
  UniqueFd death;                                  // readable once the peer is dead; may be invalid
  MediumOffer offer;                               // what the client sends, or has sent
  Media others;                                    // client: what it accepts beside this medium; see Greeted::medium
  MediumOffer reply;                               // server: what Serve() wants the client to have
};

class Medium {
 public:
  virtual ~Medium() = default;
  virtual MediumBit bit() const = 0;
  virtual absl::string_view name() const = 0;
  virtual uint32_t max_frame() const = 0;
  // Server: whether a client may propose frames of that size.
  virtual bool allows_max_frame(uint32_t proposed) const { return proposed == max_frame(); }
  // The one key of an address's parameters that it understands; empty: none.
  virtual absl::string_view parameter() const { return ""; }
  // Whether Serve() needs what MakeOffer() made. A medium that does not may take over where the proposed one fails.
  virtual bool needs_offer() const { return false; }

  // Client: what to propose, made before the connection. `address` as given, its parameters are the rendezvous's and
  // the media's. An error: the next of the client's media is proposed.
  virtual absl::StatusOr<MediumOffer> MakeOffer(const Address& address) const {
    static_cast<void>(address);
    return MediumOffer();
  }
  // Client: the endpoint, not yet greeted. May send at once.
  virtual std::unique_ptr<Endpoint> Dial(Meeting meeting) const = 0;
  // Server: the endpoint of a client whose greeting has passed; the listener sends its greeting over the socket next.
  // Client: of a server that chose this medium although another was proposed. No greeting is left to be read then.
  // On an error `meeting` still holds the socket.
  virtual absl::StatusOr<std::unique_ptr<Endpoint>> Serve(Meeting& meeting) const = 0;
};

// The address parameters that `media` understand.
std::vector<absl::string_view> ParametersOf(const Media& media);

}  // namespace nearcall::internal

#endif  // NEARCALL_TRANSPORTS_RENDEZVOUS_MEDIUM_H_
