// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// The conformance suite on shm:, with the default ring and with the smallest.
#include <memory>
#include <string>

#include "nearcall/transports/conformance/conformance.h"
#include "nearcall/transports/shm_ring/shm_ring.h"

namespace nearcall {
namespace {

ConformanceSubject Shm(const std::string& parameters) {
  ConformanceSubject subject;
  subject.transport = [] { return std::make_unique<ShmTransport>(); };
  subject.address = [parameters](const std::string& directory) {
    return *ParseAddress("shm:" + directory + "/socket" + parameters);
  };
  return subject;
}

NEARCALL_INSTANTIATE_CONFORMANCE(Shm, Shm(""));
NEARCALL_INSTANTIATE_CONFORMANCE(SmallestRing, Shm("?size=16K"));
NEARCALL_INSTANTIATE_CONFORMANCE(LargeRing, Shm("?size=1M"));

}  // namespace
}  // namespace nearcall
