// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// SharedWord: a number in memory that a hostile peer may rewrite at any instant. Every such number is read through it.
//
//   OneLook look;                               // one operation: from here to the end of the scope
//   const uint64_t head = words->head.Load();   // once; then check and use the copy, never the word again
//
// Built with NEARCALL_CHECK_SHARED_LOADS (tests), a second Load() of the same word within one OneLook aborts; otherwise
// OneLook is nothing. All operations are sequentially consistent: sleeping and waking rely on "store mine, then load
// yours", and stand-alone fences are invisible to TSan.
//
// Thread safety: any thread, any process. Lifetime: that of the mapping. Errors: none; whatever is read may be a lie.
#ifndef NEARCALL_TRANSPORTS_RING_SHARED_WORD_H_
#define NEARCALL_TRANSPORTS_RING_SHARED_WORD_H_

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstdlib>

namespace nearcall::internal {

#ifdef NEARCALL_CHECK_SHARED_LOADS
class OneLook {
 public:
  OneLook() : outer_(current_) { current_ = this; }
  ~OneLook() { current_ = outer_; }
  OneLook(const OneLook&) = delete;
  OneLook& operator=(const OneLook&) = delete;

  // Outside of any look nothing may be loaded either.
  static void Note(const void* word) {
    if (current_ == nullptr || current_->count_ == current_->seen_.size()) std::abort();
    for (size_t i = 0; i < current_->count_; ++i) {
      if (current_->seen_[i] == word) std::abort();
    }
    current_->seen_[current_->count_++] = word;
  }

 private:
  static inline thread_local OneLook* current_ = nullptr;
  OneLook* const outer_;
  std::array<const void*, 16> seen_;
  size_t count_ = 0;
};
#else
class OneLook {
 public:
  OneLook() {}  // not defaulted: an unused variable of a trivial type would be warned of
  static void Note(const void*) {}
};
#endif

// Where one process holds both ends, its two mappings of a word are two memories to TSan, which then misses the order
// that the word gives. In its builds a second word, in memory that it sees, goes before each store and after each load;
// it is found by the place within the page, which is the same in both mappings.
#if defined(__SANITIZE_THREAD__)
#define NEARCALL_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define NEARCALL_TSAN 1
#endif
#endif
#ifdef NEARCALL_TSAN
inline std::atomic<uint32_t> words_for_tsan[512];
inline void BeforeStore(const void* word) {
  words_for_tsan[reinterpret_cast<uintptr_t>(word) % 4096 / 8].fetch_add(1, std::memory_order_release);
}
inline void AfterLoad(const void* word) {
  static_cast<void>(words_for_tsan[reinterpret_cast<uintptr_t>(word) % 4096 / 8].load(std::memory_order_acquire));
}
#else
inline void BeforeStore(const void*) {}
inline void AfterLoad(const void*) {}
#endif

template <class T>
class SharedWord {
 public:
  T Load() const {
    OneLook::Note(this);
    const T value = value_.load();
    AfterLoad(this);
    return value;
  }
  void Store(T value) {
    BeforeStore(this);
    value_.store(value);
  }
  // For what a later Store() of another word publishes.
  void StoreUnordered(T value) { value_.store(value, std::memory_order_relaxed); }
  // True: it was `from` and is `to` now. What it was otherwise is not told, so this is not a look.
  bool Change(T from, T to) {
    BeforeStore(this);
    const bool changed = value_.compare_exchange_strong(from, to);
    AfterLoad(this);
    return changed;
  }

  void* address() { return &value_; }

 private:
  std::atomic<T> value_;
  static_assert(std::atomic<T>::is_always_lock_free && sizeof(std::atomic<T>) == sizeof(T));
};

}  // namespace nearcall::internal

#endif  // NEARCALL_TRANSPORTS_RING_SHARED_WORD_H_
