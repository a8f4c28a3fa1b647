// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// ClientStream: what ClientReader, ClientWriter and ClientReaderWriter are made of: a counted hold on a ClientCall,
// which is cancelled if it is dropped before its end.
#ifndef NEARCALL_RPC_RUNTIME_CLIENT_STREAM_H_
#define NEARCALL_RPC_RUNTIME_CLIENT_STREAM_H_

#include <optional>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "nearcall/rpc/op.h"
#include "nearcall/rpc/runtime/client_call.h"
#include "nearcall/rpc/runtime/take.h"

namespace nearcall::internal {

template <class Reply>
absl::StatusOr<Reply> TakeReply(OpState& state) {
  auto& call = static_cast<ClientCall&>(state);
  absl::StatusOr<Reply> reply{Reply()};
  bool ok = call.ParseReply(&*reply);
  if (call.hooks() != nullptr) ok = call.EndHooks(ok ? &*reply : nullptr);
  if (!ok) reply = call.status();
  return reply;
}

inline absl::Status TakeStatus(OpState& state) { return static_cast<ClientCall&>(state).TakeStatus(); }

class ClientStream {
 public:
  explicit ClientStream(ClientCall* call) : call_(call) {}  // takes over one reference
  ClientStream(ClientStream&& other) noexcept : call_(std::exchange(other.call_, nullptr)), ends_(other.ends_) {}
  ClientStream& operator=(ClientStream&& other) noexcept {
    if (this != &other) {
      Drop();
      call_ = std::exchange(other.call_, nullptr);
      ends_ = other.ends_;
    }
    return *this;
  }
  ~ClientStream() { Drop(); }

  bool Read(Message* reply) {
    Bytes bytes;
    return call_->stream().Read(&bytes) && TakeParsed(*call_, bytes.span(), reply);
  }
  template <class Reply>
  Op<std::optional<Reply>> Next() {
    return Op<std::optional<Reply>>(call_->stream().StartRead(), &TakeMessage<Reply>);
  }
  bool Write(const Message& request) { return call_->stream().Write(request); }
  Op<bool> Send(const Message& request) { return Op<bool>(call_->stream().StartWrite(request), &TakeSent); }
  bool WritesDone() { return call_->stream().HalfClose(); }

  absl::Status Finish() { return Finished().Wait(); }
  Op<absl::Status> Finished() { return Op<absl::Status>(End(), &TakeStatus); }
  template <class Reply>
  absl::StatusOr<Reply> FinishWithReply() {
    return FinishedWithReply<Reply>().Wait();
  }
  template <class Reply>
  Call<Reply> FinishedWithReply() {
    return Call<Reply>(End(), &TakeReply<Reply>);
  }
  void Cancel() {
    if (call_ != nullptr) call_->Cancel();
  }
  const Metadata& initial_metadata() { return call_->WaitForInitialMetadata(); }
  const Metadata& trailing_metadata() { return call_->trailing_metadata(); }

 private:
  // Half-closes too: the end of a call whose server waits for more requests would never come.
  ClientCall* End() {
    ends_ = true;
    if (call_->streams_requests()) WritesDone();
    call_->DropUnread();
    call_->Ref();
    return call_;
  }
  void Drop() {
    if (call_ == nullptr || call_->orphaned()) return;
    if (!ends_) call_->Abandon();  // else whoever has the end decides
    std::exchange(call_, nullptr)->Unref();
  }

  ClientCall* call_;
  bool ends_ = false;
};

}  // namespace nearcall::internal

#endif  // NEARCALL_RPC_RUNTIME_CLIENT_STREAM_H_
