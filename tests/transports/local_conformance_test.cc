// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// The conformance suite on local:, with whole, one-byte and randomly split transfers.
#include <memory>
#include <string>

#include "nearcall/transports/conformance/conformance.h"
#include "nearcall/transports/unix_socket/unix_socket.h"

namespace nearcall {
namespace {

ConformanceSubject Local() {
  ConformanceSubject subject;
  subject.transport = [] { return std::make_unique<LocalTransport>(); };
  subject.address = [](const std::string& directory) { return *ParseAddress("local:" + directory + "/socket"); };
  subject.byte_stream = true;
  return subject;
}

NEARCALL_INSTANTIATE_CONFORMANCE(Local, Local());

}  // namespace
}  // namespace nearcall
