// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// The figures by which a transport is chosen: one line for each, for docs/transports.md. They are written by
// `bench --update FILE`, between two lines of the file that say so, and never by hand.
//
//   if (WantedFor(kind, workload)) ...                                    // is it one of them?
//   absl::Status status = CheckFigures("docs/transports.md");             // before it takes minutes
//   status = UpdateFigures("docs/transports.md", FiguresText(rows, options));
//
// Thread safety: none. Errors name the file and the line that it lacks.
#ifndef NEARCALL_TESTS_BENCH_FIGURES_H_
#define NEARCALL_TESTS_BENCH_FIGURES_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "nearcall/tests/bench/measure.h"
#include "nearcall/tests/bench/peer.h"
#include "nearcall/tests/bench/report.h"

namespace nearcall::bench {

inline constexpr size_t kLargePayload = 1 << 20;
inline constexpr char kFiguresBegin[] = "<!-- figures: written by ./dev bench --update; not by hand -->";
inline constexpr char kFiguresEnd[] = "<!-- end of the figures -->";

bool WantedFor(const PeerKind& kind, const Workload& workload);
// A table in Markdown and a sentence that says when and where it was measured. A figure that has no row is "-".
std::string FiguresText(const std::vector<Row>& rows, const RoundOptions& options);
absl::Status CheckFigures(const std::string& path);  // also that there are two cores
absl::Status UpdateFigures(const std::string& path, const std::string& text);

}  // namespace nearcall::bench

#endif  // NEARCALL_TESTS_BENCH_FIGURES_H_
