// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// Counts heap allocations of this process: its malloc, calloc, realloc and aligned kin (operator new uses them) are
// interposed in the benchmark's binary. Counting is off but between Start and Stop, so that it costs timed runs
// nothing.
//
//   StartCountingAllocations(); ...; int64_t count = StopCountingAllocations();
//
// Thread safety: the count is of all threads. Not with sanitizers, which have their own malloc.
#ifndef NEARCALL_TESTS_BENCH_ALLOCATIONS_H_
#define NEARCALL_TESTS_BENCH_ALLOCATIONS_H_

#include <cstdint>

namespace nearcall::bench {

bool CanCountAllocations();
void StartCountingAllocations();
int64_t StopCountingAllocations();

}  // namespace nearcall::bench

#endif  // NEARCALL_TESTS_BENCH_ALLOCATIONS_H_
