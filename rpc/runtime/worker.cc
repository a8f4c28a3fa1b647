// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
#include "nearcall/rpc/runtime/worker.h"

#include "nearcall/rpc/runtime/pool.h"
#include "nearcall/transports/api/clock.h"

namespace nearcall::internal {
namespace {

thread_local Worker* current_worker = nullptr;

constexpr int64_t kShortNs = 20'000;  // user code that is worth keeping the reader role for
constexpr int64_t kOldNs = 50'000;    // what is owed for so long is paid between two pieces of user code

}  // namespace

Worker::Worker(Pool* pool) : pool_(pool) { current_worker = this; }
Worker::~Worker() { current_worker = nullptr; }

Worker* Worker::Current() { return current_worker; }
void Worker::ForgetCurrent() { current_worker = nullptr; }

// ---- what is owed

bool Worker::OweFlush(Creditor* creditor) {
  if (!in_turn_ || !open_.load(std::memory_order_relaxed)) return false;
  if (creditor == reading_) {  // written by this thread only; put off only while the role is kept, so monitored
    reading_flush_ = put_off_;
    return put_off_;
  }
  if (!pool_->monitor_active()) return false;  // nobody would pay if user code blocks
  std::lock_guard<std::mutex> lock(mutex_);
  if (!open_.load(std::memory_order_relaxed)) return false;  // the monitor has looked meanwhile
  for (size_t i = 0; i < flush_count_; ++i) {
    if (flush_[i].get() == creditor) return true;
  }
  if (flush_count_ == flush_.size()) return false;
  flush_[flush_count_++] = creditor->Share();
  owes_others_.store(true, std::memory_order_relaxed);
  return true;
}

bool Worker::TakeRole() {
  Where with_role = Where::kUserCodeWithRole;
  return where_.compare_exchange_strong(with_role, Where::kUserCode);
}

void Worker::TakeFlushesLocked(Debt* debt) {
  for (size_t i = 0; i < flush_count_; ++i) debt->flush[i] = std::move(flush_[i]);
  flush_count_ = 0;
  owes_others_.store(false, std::memory_order_relaxed);
}

void Worker::Debt::Pay() {
  if (reading != nullptr) reading->Settle(role);
  for (std::shared_ptr<Creditor>& creditor : flush) {
    if (creditor != nullptr) creditor->Settle(false);
  }
}

void Worker::PayFlushes() {
  owing_since_ns_ = 0;
  if (TakeReadingFlush()) reading_->Settle(false);
  if (!owes_others_.load(std::memory_order_relaxed)) return;
  Debt debt;
  {
    std::lock_guard<std::mutex> lock(mutex_);
    TakeFlushesLocked(&debt);
  }
  debt.Pay();
}

void Worker::PayIfOld() {
  if (left_ns_ - owing_since_ns_ >= kOldNs) PayFlushes();
}

void Worker::Settle() {
  if (!in_turn_) return;
  open_.store(false, std::memory_order_relaxed);
  if (TakeRole()) {
    reading_flush_ = false;
    reading_->Settle(true);
  }
  PayFlushes();
  Unpin();
}

// ---- user code

bool Worker::MayKeepRole() { return in_turn_ && open_.load(std::memory_order_relaxed) && pool_->Monitored(); }
bool Worker::was_short() const { return left_ns_ - entered_ns_ < kShortNs; }

void Worker::EnterUserCode(bool keep_role) {
  entered_ns_ = MonotonicNanos();
  if (owing_since_ns_ == 0) owing_since_ns_ = entered_ns_;
  NextUserCode();
  where_.store(keep_role ? Where::kUserCodeWithRole : Where::kUserCode);
  pool_->UserCodeEntered();
}

bool Worker::LeaveUserCode() {
  if (generation_ != ForkGuard::generation()) ForkGuard::EndChild();
  pool_->UserCodeLeft();
  left_ns_ = MonotonicNanos();
  return where_.exchange(Where::kOutside) == Where::kUserCodeWithRole;
}

// ---- pins

bool Worker::Pin() {
  if (!pinned_) pinned_ = pool_->Pin();
  return pinned_;
}

void Worker::Unpin() {
  if (std::exchange(pinned_, false)) pool_->Unpin();
}

// ---- the monitor's

bool Worker::Look(Debt* debt) {
  std::lock_guard<std::mutex> lock(mutex_);  // the turn, and so what it reads, does not end meanwhile
  const uint64_t entered = entered_.load();
  const bool stuck = where_.load() != Where::kOutside && entered == last_look_;
  last_look_ = entered;
  if (!stuck) return false;
  open_.store(false, std::memory_order_relaxed);
  debt->role = TakeRole();
  if (reading_ != nullptr) debt->reading = reading_->Share();  // what is not flushed there is flushed, whoever owes it
  TakeFlushesLocked(debt);
  return true;
}

// ---- turns

Turn::Turn(Creditor* reading) : worker_(Worker::Current()) {
  if (worker_ == nullptr) return;
  if (worker_->in_turn_) {
    worker_ = nullptr;
    return;
  }
  worker_->in_turn_ = true;
  worker_->owing_since_ns_ = 0;
  worker_->put_off_ = false;
  std::lock_guard<std::mutex> lock(worker_->mutex_);
  worker_->open_.store(true, std::memory_order_relaxed);
  worker_->reading_ = reading;
}

Turn::~Turn() {
  if (worker_ == nullptr) return;
  worker_->PayFlushes();
  worker_->Unpin();
  worker_->in_turn_ = false;
  std::lock_guard<std::mutex> lock(worker_->mutex_);
  worker_->open_.store(false, std::memory_order_relaxed);
  worker_->reading_ = nullptr;
}

}  // namespace nearcall::internal
