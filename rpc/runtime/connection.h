// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// Connection: one endpoint and its session, and who reads and who writes. Both sides use it.
//
// Reader role. One thread at a time reads. kIdle: nobody. kAttended: the pool's epoll watches. kHeld: a thread reads:
// one of the pool (after an event), which may stay, pinned, while a connection is busy (worker.h); or one that waits
// for a result of its own (Await) and reads for all meanwhile. Moves:
//   kIdle, kAttended -> kHeld   a waiter takes it (and disarms the epoll: one event never wakes two threads)
//   kAttended        -> kHeld   an event came
//   kHeld -> kHeld              to another waiter, who is woken; or to the pool's queue, when something is ready
//   already kHeld -> kAttended          nobody waits, but something unattended is outstanding (a server: always) kHeld
//   -> kIdle              nothing is outstanding
// All moves are made under mutex(); kHeld is left by the holder only.
// Sender role. Whoever holds mutex(); it is never held while blocking, and for at most one fragment plus a flush.
//
// Thread safety: functions named ...Locked need mutex(); the others must be called without it. Lifetime: shared. Lock
// order: CallScope, then a connection, then Strand, then Pool.
#ifndef NEARCALL_RPC_RUNTIME_CONNECTION_H_
#define NEARCALL_RPC_RUNTIME_CONNECTION_H_

#include <array>
#include <atomic>
#include <condition_variable>
#include <cstring>
#include <functional>
#include <memory>
#include <mutex>
#include <string>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "nearcall/rpc/runtime/connection_parties.h"
#include "nearcall/rpc/runtime/frame_copy.h"
#include "nearcall/rpc/runtime/pool.h"
#include "nearcall/rpc/runtime/runnable.h"
#include "nearcall/rpc/runtime/spin.h"
#include "nearcall/rpc/runtime/worker.h"
#include "nearcall/rpc/session/session.h"
#include "nearcall/rpc/session/session_call.h"
#include "nearcall/rpc/wire/copy.h"
#include "nearcall/transports/api/endpoint.h"

namespace nearcall {

struct Peer;

namespace internal {

class Connection final : public Creditor, public std::enable_shared_from_this<Connection> {
 public:
  using Batch = ReadBatchState;
  using Host = ConnectionHost;

  struct Options {
    std::string address;
    std::shared_ptr<Pool> pool;
    SessionOptions session;
    std::shared_ptr<Host> host;
    std::shared_ptr<const Peer> peer;  // for the calls that come in
    SpinMode spin = SpinMode::kAdaptive;
    int64_t keepalive_ns = kNoDeadline;  // without a frame while calls are under way; then a ping
    int64_t keepalive_timeout_ns = kNoDeadline;
  };

  explicit Connection(Options options);
  ~Connection();
  // Gives it its endpoint; until then units are queued and waiters wait. An error: nobody was there, the endpoint is
  // dropped, and another one may be tried.
  absl::Status Open(std::unique_ptr<Endpoint> endpoint);

  std::mutex& mutex() { return mutex_; }
  Session& session() { return session_; }  // under the lock
  const std::string& address() const { return options_.address; }
  Pool& pool() const { return *options_.pool; }
  const std::shared_ptr<Pool>& shared_pool() const { return options_.pool; }
  Host* host() const { return options_.host.get(); }
  const Peer* peer() const { return options_.peer.get(); }
  // A new call may be started on it: neither closed nor draining. May be out of date at once.
  bool usable() const { return usable_.load(std::memory_order_acquire); }
  // Its peer's hello has come.
  bool answered() const { return answered_.load(std::memory_order_acquire); }
  bool ClosedLocked() const { return closed_; }
  const absl::Status& CloseStatusLocked() const { return close_status_; }
  const EndpointInfo* InfoLocked() const { return connected_ ? &endpoint_->info() : nullptr; }

