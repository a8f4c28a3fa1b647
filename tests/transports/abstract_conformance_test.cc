// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// The conformance suite on unix-abstract:, with whole, one-byte and randomly split transfers.
#include <memory>
#include <string>

#include "nearcall/transports/conformance/conformance.h"
#include "nearcall/transports/unix_socket/abstract_socket.h"

namespace nearcall {
namespace {

ConformanceSubject Abstract() {
  ConformanceSubject subject;
  subject.transport = [] { return std::make_unique<AbstractTransport>(); };
  // The directory's name is nobody else's.
  subject.address = [](const std::string& directory) { return *ParseAddress("unix-abstract:" + directory); };
  subject.byte_stream = true;
  return subject;
}

NEARCALL_INSTANTIATE_CONFORMANCE(Abstract, Abstract());

}  // namespace
}  // namespace nearcall
