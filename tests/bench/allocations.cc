// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
#include "nearcall/tests/bench/allocations.h"

#include <errno.h>

#include <atomic>
#include <cstddef>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define NEARCALL_BENCH_OWN_MALLOC 0
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || __has_feature(memory_sanitizer)
#define NEARCALL_BENCH_OWN_MALLOC 0
#else
#define NEARCALL_BENCH_OWN_MALLOC 1
#endif
#else
#define NEARCALL_BENCH_OWN_MALLOC 1
#endif

namespace nearcall::bench {
namespace {

std::atomic<bool> counting{false};
std::atomic<int64_t> count{0};

#if NEARCALL_BENCH_OWN_MALLOC
inline void CountOne() {
  if (counting.load(std::memory_order_relaxed)) count.fetch_add(1, std::memory_order_relaxed);
}
#endif

}  // namespace

bool CanCountAllocations() { return NEARCALL_BENCH_OWN_MALLOC; }

void StartCountingAllocations() {
  count.store(0);
  counting.store(true);
}

int64_t StopCountingAllocations() {
  counting.store(false);
  return count.load();
}

}  // namespace nearcall::bench

#if NEARCALL_BENCH_OWN_MALLOC
// glibc's own names for what is interposed; memory may be freed by glibc's free, which stays in place.
extern "C" {
void* __libc_malloc(size_t size);
void* __libc_calloc(size_t count, size_t size);
void* __libc_realloc(void* block, size_t size);
void* __libc_memalign(size_t alignment, size_t size);

void* malloc(size_t size) {
  nearcall::bench::CountOne();
  return __libc_malloc(size);
}
void* calloc(size_t count, size_t size) {
  nearcall::bench::CountOne();
  return __libc_calloc(count, size);
}
void* realloc(void* block, size_t size) {
  nearcall::bench::CountOne();
  return __libc_realloc(block, size);
}
void* memalign(size_t alignment, size_t size) {
  nearcall::bench::CountOne();
  return __libc_memalign(alignment, size);
}
void* aligned_alloc(size_t alignment, size_t size) {
  nearcall::bench::CountOne();
  return __libc_memalign(alignment, size);
}
int posix_memalign(void** block, size_t alignment, size_t size) {
  nearcall::bench::CountOne();
  void* const made = __libc_memalign(alignment, size);
  if (made == nullptr) return ENOMEM;
  *block = made;
  return 0;
}
}
#endif
