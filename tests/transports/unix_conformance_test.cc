// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// The conformance suite on unix:, with whole, one-byte and randomly split transfers.
#include <memory>
#include <string>

#include "nearcall/transports/conformance/conformance.h"
#include "nearcall/transports/unix_socket/unix_socket.h"

namespace nearcall {
namespace {

ConformanceSubject Unix() {
  ConformanceSubject subject;
  subject.transport = [] { return std::make_unique<UnixTransport>(); };
  subject.address = [](const std::string& directory) { return *ParseAddress("unix:" + directory + "/socket"); };
  subject.byte_stream = true;
  return subject;
}

NEARCALL_INSTANTIATE_CONFORMANCE(Unix, Unix());

}  // namespace
}  // namespace nearcall
