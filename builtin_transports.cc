// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// The transports of //:nearcall. No static registrars: who links it has these.
#include "nearcall/rpc/transports.h"
#include "nearcall/transports/fifo/fifo.h"
#include "nearcall/transports/in_process/in_process.h"
#include "nearcall/transports/inherited/inherited.h"
#include "nearcall/transports/local/local.h"
#include "nearcall/transports/mapped_file/mapped_file.h"
#include "nearcall/transports/message_queue/message_queue.h"
#include "nearcall/transports/pipe/pipe.h"
#include "nearcall/transports/shm_ring/shm_ring.h"
#include "nearcall/transports/tcp_socket/tcp_socket.h"
#include "nearcall/transports/unix_socket/abstract_socket.h"
#include "nearcall/transports/unix_socket/unix_socket.h"

namespace nearcall {

std::vector<std::shared_ptr<Transport>> BuiltinTransports() {
  return {
      std::make_shared<LocalTransport>(),
      std::make_shared<ShmTransport>(),
      std::make_shared<UnixTransport>(),
      std::make_shared<AbstractTransport>(),
      std::make_shared<MappedFileTransport>(),
      std::make_shared<MessageQueueTransport>(),
      std::make_shared<PipeTransport>(),
      std::make_shared<ExecTransport>(),
      std::make_shared<FifoTransport>(),
      std::make_shared<TcpTransport>(),
      std::make_shared<FdTransport>(),
      std::make_shared<SystemdTransport>(),
      NewInProcessTransport(),
  };
}

}  // namespace nearcall
