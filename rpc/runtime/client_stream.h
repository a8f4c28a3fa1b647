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
  if (!call.ParseReply(&*reply)) reply = call.status();
  return reply;
}

inline absl::Status TakeStatus(OpState& state) { return static_cast<ClientCall&>(state).status(); }

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
    if (!call_->stream().Read(&bytes)) return false;
    if (ParseMessage(bytes.span(), reply)) return true;
    call_->EndWith(DoesNotParse(call_->path(), *reply, bytes.size()));
    return false;
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
    if (!ends_) call_->Cancel();  // else whoever has the end decides
    std::exchange(call_, nullptr)->Unref();
  }

  ClientCall* call_;
  bool ends_ = false;
};

}  // namespace nearcall::internal

#endif  // NEARCALL_RPC_RUNTIME_CLIENT_STREAM_H_
