// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// The rendezvous's handshake as a DatagramEndpoint's dialing: connect, greet, wait for the answer; then the medium.
//
//   options.dialing = *NewRendezvousDialing(*meeting.socket, std::move(meeting.handshake));
//
// Thread safety: as DatagramDialing says. Lifetime: `socket` outlives it. Errors: RESOURCE_EXHAUSTED without a
// descriptor; later the handshake's.
#ifndef NEARCALL_TRANSPORTS_RENDEZVOUS_DIALING_H_
#define NEARCALL_TRANSPORTS_RENDEZVOUS_DIALING_H_

#include <memory>

#include "absl/status/statusor.h"
#include "nearcall/transports/byte_stream/byte_io.h"
#include "nearcall/transports/byte_stream/byte_stream.h"
#include "nearcall/transports/datagram/datagram.h"

namespace nearcall::internal {

absl::StatusOr<std::unique_ptr<DatagramDialing>> NewRendezvousDialing(ByteIo& socket,
                                                                      std::unique_ptr<ByteStreamHandshake> handshake);

}  // namespace nearcall::internal

#endif  // NEARCALL_TRANSPORTS_RENDEZVOUS_DIALING_H_
