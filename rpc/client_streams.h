// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// The client's side of streams.
//
//   auto ticks = greeter.Countdown(request);
//   for (Tick tick; ticks.Read(tick);) Use(tick);
//   absl::Status status = ticks.Finish();
//
// One thread may read while another writes; Cancel() from any thread. Dropping one that has not finished cancels the
// call. Errors: Read() and Write() say false once the call is over; Finish() says how it ended, with gRPC's codes.
#ifndef NEARCALL_RPC_CLIENT_STREAMS_H_
#define NEARCALL_RPC_CLIENT_STREAMS_H_

#include <optional>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "nearcall/rpc/metadata.h"
#include "nearcall/rpc/op.h"
#include "nearcall/rpc/runtime/client_stream.h"

namespace nearcall {

template <class Reply>
class ClientReader {  // server streaming
 public:
  bool Read(Reply& reply) { return stream_.Read(&reply); }                    // blocks; false once the stream has ended
  Op<std::optional<Reply>> Next() { return stream_.template Next<Reply>(); }  // as Read, asynchronously
  absl::Status Finish() { return stream_.Finish(); }  // the call's one status; reads off and drops what was not read
  Op<absl::Status> Finished() { return stream_.Finished(); }
  void Cancel() { stream_.Cancel(); }
  const Metadata& initial_metadata() { return stream_.initial_metadata(); }    // blocks until it has come
  const Metadata& trailing_metadata() { return stream_.trailing_metadata(); }  // REQUIRES: Finish() has returned

  explicit ClientReader(internal::ClientStream stream) : stream_(std::move(stream)) {}  // for generated code

 private:
  internal::ClientStream stream_;
};

template <class Request, class Reply>
class ClientWriter {  // client streaming
 public:
  bool Write(const Request& request) { return stream_.Write(request); }  // blocks while the receiver is behind
  // As Write, asynchronously; the request is serialized before Send() returns.
  Op<bool> Send(const Request& request) { return stream_.Send(request); }
  absl::StatusOr<Reply> Finish() { return stream_.template FinishWithReply<Reply>(); }  // half-closes, then waits
  Call<Reply> Finished() { return stream_.template FinishedWithReply<Reply>(); }
  void Cancel() { stream_.Cancel(); }
  const Metadata& initial_metadata() { return stream_.initial_metadata(); }
  const Metadata& trailing_metadata() { return stream_.trailing_metadata(); }

  explicit ClientWriter(internal::ClientStream stream) : stream_(std::move(stream)) {}

 private:
  internal::ClientStream stream_;
};

template <class Request, class Reply>
class ClientReaderWriter {  // both directions
 public:
  bool Write(const Request& request) { return stream_.Write(request); }
  Op<bool> Send(const Request& request) { return stream_.Send(request); }
  bool WritesDone() { return stream_.WritesDone(); }
  bool Read(Reply& reply) { return stream_.Read(&reply); }
  Op<std::optional<Reply>> Next() { return stream_.template Next<Reply>(); }
  absl::Status Finish() { return stream_.Finish(); }
  Op<absl::Status> Finished() { return stream_.Finished(); }
  void Cancel() { stream_.Cancel(); }
  const Metadata& initial_metadata() { return stream_.initial_metadata(); }
  const Metadata& trailing_metadata() { return stream_.trailing_metadata(); }

  explicit ClientReaderWriter(internal::ClientStream stream) : stream_(std::move(stream)) {}

 private:
  internal::ClientStream stream_;
};

}  // namespace nearcall

#endif  // NEARCALL_RPC_CLIENT_STREAMS_H_
