// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// SessionCall: a session's record of one call. Owned by the Session; its owner reads it through these accessors, under
// the same lock as the session.
#ifndef NEARCALL_RPC_SESSION_SESSION_CALL_H_
#define NEARCALL_RPC_SESSION_SESSION_CALL_H_

#include <cstddef>
#include <cstdint>
#include <memory>

#include "nearcall/rpc/session/call_list.h"
#include "nearcall/rpc/wire/bytes.h"
#include "nearcall/rpc/wire/frame.h"

namespace nearcall::internal {

struct Unit;

// A unit of the peer's of which some frames have come and some have not. Its memory is there from the first frame on,
// unless the rest is to be thrown away.
struct Assembly {
  FrameKind kind = FrameKind::kMessage;
  uint8_t flags = 0;
  bool discard = false;
  uint32_t block_size = 0;
  uint32_t total_size = 0;
  uint32_t received = 0;
  Bytes block;
  Bytes message;

  void Discard() {
    discard = true;
    block = Bytes();
    message = Bytes();
  }
};

class SessionCall {
 public:
  void* owner() const { return owner_; }
  void set_owner(void* owner) { owner_ = owner; }
  uint32_t id() const { return id_; }              // 0: still at home
  bool started() const { return id_ != 0; }        // a frame of it was planned: the peer may have seen it
  bool own() const { return own_; }                // begun by this side
  bool over() const { return over_; }              // no event will name it again
  bool cancelled() const { return cancelled_; }    // (served) by the peer: only its status still goes out
  uint64_t sequence() const { return sequence_; }  // own, started: in the order of starting
  int64_t send_credit() const { return send_credit_; }

 private:
  friend class Session;
  friend class SessionInspector;  // of the tests
  using CallLinks = Links<SessionCall>;

  void* owner_ = nullptr;
  uint32_t id_ = 0;
  bool own_ = false;
  bool over_ = false;
  bool live_ = false;            // in the id table
  bool admitted_ = false;        // own: has a place under the peer's limit
  bool announced_ = false;       // the owner knows it
  bool released_ = false;        // the owner has left
  bool cancelled_ = false;       // served: by the peer
  bool refusing_ = false;        // served: a message was too large, the rest of the stream is not listened to
  bool got_initial_ = false;     // own: initial metadata or a message has come
  bool remote_closed_ = false;   // served: the peer sends no more messages
  bool status_queued_ = false;   // served: nothing more can be queued
  bool cancel_pending_ = false;  // own: a cancel frame is to go out
  bool not_started_ = false;     // own: ended by the peer's drain, for TakeNotStarted()
  int64_t send_credit_ = 0;      // of messages from here; below 0: overdrawn
  int64_t receive_credit_ = 0;   // what the peer has left
  uint64_t delivered_ = 0;       // bytes of messages that the owner holds
  uint64_t consumed_ = 0;        // bytes that can be given back to the peer
  uint64_t sequence_ = 0;        // own: place in the order of starting; its low 31 bits are the id's
  Unit* head_ = nullptr;         // queued units, oldest first
  Unit* tail_ = nullptr;
  size_t offset_ = 0;  // bytes of the head that are planned
  std::unique_ptr<Assembly> assembly_;
  CallLinks all_;
  CallLinks turn_;
  CallLinks control_;
};

}  // namespace nearcall::internal

#endif  // NEARCALL_RPC_SESSION_SESSION_CALL_H_
