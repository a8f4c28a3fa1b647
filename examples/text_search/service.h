// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// SearchService: text_search.v1.TextSearch on a tree, in blocking style.
//
//   SearchService search(*std::move(tree));
//   server.AddService(&search);
//
// Thread safety: as of any service. Lifetime: outlives its server. Errors: INVALID_ARGUMENT for a pattern that cannot
// be looked for.
#ifndef NEARCALL_EXAMPLES_TEXT_SEARCH_SERVICE_H_
#define NEARCALL_EXAMPLES_TEXT_SEARCH_SERVICE_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <utility>

#include "nearcall/examples/text_search/tree.h"
#include "text_search.nearcall.h"

namespace text_search {

class SearchService final : public v1::TextSearch::Service {
 public:
  static constexpr size_t kLongestPattern = 4096;

  explicit SearchService(Tree tree) : tree_(std::move(tree)) {}

  absl::Status Search(nearcall::ServerContext& context, const v1::SearchRequest& request,
                      nearcall::ServerWriter<v1::Match>& matches) override;
  absl::StatusOr<v1::StatsReply> Stats(nearcall::ServerContext& context, const v1::StatsRequest& request) override;

 private:
  const Tree tree_;
  std::atomic<uint64_t> begun_{0};
  std::atomic<uint64_t> ended_{0};
  std::atomic<uint64_t> cut_short_{0};
};

}  // namespace text_search

#endif  // NEARCALL_EXAMPLES_TEXT_SEARCH_SERVICE_H_
