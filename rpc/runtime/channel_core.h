// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// ChannelCore: what the copies of a Channel share: the address, the connection in use, the stock of call objects and
// the executor of callbacks.
//
// A connection is made when a call needs one, on the calling thread: connecting locally is one system call. Calls that
// wait for a server stand, queued, on a connection that is not open yet. It is opened when the transport's watch tells
// that a server has come; where there is nothing to watch (no watch, or there is a server but it ends connections
// before its hello) a timer tries, with a jittered backoff of 1 to 25 ms. Thread safety: all of it. Lock order: after a
// connection's lock (Recycle), and never held while taking one.
#ifndef NEARCALL_RPC_RUNTIME_CHANNEL_CORE_H_
#define NEARCALL_RPC_RUNTIME_CHANNEL_CORE_H_

#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "nearcall/rpc/channel.h"
#include "nearcall/rpc/runtime/client_call.h"
#include "nearcall/rpc/runtime/connection.h"
#include "nearcall/rpc/runtime/strand.h"
#include "nearcall/transports/api/address.h"

namespace nearcall::internal {

class ChannelCore final : public std::enable_shared_from_this<ChannelCore>, private Pool::Timer {
 public:
  ChannelCore(Address address, std::shared_ptr<Transport> transport, std::shared_ptr<Pool> pool,
              ChannelOptions options);
  ~ChannelCore() override;

  const std::string& address() const { return text_; }
  const std::vector<std::shared_ptr<ClientInterceptor>>& interceptors() const { return options_.interceptors_; }

  // Says that somebody will wait on the connection that Acquire(true) gives: until then the timer can't know it.
  class Wanter {
   public:
    explicit Wanter(ChannelCore& channel) : channel_(channel) { ++channel_.wanters_; }
    ~Wanter() { --channel_.wanters_; }
    Wanter(const Wanter&) = delete;
    Wanter& operator=(const Wanter&) = delete;

   private:
    ChannelCore& channel_;
  };

  // A connection for a call. Null: there is none, *why says why (UNAVAILABLE, PERMISSION_DENIED, ...). With kWait and
  // kWaitALittle it may be one that is not open yet; with the latter it is, unless one is in use: for a call that has
  // come back again and again. REQUIRES: with those two, a Wanter, until the call stands on the connection.
  enum class Want { kNow, kWait, kWaitALittle };
  std::shared_ptr<Connection> Acquire(Want want, absl::Status* why);
  // One that is never open: where calls stand that failed before they had one.
  std::shared_ptr<Connection> NoConnection();

  // And the connection in use, if there is one that is open: what Acquire() would give.
  ClientCall* NewCall(std::shared_ptr<Connection>* open);
  void Recycle(ClientCall* call);
  void PostCallback(Runnable* run);

  bool WaitForConnected(absl::Duration timeout);
  std::string transport();

 private:
  class WatchSource;

  absl::Status TryOpen(const std::shared_ptr<Connection>& connection);
  std::shared_ptr<Connection> OpenLocked(std::unique_lock<std::mutex>& lock, bool wait, absl::Status* why);
  bool ArmWatchLocked(const absl::Status& why);
  void DropWatchLocked();
  void ScheduleLocked();
  void TryAgain();
  void OnTimer() override;
  void OnWatch();
  std::shared_ptr<Connection> MakeConnection() const;

  const Address address_;
  const std::string text_;
  const std::shared_ptr<Transport> transport_;
  const std::shared_ptr<Pool> pool_;
  const ChannelOptions options_;
  const std::shared_ptr<Strand> callbacks_;

  std::atomic<int> wanters_{0};
  std::mutex mutex_;
  std::condition_variable opened_;
  std::shared_ptr<Connection> connection_;
  std::shared_ptr<Connection> no_connection_;
  bool open_ = false;       // connection_ has its endpoint
  bool opening_ = false;    // a thread is opening it
  bool scheduled_ = false;  // the timer is to try; it keeps the channel meanwhile
  std::shared_ptr<ChannelCore> kept_;
  std::unique_ptr<ServerWatch> watch_;
  int64_t watch_key_ = -1;
  bool watching_ = false;  // the watch is to tell
  int failures_ = 0;       // in a row: nobody there, or gone before its hello
  ClientCall* free_ = nullptr;
  int free_count_ = 0;
};

}  // namespace nearcall::internal

#endif  // NEARCALL_RPC_RUNTIME_CHANNEL_CORE_H_
