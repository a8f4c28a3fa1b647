// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// CallList: an intrusive list of call records, threaded through one of their Links members; a record is in at most one
// list per member. Nothing is allocated. Not thread-safe: the session's lock.
#ifndef NEARCALL_RPC_SESSION_CALL_LIST_H_
#define NEARCALL_RPC_SESSION_CALL_LIST_H_

namespace nearcall::internal {

template <class T>
struct Links {
  T* previous = nullptr;
  T* next = nullptr;
  const void* list = nullptr;  // the list it is in
};

template <class T, Links<T> T::*kLinks>
class CallList {
 public:
  CallList() = default;
  CallList(const CallList&) = delete;
  CallList& operator=(const CallList&) = delete;

  bool empty() const { return head_ == nullptr; }
  T* front() const { return head_; }
  static T* Next(const T* item) { return (item->*kLinks).next; }
  bool Contains(const T* item) const { return (item->*kLinks).list == this; }

  void PushBack(T* item) {  // REQUIRES: in no list
    Links<T>& links = item->*kLinks;
    links.list = this;
    links.previous = tail_;
    links.next = nullptr;
    (tail_ == nullptr ? head_ : (tail_->*kLinks).next) = item;
    tail_ = item;
  }
  void Remove(T* item) {  // REQUIRES: Contains(item)
    Links<T>& links = item->*kLinks;
    (links.previous == nullptr ? head_ : (links.previous->*kLinks).next) = links.next;
    (links.next == nullptr ? tail_ : (links.next->*kLinks).previous) = links.previous;
    links.list = nullptr;
  }
  void RemoveIfIn(T* item) {
    if (Contains(item)) Remove(item);
  }

 private:
  T* head_ = nullptr;
  T* tail_ = nullptr;
};

}  // namespace nearcall::internal

#endif  // NEARCALL_RPC_SESSION_CALL_LIST_H_
