// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
#include "nearcall/transports/ring/ring.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"

namespace nearcall::internal {
namespace {

constexpr uint32_t kFrameRecord = 0;
constexpr uint32_t kPadRecord = 1;

constexpr uint64_t RecordSize(uint64_t payload) {
  return kRecordHeader + (payload + kRingAlign - 1) / kRingAlign * kRingAlign;
}

// Length and kind as one word, so that both are of the same instant.
SharedWord<uint64_t>& HeaderAt(char* place) { return *reinterpret_cast<SharedWord<uint64_t>*>(place); }
const SharedWord<uint64_t>& HeaderAt(const char* place) {
  return *reinterpret_cast<const SharedWord<uint64_t>*>(place);
}
uint64_t Header(uint64_t length, uint32_t kind) { return length | uint64_t{kind} << 32; }

}  // namespace

Sleep TakeSleeper(SharedWord<uint32_t>& word) {
  const uint32_t how = word.Load();
  // Cleared only if it still says so: a sleeper that has slept again meanwhile has looked again first.
  if (how == static_cast<uint32_t>(Sleep::kAwake) || !word.Change(how, static_cast<uint32_t>(Sleep::kAwake))) {
    return Sleep::kAwake;
  }
  return how == static_cast<uint32_t>(Sleep::kFutex) ? Sleep::kFutex : Sleep::kPolls;
}

// ---- producer

RingWriter::RingWriter(RingWords* words, char* bytes, size_t capacity)
    : words_(words), bytes_(bytes), capacity_(capacity) {}

RingWriter::Room RingWriter::Reserve(size_t size, absl::Span<char>* space) {
  const size_t at = committed_ & (capacity_ - 1);
  const uint64_t need = RecordSize(size);
  const size_t pad = at + need > capacity_ ? capacity_ - at : 0;
  reserved_ = kNothing;
  if (!Fits(pad + need)) {
    const Room room = LookForRoom(pad + need);
    if (room != Room::kYes) return room;
  }
  wanted_ = 0;
  pad_ = pad;
  reserved_ = size;
  *space = {bytes_ + (pad == 0 ? at : 0) + kRecordHeader, size};
  return Room::kYes;
}

RingWriter::Room RingWriter::LookForRoom(uint64_t need) {
  OneLook look;
  const uint64_t tail = words_->tail.Load();
  // From tail_ to what the consumer has been given; a tail that goes back wraps to something huge.
  if (tail - tail_ > published_ - tail_ || tail % kRingAlign != 0) {
    problem_ = absl::StrCat("the peer says that it has read up to ", tail, "; that must lie between ", tail_, " and ",
                            published_);
    return Room::kViolation;
  }
  tail_ = tail;
  wanted_ = need;
  return Fits(need) ? Room::kYes : Room::kNo;
}

void RingWriter::Commit(size_t size) {
  char* const at = bytes_ + (committed_ & (capacity_ - 1));
  if (pad_ != 0) HeaderAt(at).StoreUnordered(Header(pad_ - kRecordHeader, kPadRecord));
  char* const record = pad_ == 0 ? at : bytes_;
  HeaderAt(record).StoreUnordered(Header(size, kFrameRecord));
  committed_ += pad_ + RecordSize(size);
  reserved_ = kNothing;
}

Sleep RingWriter::Publish() {
  OneLook look;
  published_ = committed_;
  words_->head.Store(published_);
  return TakeSleeper(words_->consumer_sleeps);
}

bool RingWriter::Arm() {
  if (wanted_ == 0) return false;
  words_->producer_sleeps.Store(static_cast<uint32_t>(Sleep::kPolls));
  OneLook look;
  const uint64_t tail = words_->tail.Load();
  const bool wrong = tail - tail_ > published_ - tail_;
  if (!wrong && committed_ - tail + wanted_ > capacity_) return true;
  Disarm();
  return false;
}

// ---- consumer

RingReader::RingReader(RingWords* words, const char* bytes, size_t capacity, size_t max_frame)
    : words_(words), bytes_(bytes), capacity_(capacity), max_frame_(max_frame) {}

RingReader::Found RingReader::Violation(std::string text) {
  problem_ = std::move(text);
  return Found::kViolation;
}

RingReader::Found RingReader::Borrow(absl::Span<const char>* frame) {
  if (borrowed_ != 0) {
    *frame = frame_;
    return Found::kFrame;
  }
  OneLook look;
  if (tail_ == head_) {
    const uint64_t head = words_->head.Load();
    if (head - tail_ > capacity_ || head % kRingAlign != 0) {
      return Violation(absl::StrCat("the peer says that it has written up to ", head, "; that must be a multiple of ",
                                    kRingAlign, " between ", tail_, " and ", tail_ + capacity_));
    }
    head_ = head;
  }
  // A pad and its frame. A peer that sends pads alone is not worth more than this.
  Found found = Found::kNothing;
  for (int records = 0; records < 2 && found == Found::kNothing && tail_ != head_; ++records) found = TakeRecord(frame);
  return found;
}

// kNothing: it was a pad. REQUIRES: tail_ != head_.
RingReader::Found RingReader::TakeRecord(absl::Span<const char>* frame) {
  const size_t at = tail_ & (capacity_ - 1);
  const uint64_t header = HeaderAt(bytes_ + at).Load();
  const uint64_t length = header & 0xffffffffu;
  const uint64_t kind = header >> 32;
  const uint64_t there = std::min<uint64_t>(head_ - tail_, capacity_ - at);
  if (kind == kPadRecord) {
    if (kRecordHeader + length != capacity_ - at || kRecordHeader + length > there) {
      return Violation(absl::StrCat("a pad of ", length, " bytes at ", at, " does not reach to the end of the ring"));
    }
    tail_ += kRecordHeader + length;
    return Found::kNothing;
  }
  if (kind != kFrameRecord) return Violation(absl::StrCat("a record is of kind ", kind, ", which does not exist"));
  if (length > max_frame_) {
    return Violation(absl::StrCat("the peer announced a frame of ", length, " bytes; the limit is ", max_frame_));
  }
  if (RecordSize(length) > there) {
    return Violation(absl::StrCat("a frame of ", length, " bytes at ", at,
                                  " ends after what was published, or after the ", "end of the ring"));
  }
  borrowed_ = RecordSize(length);
  frame_ = {bytes_ + at + kRecordHeader, static_cast<size_t>(length)};
  *frame = frame_;
  return Found::kFrame;
}

Sleep RingReader::Release() {
  tail_ += borrowed_;
  borrowed_ = 0;
  // Each return costs the producer a cache line: a quarter of the ring at a time is soon enough.
  return tail_ - returned_ >= capacity_ / 4 ? Return() : Sleep::kAwake;
}

Sleep RingReader::Return() {
  OneLook look;
  returned_ = tail_;
  words_->tail.Store(returned_);
  return TakeSleeper(words_->producer_sleeps);
}

bool RingReader::Look() {
  if (tail_ != head_) return true;
  OneLook look;
  return words_->head.Load() != tail_;
}

bool RingReader::Arm(Sleep how) {
  words_->consumer_sleeps.Store(static_cast<uint32_t>(how));
  if (!Look()) return true;
  Disarm();
  return false;
}

}  // namespace nearcall::internal
