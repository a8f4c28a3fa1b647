// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// MessageStream: the two directions of a streaming call, as client and server have them alike: an inbox that blocking
// reads and read ops empty in order, and writes that wait for credit. Its call feeds it with the session's events.
//
// Thread safety: functions named ...Locked need the connection's lock, the others are called without it; one thread may
// read while another writes. Lifetime: a member of its call; ops keep the call.
#ifndef NEARCALL_RPC_RUNTIME_MESSAGE_STREAM_H_
#define NEARCALL_RPC_RUNTIME_MESSAGE_STREAM_H_

#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>

#include "absl/types/span.h"
#include "nearcall/rpc/runtime/call_hooks.h"
#include "nearcall/rpc/runtime/connection.h"
#include "nearcall/rpc/runtime/message.h"
#include "nearcall/rpc/runtime/op_state.h"
#include "nearcall/rpc/wire/bytes.h"

namespace nearcall::internal {

class StreamOp;

// The lock of the connection that a call is bound to; with it the connection itself, where the call may leave that.
struct KeptConnection {
  std::shared_ptr<Connection> kept;
};
class BoundLock : private KeptConnection, public std::unique_lock<std::mutex> {  // in this order: unlocked, then let go
 public:
  BoundLock(std::shared_ptr<Connection> kept, std::mutex& mutex)
      : KeptConnection{std::move(kept)}, std::unique_lock<std::mutex>(mutex) {}
};

// What a stream needs of its call.
class StreamCall {
 public:
  virtual Connection& connection() = 0;
  // Whether it was lost before the server started it, and waits to be bound to another connection: by GoOn(), without
  // the lock, of whoever waits for it. Under the lock.
  virtual bool LostLocked() const { return false; }
  virtual void GoOn() {}
  virtual void OnAwaitedLocked() {}                // a callback or coroutine waits for it
  virtual SessionCall* session_call() = 0;         // under the lock; null once the call is over
  virtual int64_t wait_deadline() const = 0;       // of blocking reads and writes
  virtual void OnWaitDeadline() = 0;               // one of them ran into it; without the lock
  virtual void BeforeWriteLocked() {}              // before the first message: initial metadata
  virtual void PostCompletion(Runnable* run) = 0;  // on the call's executor
  virtual const char* path() const = 0;            // of its method
  virtual void RefCall() = 0;
  virtual void UnrefCall() = 0;
  virtual void FailCall(const absl::Status& status) = 0;  // this side can't go on with it
  // A message is not taken, or not sent: that is how the call ends, whatever else is said. By who reads or writes.
  virtual void Refuse(const absl::Status& status) = 0;
  CallHooks* hooks() const { return hooks_.get(); }  // null: none

  // It is not bound to another connection while the lock is held.
  BoundLock LockBound();
  // Blocks until ready(), which is asked under the lock, holds; whoever makes it so completes the waiter in `slot`.
  // Binds the call again if it was lost. At the deadline OnWaitDeadline() has to make it so.
  template <class Ready>
  BoundLock WaitUntil(Waiter*& slot, Ready&& ready);

 protected:
  // The connection that it is bound to, if it may leave that any number of times; else null, and it keeps them all.
  virtual std::shared_ptr<Connection> KeepBound() { return nullptr; }
  ~StreamCall() = default;
  std::unique_ptr<CallHooks> hooks_;  // set before anybody else knows the call
};

template <class Ready>
BoundLock StreamCall::WaitUntil(Waiter*& slot, Ready&& ready) {
  Waiter waiter;
  for (;;) {
    BoundLock lock = LockBound();
    if (ready()) return lock;
    if (LostLocked()) {
      lock.unlock();
      GoOn();
      continue;
    }
    Connection& bound = connection();
    waiter.done = false;
    slot = &waiter;
    const bool in_time = bound.Await(lock, &waiter, wait_deadline());
    if (&bound != &connection()) continue;  // whoever lost the call has forgotten the waiter
    slot = nullptr;
    if (in_time || ready() || LostLocked()) continue;
    lock.unlock();
    OnWaitDeadline();
  }
}

class MessageStream {
 public:
  explicit MessageStream(StreamCall* call) : call_(call) {}

  // Blocking. False: no message will come, or none may be sent, any more.
  bool Read(Bytes* message);
  bool Write(const Message& message);
  bool HalfClose();
  bool ReadNow(Bytes* message);  // what is there already
  // Asynchronous: the op, with one reference for the caller.
  OpState* StartRead();
  OpState* StartWrite(const Message& message);

  void OnMessageLocked(SessionEvent& event);
  void OnReadEndLocked();   // no more messages will come; what is in the inbox is still read
  void OnWriteEndLocked();  // no more may be sent
  void OnWritableLocked();
  // The call was lost there before it was started: who blocks is woken, to bind it again. True: ops wait without a
  // thread.
  bool OnLostLocked(Connection& connection);
  bool OnBoundLocked(Connection& connection);              // and is bound again. True: as above
  void ExpectUnitLocked() { writes_.push_back(nullptr); }  // a unit of the call itself was queued, with `notify`
  void OnUnitPlannedLocked();                              // of the oldest write op
  void ClearInboxLocked();                                 // cancelled: what was not read is dropped
  void Reset();                                            // for the next call in the same object

 private:
  friend class StreamOp;
  bool MaySend(const Message& message);
  bool TakeLocked(Bytes* message);
  void ServeReadsLocked();
  void AbandonReadLocked(StreamOp* op);

  StreamCall* const call_;
  std::deque<Bytes> inbox_;
  int returned_ = 0;  // of the inbox, at its front: given to a Next() that was dropped
  bool read_end_ = false;
  bool write_end_ = false;
  bool half_closed_ = false;
  Waiter* reader_ = nullptr;
  Waiter* writer_ = nullptr;
  std::deque<StreamOp*> reads_;   // pending, in order; each holds a reference
  std::deque<StreamOp*> writes_;  // queued in the session, in order; each holds a reference; null: a Write()'s
};

// The result of one Next() or Send().
class StreamOp final : public OpState {
 public:
  StreamOp(MessageStream* stream, bool is_read);

  void Wait() override;
  bool Ready() override;
  bool Subscribe(Runnable* completion, bool only_pending) override;
  void Cancel() override;
  void Abandon() override;

  bool ok() const { return ok_; }  // after it is ready
  Bytes& message() { return message_; }
  StreamCall& call() const { return *stream_->call_; }

 private:
  friend class MessageStream;
  ~StreamOp() override;
  void CompleteLocked(bool ok);

  MessageStream* const stream_;
  const bool is_read_;
  bool done_ = false;
  bool ok_ = false;
  bool taken_ = false;
  bool unattended_ = false;
  Bytes message_;
  Waiter* waiter_ = nullptr;
  Runnable* completion_ = nullptr;
};

}  // namespace nearcall::internal

#endif  // NEARCALL_RPC_RUNTIME_MESSAGE_STREAM_H_
