// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// SessionWorld: two sessions wired back to back through a medium that holds frames, with owners for their calls, and a
// watch over what the sessions promise: at most one status for each call, messages in order and equal, no event after
// the end, pending bytes within bounds, records that fit together. Property tests, the fuzzer and the soak drive it.
//
//   SessionWorld world({}, &coverage);
//   world.NewCall(0, {.with_message = true, .message = 100});
//   world.Plan(0, 4096); world.Deliver(0);          // one frame onto the medium, one frame off it
//   world.Settle();                                 // to the end of all calls
//   EXPECT_EQ(world.failure(), "");
//
// Side 0 connects, side 1 accepts. While nothing was injected, dropped or corrupted the world is *clean*: then a
// violation is a failure too, and every byte is compared. Not thread-safe.
#ifndef NEARCALL_TESTS_SESSION_SESSION_WORLD_H_
#define NEARCALL_TESTS_SESSION_SESSION_WORLD_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "nearcall/rpc/session/session.h"
#include "nearcall/tests/session/session_inspector.h"

namespace nearcall::internal {

class SessionWorld {
 public:
  struct Options {
    SessionOptions side[2];
    size_t max_calls = 2000;  // that have an owner, of each side
  };
  struct Content {  // of a unit
    bool with_message = false;
    bool direct = false;  // by Sent() if CanSend(), else queued
    size_t message = 0;
    size_t metadata = 0;
  };

  SessionWorld(const Options& options, SessionCoverage* coverage);
  ~SessionWorld();

  const std::string& failure() const { return failure_; }  // the first broken promise; empty: none
  bool clean() const { return clean_; }
  bool dead(int side) const { return sides_[side].dead; }
  Session& session(int side) { return *sides_[side].session; }

  // ---- the medium
  bool Plan(int side, size_t max_frame);  // one frame of `side` onto the medium; false: it has none
  bool Deliver(int side);                 // the oldest frame that `side` sent reaches the other; false: there is none
  bool Drop(int side);                    // it is lost
  bool Corrupt(int side, size_t position, uint8_t bits);
  void Inject(int side, absl::Span<const char> frame);  // `side` receives it, whoever made it
  size_t InFlight(int side) const { return sides_[side].medium.size(); }
  void Advance(int64_t nanoseconds) { now_ns_ += nanoseconds; }
  // Sees each frame that reaches a side.
  std::function<void(int side, const std::string& frame)> on_frame;

  // ---- the owners. `which` picks among those that can, counted round; false: none can.
  bool NewCall(int side, const Content& content);
  bool SendMessage(int side, size_t which, const Content& content);
  bool SendInitialMetadata(int side, size_t which, const Content& content);
  bool HalfClose(int side, size_t which);
  bool Finish(int side, size_t which, int code, const Content& content);
  bool Cancel(int side, size_t which);
  bool Release(int side, size_t which);
  bool TakeMessage(int side, size_t which);
  void Ping(int side, uint64_t value);
  void StartDrain(int side);
  uint32_t LiveId(int side, bool own, size_t which) const;  // 0: none

  // Finishes and releases whatever is open, and lets all frames through. Clean: nothing may remain.
  void Settle();
  // The connection is gone: ForEachCall(), and every owner hears of it once.
  void Lose();

 private:
  struct Message {
    size_t size;
    uint8_t seed;
  };
  struct Conversation {  // what both sides of a clean world's call have said
    std::deque<Message> to_server, to_client;
    bool served = false;
    bool finished = false;  // by the server
    int code = 0;
    size_t metadata = 0;
    size_t trailing = 0;
  };
  struct Party {  // the owner of a record
    SessionCall* call = nullptr;
    bool own = false;
    bool over = false;
    bool sent_call = false, half_closed = false, sent_initial = false, sent_message = false, sent_status = false;
    bool cancelled = false, refused = false, remote_closed = false;
    std::deque<size_t> unread;
    std::shared_ptr<Conversation> conversation;
  };
  struct SideState {
    std::unique_ptr<Session> session;
    std::deque<std::string> medium;  // sent by this side
    std::vector<std::unique_ptr<Party>> parties;
    uint64_t max_pending = 0;
    uint64_t max_message = 0;
    bool dead = false;
    int farewells = 0;
  };

  void Fail(const std::string& what);
  void Look(int side);
  template <class F>
  Party* Pick(int side, size_t which, F can) const;
  bool Send(int side, Party* party, UnitKind unit, std::string block, const Content& content);
  void Receive(int side, const std::string& frame);
  void OnEvent(int side, SessionEvent* event);
  void OnCall(int side, SessionEvent* event);
  void OnMessage(Party* party, SessionEvent* event);
  void OnStatus(Party* party, SessionEvent* event);
  void OnTooLarge(Party* party);
  void CheckMessage(std::deque<Message>* expected, absl::Span<const char> message);
  Party* PartyOf(int side, SessionCall* call, const char* event);
  void TakeNotStarted(int side);
  void Forget(int side, Party* party);
  bool SettleOnce(int side);

  std::string failure_;
  bool clean_ = true;
  int64_t now_ns_ = 1'000'000'000;
  const size_t max_calls_;
  uint64_t calls_ = 0;
  uint8_t seed_ = 0;
  SessionCoverage* coverage_;
  SideState sides_[2];
  std::map<uint64_t, std::shared_ptr<Conversation>> conversations_;
};

}  // namespace nearcall::internal

#endif  // NEARCALL_TESTS_SESSION_SESSION_WORLD_H_
