// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// Connection: whether the peer still lives, by asking it (keepalive). A dead peer is seen without it; this is for one
// that is stopped or hangs. While calls are under way a timer looks whether frames have come; no frame for a while: a
// ping; none after that either: the connection is closed. Without calls there is no timer.
#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "nearcall/rpc/runtime/connection.h"

namespace nearcall::internal {
namespace {

// Before the verdict: this process may itself have been stopped, and what has come meanwhile is read first.
constexpr int64_t kLastLookNs = 100'000'000;

}  // namespace

// The timer keeps it, not the connection.
class Connection::PeerWatch final : public Pool::Timer, public std::enable_shared_from_this<PeerWatch> {
 public:
  void StartLocked(const std::shared_ptr<Connection>& connection) {
    if (kept_ != nullptr) return;
    connection_ = connection;
    step_ = Step::kLook;
    frames_ = connection->frames_;
    kept_ = shared_from_this();
    After(*connection, connection->options_.keepalive_ns);
  }

  void Stop(Pool& pool) {
    if (pool.Cancel(this)) kept_ = nullptr;  // else it runs right now, and finds the connection gone
  }

  void OnTimer() override {
    const std::shared_ptr<PeerWatch> self = kept_;
    const std::shared_ptr<Connection> connection = connection_.lock();
    if (connection == nullptr) {
      kept_ = nullptr;
      return;
    }
    std::lock_guard<std::mutex> lock(connection->mutex_);
    LookLocked(*connection);
  }

 private:
  enum class Step { kLook, kPinged, kLastLook };

  void After(Connection& connection, int64_t ns) {
    const int64_t now_ns = MonotonicNanos();
    connection.pool().Schedule(this, ns > kNoDeadline - now_ns ? kNoDeadline : now_ns + ns);
  }

  void LookLocked(Connection& connection) {
    const bool calls = connection.session_.own_calls() + connection.session_.peer_calls() > 0;
    if (connection.closed_ || !calls || connection.frames_ != frames_) {
      frames_ = connection.frames_;
      if (step_ != Step::kLook) connection.RemoveUnattendedLocked();
      step_ = Step::kLook;
      if (connection.closed_ || !calls) {
        kept_ = nullptr;
      } else {
        After(connection, connection.options_.keepalive_ns);
      }
      return;
    }
    const int64_t timeout_ns = connection.options_.keepalive_timeout_ns;
    if (step_ == Step::kLook) {
      step_ = Step::kPinged;
      connection.AddUnattendedLocked();  // the answer is read even if nobody waits for a call
      connection.session_.Ping(0);
      connection.PumpLocked();
      connection.FlushLocked();
      After(connection, timeout_ns);
    } else if (step_ == Step::kPinged) {
      step_ = Step::kLastLook;
      After(connection, std::min(timeout_ns, kLastLookNs));
    } else {
      connection.RemoveUnattendedLocked();
      kept_ = nullptr;
      connection.CloseLocked(absl::UnavailableError(absl::StrCat(
          "the peer has sent nothing for ", absl::FormatDuration(absl::Nanoseconds(connection.options_.keepalive_ns)),
          " and has not answered a ping within ", absl::FormatDuration(absl::Nanoseconds(timeout_ns)),
          ": it is stopped or hangs")));
    }
  }

  std::weak_ptr<Connection> connection_;
  std::shared_ptr<PeerWatch> kept_;  // while the timer is scheduled; the rest too is guarded by the connection's lock
  Step step_ = Step::kLook;
  uint64_t frames_ = 0;
};

void Connection::StartWatchingLocked() {
  if (peer_watch_ == nullptr) peer_watch_ = std::make_shared<PeerWatch>();
  peer_watch_->StartLocked(shared_from_this());
}

void Connection::StopWatching() { peer_watch_->Stop(pool()); }

}  // namespace nearcall::internal
