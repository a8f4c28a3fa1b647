// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// Lane: one direction of an in-process connection, a bounded queue of frames in memory. Frames are written and read in
// place; memory is a few segments, reused, so a steady exchange allocates nothing.
//
//   char* place = lane.Reserve(5);  memcpy(place, "hello", 5);  lane.Commit(5);  lane.Flush();
//   if (lane.Borrow(&bytes) == Lane::Got::kFrame) { Use(bytes); lane.Release(); }
//
// Thread safety: one sender and one receiver at a time (see Endpoint), each end's Close from any thread.
// Lifetime: shared by both ends.
#ifndef NEARCALL_TRANSPORTS_IN_PROCESS_LANE_H_
#define NEARCALL_TRANSPORTS_IN_PROCESS_LANE_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

#include "absl/types/span.h"
#include "nearcall/transports/api/unique_fd.h"

namespace nearcall::internal {

// A sleeper's alarm: an eventfd that is rung only while armed, and once. Guarded by its lane's mutex.
class Alarm {
 public:
  int fd() const { return event_.get(); }
  bool Create();  // once; false and errno where there is no descriptor left
  void Arm() { armed_ = true; }
  void Ring();    // if armed
  void Disarm();  // and swallow the ring

 private:
  UniqueFd event_;
  bool armed_ = false;
  bool rung_ = false;
};

class Lane {
 public:
  enum class Got { kFrame, kNothing, kEnd };  // kEnd: an end has closed, and the last frame was delivered

  static constexpr size_t kMaxFrame = 64 * 1024;

  Lane() = default;
  Lane(const Lane&) = delete;
  Lane& operator=(const Lane&) = delete;

  // Before anything else; false and errno where there is no descriptor left. (Senders seldom sleep: their descriptor is
  // made at first need.)
  bool Create();

  // Sender. Reserve: null while the lane is full. Commit takes what was last reserved.
  char* Reserve(size_t size);
  bool CanCommit(size_t size) const;
  void Commit(size_t size);
  void Flush();

  // Receiver.
  Got Borrow(absl::Span<const char>* bytes);
  void Release();
  bool HasFrame() const;  // REQUIRES: none is borrowed

  // As Endpoint's Arm and Disarm.
  bool ArmReceiver();
  void DisarmReceiver();
  bool ArmSender();
  void DisarmSender();
  int receiver_fd() const { return receiver_.fd(); }
  int sender_fd();  // -1 where none could be made; the lane has then ended

  bool ended() const;
  int error() const;  // errno of what ended it, 0: an end has closed
  // One of the ends has closed: nothing more is sent, frames flushed before are still delivered; wakes both.
  void End();

 private:
  struct Segment {
    std::unique_ptr<char[]> data;
    size_t capacity = 0;
    size_t written = 0;  // committed
    size_t read = 0;     // released
  };

  void NewSegment(size_t need);
  bool CreateSenderAlarm();
  void EndLocked();
  bool HasSpace() const { return used_ + kFrameSpace <= kLimit; }

  static constexpr size_t kHeader = 16;
  static constexpr size_t kFrameSpace = kHeader + kMaxFrame;
  static constexpr size_t kLimit = 4 * kFrameSpace;  // of bytes committed and not yet released

  mutable std::mutex mutex_;
  std::vector<Segment> segments_;  // the first is read, the last is written
  Segment spare_;
  size_t used_ = 0;
  size_t committed_ = 0;  // frames not yet flushed
  size_t visible_ = 0;    // frames flushed and not yet released
  size_t reserved_ = SIZE_MAX;
  bool borrowed_ = false;
  bool ended_ = false;
  int error_ = 0;
  Alarm receiver_;
  Alarm sender_;
};

}  // namespace nearcall::internal

#endif  // NEARCALL_TRANSPORTS_IN_PROCESS_LANE_H_
