// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0

#include "nearcall/transports/conformance/conformance.h"
#include "nearcall/transports/in_process/in_process.h"

namespace nearcall {
namespace {

ConformanceSubject InProcess() {
  ConformanceSubject subject;
  subject.transport = [] { return NewInProcessTransport(); };
  subject.address = [](const std::string& directory) { return Address{"inproc", "of " + directory, {}}; };
  subject.one_process = true;
  return subject;
}

NEARCALL_INSTANTIATE_CONFORMANCE(InProcess, InProcess());

}  // namespace
}  // namespace nearcall