  // ---- sending
  // Sends the unit as one frame now if everything allows it (see Session::CanSend); else false, and nothing happened.
  // `write` fills in the message's bytes. Flush follows.
  template <class Write>
  bool SendNowLocked(SessionCall* call, UnitKind unit, absl::string_view block, size_t message_size, Write&& write);
  void PumpLocked();  // what is queued, as far as the medium takes it
  // kClosed: the endpoint is gone for sending; the reader will find out why.
  Io FlushLocked();
  // For who was told kClosed: no new calls here; what has already arrived is still read by whoever waits for it.
  absl::Status AbandonSendingLocked();  // why
  Io FlushSoonLocked();                 // at the end of the turn this thread is in (worker.h), else at once

  // ---- waiting
  // Blocks until waiter->done or the deadline (false), reading meanwhile if nobody else does.
  bool Await(std::unique_lock<std::mutex>& lock, Waiter* waiter, int64_t deadline_ns);
  void FinishRead();                    // after a result whose frame was kept was taken
  void CompleteLocked(Waiter* waiter);  // sets done, and wakes it
  // In OnEvent: whether this event's frame may be kept for that waiter, who is the reading thread; then it is.
  bool KeepFrameLocked(const Waiter* waiter);
  // Something is outstanding that nobody waits for: the pool reads.
  void AddUnattendedLocked();
  void RemoveUnattendedLocked() { --unattended_; }
  bool AwaitHello(int64_t deadline_ns);  // true: the peer's hello is here
  bool Wanted();                         // a call or AwaitHello() waits for it
  // Ends those calls for which `fails` says so, as lost and not started.
  void FailCalls(const absl::Status& why, absl::FunctionRef<bool(CallOwner*)> fails);

  // A call is under way: whether the peer lives is looked after (connection_watch.cc), if that was asked for.
  void WatchPeerLocked() {
    if (options_.keepalive_ns != kNoDeadline) StartWatchingLocked();
  }

  // Reads what has come while nobody was reading: whether the peer is still there.
  void LookIfIdle();

  // ---- the reading thread of a pool
  void OfferRole(Batch* batch);  // releases the frame and passes the role on, before user code that may take its time
  void ReleaseFrame(Batch* batch);
  bool HasFrame() const { return endpoint_->HasFrame(); }  // by the reader
  // Creditor
  std::shared_ptr<Creditor> Share() override { return shared_from_this(); }
  void Settle(bool pass_role) override;

  void Close(const absl::Status& why);
  void CloseLocked(const absl::Status& why);
  void StartDrain(absl::string_view why);
  // Whether nothing of the peer's is under way and nothing waits to be written.
  bool IdleLocked() const;

 private:
  class PollSource;
  class Resume;
  class PeerWatch;
  enum class Role { kIdle, kAttended, kHeld };
  enum class SendWatch { kNone, kWaiter, kPool };
  enum Tag : uint32_t { kReceiveTag, kSendTag, kDeathTag };

  void CommitLocked(size_t size);
  void NoteSeenLocked();
  bool NeverSeenLocked(const SessionCall& call) const;
  void OnReady(uint32_t tag);
  void OnSendReady();
  void ReadBatch();
  bool NoteHeat();
  Io ReadFrames(Worker* worker, bool spin, int* frames, bool* role_held);
  Io NextFrame(Frame* frame);
  bool SpinsNow();
  Io SpinForFrame(Frame* frame);
  Runnable* ConsumeLocked(const Frame& frame, Batch* batch);
  Runnable* DispatchLocked(SessionEvent& event, Batch* batch);
  void FailFromEndpointLocked();
  void EndLocked(const absl::Status& why, bool not_started);
  void TakeRoleLocked();
  void PassRoleLocked();
  void ResumeLater();
  bool AttendLocked();
  void LeaveEpollLocked();
  void EnqueueLocked(Waiter* waiter);
  void DequeueLocked(Waiter* waiter);
  void ReadForWaiter(std::unique_lock<std::mutex>& lock, Waiter* waiter, int64_t deadline_ns);
  void ReadWhatIsThere(std::unique_lock<std::mutex>& lock, const Waiter* waiter, bool spin);
  bool SleepsBriefly(int64_t deadline_ns);
  bool Sleep(std::unique_lock<std::mutex>& lock, int64_t deadline_ns);
  void WatchSendLocked();
  void ForgetSendWatchLocked();
  void WatchDeathLocked();
  void StartWatchingLocked();
  void StopWatching();
  absl::Status DescribeLocked(const absl::Status& status) const;

