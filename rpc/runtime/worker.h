// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// Worker: a thread of a pool, and what it owes: the reader role that it keeps while it runs a handler known to be very
// short, and the output that it has not flushed yet. Owed is paid at the end of the thread's turn; or when the thread
// is about to block; or, should user code take its time, by the pool's monitor within a millisecond.
//
//   Turn turn(&connection);                         // a read batch, or a run of callbacks (null)
//   ... if (worker.OweFlush(connection)) ...        // in place of a flush
//   worker.EnterUserCode(true);                     // keeps the reader role
//   handler();
//   if (!worker.LeaveUserCode()) return;            // the role was passed on meanwhile
//                                                   // ~Turn pays
//
// Thread safety: Look() is the monitor's, everything else is the worker's own. Lock order: a worker's lock is
// innermost; creditors are paid without it.
#ifndef NEARCALL_RPC_RUNTIME_WORKER_H_
#define NEARCALL_RPC_RUNTIME_WORKER_H_

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <utility>

#include "nearcall/rpc/runtime/fork_guard.h"

namespace nearcall::internal {

class Pool;

// To whom a worker owes a flush, and maybe the reader role: a connection.
class Creditor {
 public:
  virtual std::shared_ptr<Creditor> Share() = 0;
  virtual void Settle(bool pass_role) = 0;  // flushes too; takes the creditor's lock

 protected:
  ~Creditor() = default;
};

class Worker {
 public:
  explicit Worker(Pool* pool);  // of the calling thread
  ~Worker();
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  static Worker* Current();     // null: the thread is no pool's
  static void ForgetCurrent();  // in a forked child
  Pool& pool() const { return *pool_; }

  // ---- what is owed
  bool in_turn() const { return in_turn_; }
  // True: `creditor` will be flushed at the end of the turn at the latest. False: no turn, or it was settled already,
  // or nobody would pay in the worker's stead: flush now. Called under the creditor's lock.
  bool OweFlush(Creditor* creditor);
  // Whether a flush to the connection that the turn reads is worth putting off: more of its frames are here.
  void PutOffFlushes(bool put_off) { put_off_ = put_off; }
  // Whether a flush is owed to the connection that the turn reads; from here on the caller owes it.
  bool TakeReadingFlush() { return std::exchange(reading_flush_, false); }
  void PayFlushes();  // the turn goes on
  void PayIfOld();    // between two pieces of user code: what was written does not wait for many of them
  void Settle();      // before blocking: also passes on a role that is kept; nothing more is owed in this turn

  // ---- user code runs between the two
  // `keep_role`: the turn's reader role is kept meanwhile; LeaveUserCode() says whether it still is.
  void EnterUserCode(bool keep_role);
  bool LeaveUserCode();
  void NextUserCode() {  // one piece after the other
    if (generation_ != ForkGuard::generation()) ForkGuard::EndChild();
    entered_.store(entered_.load(std::memory_order_relaxed) + 1);
  }
  bool MayKeepRole();      // whether anybody would look after it
  bool was_short() const;  // of the last piece of user code

  // ---- a pinned worker sleeps in its connection's receive call, and does not count among the pool's threads
  bool Pin();  // false: the pool has as many as it takes
  void Unpin();

  // ---- the monitor's
  struct Debt {
    std::shared_ptr<Creditor> reading;
    bool role = false;
    std::array<std::shared_ptr<Creditor>, 4> flush;
    void Pay();
  };
  // Whether the worker is in the same piece of user code as at the last look; what it owes is then the caller's.
  bool Look(Debt* debt);
  uint64_t entered() const { return entered_.load(); }  // pieces of user code so far

 private:
  friend class Turn;
  enum class Where { kOutside, kUserCode, kUserCodeWithRole };

  bool TakeRole();
  void TakeFlushesLocked(Debt* debt);

  Pool* const pool_;
  const uint32_t generation_ = ForkGuard::generation();
  bool in_turn_ = false;
  bool pinned_ = false;
  bool reading_flush_ = false;
  bool put_off_ = false;
  int64_t entered_ns_ = 0;
  int64_t left_ns_ = 0;
  int64_t owing_since_ns_ = 0;  // the first user code after the last payment

  std::atomic<bool> open_{false};              // the turn takes debts
  std::atomic<Where> where_{Where::kOutside};  // whoever moves it from kUserCodeWithRole has the role
  std::atomic<uint64_t> entered_{0};           // written by the worker only
  std::atomic<bool> owes_others_{false};

  std::mutex mutex_;             // of what follows
  Creditor* reading_ = nullptr;  // whose role the worker has in this turn; alive until the turn's end
  uint64_t last_look_ = 0;
  size_t flush_count_ = 0;
  std::array<std::shared_ptr<Creditor>, 4> flush_;  // others
};

// A turn of the calling thread, if it is a pool's and not in one already.
class Turn {
 public:
  explicit Turn(Creditor* reading);  // may be null
  ~Turn();
  Turn(const Turn&) = delete;
  Turn& operator=(const Turn&) = delete;
  Worker* worker() const { return worker_; }  // null: nothing can be owed

 private:
  Worker* worker_;
};

}  // namespace nearcall::internal

#endif  // NEARCALL_RPC_RUNTIME_WORKER_H_
