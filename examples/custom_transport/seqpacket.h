// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// A transport of one's own: `seqpacket:/path`, a Unix socket that keeps packets apart (unix(7), SOCK_SEQPACKET).
//
//   server_options.add_transport(seqpacket::NewTransport());    server.Listen("seqpacket:/run/greeter.sock");
//   channel_options.add_transport(seqpacket::NewTransport());   nearcall::Connect("seqpacket:/run/greeter.sock", ...);
//
// What is here is the socket: making it, accepting, one system call to send and one to receive. Packing frames,
// waiting, closing and errors are nearcall's DatagramEndpoint. It puts at least a length into each packet; so a packet
// without bytes, which this kind of socket cannot tell from its end, is never a frame.
//
// Thread-safe. Errors: as nearcall/transports/api/endpoint.h says of each function.
#ifndef NEARCALL_EXAMPLES_CUSTOM_TRANSPORT_SEQPACKET_H_
#define NEARCALL_EXAMPLES_CUSTOM_TRANSPORT_SEQPACKET_H_

#include <memory>

#include "nearcall/transports/api/endpoint.h"

namespace seqpacket {

std::unique_ptr<nearcall::Transport> NewTransport();

}  // namespace seqpacket

#endif  // NEARCALL_EXAMPLES_CUSTOM_TRANSPORT_SEQPACKET_H_