  const Options options_;
  std::mutex mutex_;
  Session session_;
  std::unique_ptr<Endpoint> endpoint_;
  size_t max_frame_ = 0;    // 0: the endpoint is still connecting
  bool connected_ = false;  // the peer's hello has come
  bool hello_due_ = true;   // read by the reader only
  std::atomic<bool> usable_{true};
  std::atomic<bool> answered_{false};
  bool closed_ = false;
  absl::Status close_status_;

  Role role_ = Role::kHeld;  // by whoever will call Open()
  Waiter* first_waiter_ = nullptr;
  Waiter* last_waiter_ = nullptr;
  Waiter* reading_waiter_ = nullptr;
  bool dispatching_ = false;    // the lock's holder is the reader
  int64_t last_batch_ns_ = 0;   // the reader's: when the pool last came to read
  int heat_ = 0;                // how often in a row that was soon after the time before
  int soon_ = 0;                // the reading waiter's: how many results in a row came soon
  bool receiving_ = false;      // it sleeps in the receive call
  Spinner spinner_;             // the reader's
  int64_t waits_since_ns_ = 0;  // the reader's
  bool kept_frame_ = false;
  FrameCopy copy_;  // the reader's
  int unattended_ = 0;
  UniqueFd interrupt_;  // wakes the reading waiter
  std::condition_variable hello_;
  int hello_waiters_ = 0;

  bool need_flush_ = false;
  size_t unflushed_ = 0;      // bytes committed since the last flush
  uint64_t unseen_from_ = 0;  // calls that begin here in the order of starting were not flushed, if sending has failed
  bool send_blocked_ = false;
  bool has_room_ = false;  // send_blocked_, by a flush: the endpoint may take more frames
  bool send_failed_ = false;
  bool hello_stuck_ = false;  // of a serving side: nothing is read before it is out
  SendWatch send_watch_ = SendWatch::kNone;

  uint64_t frames_ = 0;  // consumed
  std::shared_ptr<PeerWatch> peer_watch_;
  std::shared_ptr<Pool::Source> source_;
  std::unique_ptr<Resume> resume_;
  std::array<int64_t, 3> receive_keys_{-1, -1, -1};
  std::array<uint32_t, 3> receive_events_{};
  std::array<int64_t, 3> send_keys_{-1, -1, -1};
  std::array<UniqueFd, 3> send_fds_;  // duplicates: an epoll takes a descriptor once
  std::array<uint32_t, 3> send_events_{};
  int death_fd_ = -1;
  int64_t death_key_ = -1;
  bool registered_ = false;
  bool send_registered_ = false;
  bool connecting_receive_ = false;  // what is registered are the descriptors of an endpoint that was connecting
  bool connecting_send_ = false;
};

template <class Write>
bool Connection::SendNowLocked(SessionCall* call, UnitKind unit, absl::string_view block, size_t message_size,
                               Write&& write) {
  const size_t size = kFrameHeaderSize + block.size() + message_size;
  if ((send_blocked_ && !has_room_) || send_failed_ || size > max_frame_ || !session_.CanSend(*call, unit.kind))
    return false;
  absl::Span<char> space;
  if (endpoint_->Reserve(size, &space) != Io::kOk) return false;
  session_.Sent(call, unit, block.size(), message_size, space.data());
  CopyBytes(space.data() + kFrameHeaderSize, block.data(), block.size());
  write(space.data() + kFrameHeaderSize + block.size());
  CommitLocked(size);
  return true;
}

}  // namespace internal
}  // namespace nearcall

#endif  // NEARCALL_RPC_RUNTIME_CONNECTION_H_
