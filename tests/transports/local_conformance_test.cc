// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// The conformance suite on local: as it becomes shm, and where one side has only the socket: then with whole, one-byte
// and randomly split transfers.
#include <memory>
#include <string>

#include "nearcall/transports/conformance/conformance.h"
#include "nearcall/transports/local/local.h"
#include "nearcall/transports/unix_socket/unix_socket.h"

namespace nearcall {
namespace {

// Listens as one transport does and connects as another.
template <class Server, class Client>
class Mixed final : public Transport {
 public:
  absl::string_view scheme() const override { return "local"; }
  absl::StatusOr<std::unique_ptr<Listener>> Listen(const Address& address) override { return Server().Listen(address); }
  absl::StatusOr<std::unique_ptr<Endpoint>> Connect(const Address& address) override {
    return Client().Connect(address);
  }
};

template <class Server, class Client>
ConformanceSubject Local(bool byte_stream) {
  ConformanceSubject subject;
  subject.transport = [] { return std::make_unique<Mixed<Server, Client>>(); };
  subject.address = [](const std::string& directory) { return *ParseAddress("local:" + directory + "/socket"); };
  subject.byte_stream = byte_stream;
  return subject;
}

NEARCALL_INSTANTIATE_CONFORMANCE(Local, (Local<LocalTransport, LocalTransport>(false)));
NEARCALL_INSTANTIATE_CONFORMANCE(ServerHasTheSocketOnly, (Local<UnixTransport, LocalTransport>(true)));
NEARCALL_INSTANTIATE_CONFORMANCE(ClientHasTheSocketOnly, (Local<LocalTransport, UnixTransport>(true)));

}  // namespace
}  // namespace nearcall
