// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// The conformance suite on the media of the rendezvous that are chosen by name only: mq:, with two messages and
// with four, and mmap:, with the default ring and the smallest.
#include <memory>
#include <string>

#include "nearcall/transports/conformance/conformance.h"
#include "nearcall/transports/mapped_file/mapped_file.h"
#include "nearcall/transports/message_queue/message_queue.h"

namespace nearcall {
namespace {

template <class T>
ConformanceSubject Subject(const std::string& scheme, const std::string& parameters) {
  ConformanceSubject subject;
  subject.transport = [] { return std::make_unique<T>(); };
  subject.address = [scheme, parameters](const std::string& directory) {
    return *ParseAddress(scheme + ":" + directory + "/socket" + parameters);
  };
  return subject;
}

// As many connections as RLIMIT_MSGQUEUE takes for sure: another process of the user's may have queues, too.
ConformanceSubject Queues(const std::string& parameters, int messages, int connections) {
  ConformanceSubject subject = Subject<MessageQueueTransport>("mq", parameters);
  subject.answers_first = true;
  subject.holds = messages;
  subject.connections = connections;
  return subject;
}

NEARCALL_INSTANTIATE_CONFORMANCE(MessageQueue, Queues("", 2, 20));
NEARCALL_INSTANTIATE_CONFORMANCE(FourMessages, Queues("?messages=4", 4, 8));
NEARCALL_INSTANTIATE_CONFORMANCE(MappedFile, Subject<MappedFileTransport>("mmap", ""));
NEARCALL_INSTANTIATE_CONFORMANCE(SmallestRing, Subject<MappedFileTransport>("mmap", "?size=16K"));

}  // namespace
}  // namespace nearcall
