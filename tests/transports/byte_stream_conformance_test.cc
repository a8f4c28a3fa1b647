// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// ByteStreamEndpoint alone, under the whole suite.

#include "nearcall/tests/transports/trial_transport.h"
#include "nearcall/transports/conformance/conformance.h"

namespace nearcall {
namespace {

ConformanceSubject Trial() {
  ConformanceSubject subject;
  subject.transport = [] { return NewTrialTransport(); };
  subject.address = [](const std::string& directory) { return Address{"trial", directory + "/socket", {}}; };
  subject.byte_stream = true;
  return subject;
}

NEARCALL_INSTANTIATE_CONFORMANCE(Trial, Trial());

}  // namespace
}  // namespace nearcall
