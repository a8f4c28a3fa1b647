// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// What this machine costs by itself, so that a noisy or unusual one is visible beside the figures: a cache line's round
// trip between two spinning threads, and the round trip of two threads that wake each other through eventfds.
// Rows of peer "machine", in microseconds per round trip. Thread safety: none.
#ifndef NEARCALL_TESTS_BENCH_DETECTOR_H_
#define NEARCALL_TESTS_BENCH_DETECTOR_H_

#include <string>
#include <vector>

#include "nearcall/tests/bench/report.h"

namespace nearcall::bench {

std::vector<Row> DetectMachine();  // a quarter of a second
std::string DetectorLine(const std::vector<Row>& rows);

}  // namespace nearcall::bench

#endif  // NEARCALL_TESTS_BENCH_DETECTOR_H_
