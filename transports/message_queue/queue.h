// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// The POSIX message queues of mq: (mq_overview(7)): made without a lasting name, checked, sent to and received from.
//
//   absl::StatusOr<UniqueFd> queue = MakeQueue(2);               // client; the descriptor is handed over
//   absl::Status good = CheckQueue(received.get(), 2);           // server
//   auto io = NewQueueIo(std::move(out), std::move(in), std::move(socket));
//
// A queue needs a name for an instant: `nearcall-UID-N`, N up to 63, made with O_EXCL and unlinked at once. Whoever is
// killed between the two leaves it to RemoveLeftQueues(), which takes away all 64: a name that somebody has just made
// is not needed by him either, so that nobody is ever disturbed.
//
// Thread-safe. Errors: RESOURCE_EXHAUSTED naming the limit (RLIMIT_MSGQUEUE, fs.mqueue.*, descriptors), UNIMPLEMENTED
// without message queues in the kernel; INVALID_ARGUMENT saying what is wrong with the peer's queue.
#ifndef NEARCALL_TRANSPORTS_MESSAGE_QUEUE_QUEUE_H_
#define NEARCALL_TRANSPORTS_MESSAGE_QUEUE_QUEUE_H_

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "nearcall/transports/api/unique_fd.h"
#include "nearcall/transports/byte_stream/byte_io.h"
#include "nearcall/transports/datagram/datagram.h"

namespace nearcall::internal {

// One message holds the largest frame that every transport must carry, so that as many connections as can be fit into
// RLIMIT_MSGQUEUE (819,200 bytes a user as a rule), which counts this much more for each (mq_overview(7)).
inline constexpr size_t kQueueMessage = 4096 + 4;
inline constexpr size_t kQueueOverhead = 96;
inline constexpr int kMinMessages = 2;  // one is read while the next is written
inline constexpr int kDefaultMessages = kMinMessages;
inline constexpr int kMaxMessages = 10;  // fs.mqueue.msg_max of the unprivileged

absl::StatusOr<UniqueFd> MakeQueue(int messages);
absl::Status CheckQueue(int queue, int messages);
void RemoveLeftQueues();
// Which of the 64 are there, sorted. For tests and leak audits.
std::vector<std::string> QueueNamesInUse();

// `socket` is the sign of life. Never blocks on a queue, whatever its peer does to the flags of it.
std::unique_ptr<DatagramIo> NewQueueIo(UniqueFd out, UniqueFd in, std::unique_ptr<ByteIo> socket);

}  // namespace nearcall::internal

#endif  // NEARCALL_TRANSPORTS_MESSAGE_QUEUE_QUEUE_H_
