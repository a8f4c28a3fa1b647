// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// The conformance suite on tcp:, with whole, one-byte and randomly split transfers.
#include <memory>
#include <string>

#include "nearcall/tests/transports/tcp_util.h"
#include "nearcall/transports/conformance/conformance.h"
#include "nearcall/transports/tcp_socket/tcp_socket.h"

namespace nearcall {
namespace {

ConformanceSubject Tcp() {
  ConformanceSubject subject;
  subject.transport = [] { return std::make_unique<TcpTransport>(); };
  subject.address = [](const std::string& directory) {
    return *ParseAddress("tcp:" + test::OwnTcpPlace(directory) + "?token_file=" + directory + "/token");
  };
  subject.byte_stream = true;
  subject.answers_first = true;
  return subject;
}

NEARCALL_INSTANTIATE_CONFORMANCE(Tcp, Tcp());

}  // namespace
}  // namespace nearcall
