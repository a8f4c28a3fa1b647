// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// IdTable finds the live call of an id. Ids come and go in order, millions of them, a few at a time: open addressing
// with deletion by shifting back, so that there are no tombstones and no rehash in the steady state; it only grows. A
// peer that chooses its ids so that they collide makes a lookup as long as the calls it may have open, no more.
#ifndef NEARCALL_RPC_SESSION_ID_TABLE_H_
#define NEARCALL_RPC_SESSION_ID_TABLE_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>

namespace nearcall::internal {

class SessionCall;

class IdTable {
 public:
  IdTable() : slots_(new Slot[kFirstSize]), mask_(kFirstSize - 1) {}

  SessionCall* Find(uint32_t id) const {  // null: none
    for (size_t i = Home(id);; i = Next(i)) {
      if (slots_[i].id == id) return slots_[i].call;
      if (slots_[i].id == 0) return nullptr;
    }
  }

  void Insert(uint32_t id, SessionCall* call) {  // REQUIRES: id is not 0 and not there
    if (size_ * 2 >= mask_) Grow();
    size_t i = Home(id);
    while (slots_[i].id != 0) i = Next(i);
    slots_[i] = {id, call};
    ++size_;
  }

  void Erase(uint32_t id) {  // REQUIRES: it is there
    size_t hole = Home(id);
    while (slots_[hole].id != id) hole = Next(hole);
    for (size_t i = Next(hole); slots_[i].id != 0; i = Next(i)) {
      // What stands behind the hole moves into it, unless that is before its home.
      const size_t from_home = (i - Home(slots_[i].id)) & mask_;
      const size_t from_hole = (i - hole) & mask_;
      if (from_home < from_hole) continue;
      slots_[hole] = slots_[i];
      hole = i;
    }
    slots_[hole] = {};
    --size_;
  }

  size_t size() const { return size_; }
  template <class F>
  void ForEach(F function) const {
    for (size_t i = 0; i <= mask_; ++i) {
      if (slots_[i].id != 0) function(slots_[i].id, slots_[i].call);
    }
  }

 private:
  struct Slot {
    uint32_t id = 0;
    SessionCall* call = nullptr;
  };
  size_t Home(uint32_t id) const { return (id ^ (id >> 31)) & mask_; }
  size_t Next(size_t i) const { return (i + 1) & mask_; }
  void Grow() {
    const size_t old_size = mask_ + 1;
    const std::unique_ptr<Slot[]> old = std::exchange(slots_, std::unique_ptr<Slot[]>(new Slot[old_size * 2]));
    mask_ = old_size * 2 - 1;
    size_ = 0;
    for (size_t i = 0; i < old_size; ++i) {
      if (old[i].id != 0) Insert(old[i].id, old[i].call);
    }
  }

  static constexpr size_t kFirstSize = 64;  // a power of two, as all sizes
  std::unique_ptr<Slot[]> slots_;
  size_t mask_;
  size_t size_ = 0;
};

}  // namespace nearcall::internal

#endif  // NEARCALL_RPC_SESSION_ID_TABLE_H_
