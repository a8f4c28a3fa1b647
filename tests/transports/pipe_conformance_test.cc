// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// The conformance suite on fifo:, pipe: and exec:, with whole, one-byte and randomly split transfers.
#include <memory>
#include <string>

#include "nearcall/tests/contract/program.h"
#include "nearcall/tests/transports/handed_pipes.h"
#include "nearcall/transports/conformance/conformance.h"
#include "nearcall/transports/fifo/fifo.h"

namespace nearcall {
namespace {

ConformanceSubject Handed(std::function<std::unique_ptr<Transport>()> transport) {
  ConformanceSubject subject;
  subject.transport = std::move(transport);
  subject.address = [](const std::string& directory) { return *ParseAddress("handed:" + directory + "/socket"); };
  subject.byte_stream = true;
  return subject;
}

ConformanceSubject Exec() {
  ConformanceSubject subject = Handed([] { return NewHandedExec(test::ProgramPath("hand_over")); });
  subject.one_process = true;  // the process that exec: watches is not the one that has the server's end
  return subject;
}

ConformanceSubject Fifo() {
  ConformanceSubject subject;
  subject.transport = [] { return std::make_unique<FifoTransport>(); };
  subject.address = [](const std::string& directory) { return *ParseAddress("fifo:" + directory + "/fifo"); };
  subject.byte_stream = true;
  subject.answers_first = true;
  return subject;
}

NEARCALL_INSTANTIATE_CONFORMANCE(Fifo, Fifo());
NEARCALL_INSTANTIATE_CONFORMANCE(Pipe, Handed(&NewHandedPipes));
NEARCALL_INSTANTIATE_CONFORMANCE(Exec, Exec());

}  // namespace
}  // namespace nearcall
