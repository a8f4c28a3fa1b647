// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
#include "nearcall/examples/text_search/service.h"

#include <string>

#include "absl/strings/str_cat.h"

namespace text_search {
namespace {

absl::Status CheckPattern(const std::string& pattern) {
  if (pattern.empty()) return absl::InvalidArgumentError("the pattern is empty");
  if (pattern.size() > SearchService::kLongestPattern) {
    return absl::InvalidArgumentError(
        absl::StrCat("the pattern has ", pattern.size(), " bytes; the limit is ", SearchService::kLongestPattern));
  }
  if (pattern.find('\n') != std::string::npos) {
    return absl::InvalidArgumentError("the pattern has a line break; lines are searched one by one");
  }
  return absl::OkStatus();
}

void Copy(const NamedCount& from, v1::Named& to) {
  to.set_count(from.count);
  for (const std::string& name : from.first) to.add_first(name);
}

}  // namespace

absl::Status SearchService::Search(nearcall::ServerContext& context, const v1::SearchRequest& request,
                                   nearcall::ServerWriter<v1::Match>& matches) {
  if (absl::Status status = CheckPattern(request.pattern()); !status.ok()) return status;
  ++begun_;
  const Query query{request.pattern(), request.ignore_case()};
  v1::Match match;
  bool wanted = true;
  for (const Index::FileId file : tree_.index.Candidates(query)) {
    match.set_path(tree_.index.path(file));
    // Write() blocks while the client is behind, and says false once it wants no more. A search that finds nothing
    // writes nothing, so it asks from time to time.
    wanted = !context.IsCancelled() && tree_.index.SearchFile(file, query, [&](const Hit& hit) {
      match.set_line(hit.line);
      match.set_text(hit.text.data(), hit.text.size());
      return matches.Write(match);
    });
    if (!wanted) break;
  }
  if (!wanted) ++cut_short_;
  ++ended_;
  return absl::OkStatus();  // of a search that was cut short, nobody hears this
}

absl::StatusOr<v1::StatsReply> SearchService::Stats(nearcall::ServerContext&, const v1::StatsRequest&) {
  v1::StatsReply reply;
  reply.set_files(tree_.index.files());
  reply.set_lines(tree_.index.lines());
  reply.set_bytes(tree_.index.bytes());
  reply.set_trigrams(tree_.index.trigrams());
  v1::LeftOut& left_out = *reply.mutable_left_out();
  left_out.set_binary(tree_.left_out.binary);
  left_out.set_git_folders(tree_.left_out.git_folders);
  left_out.set_symlinks(tree_.left_out.symlinks);
  left_out.set_special(tree_.left_out.special);
  Copy(tree_.left_out.too_large, *left_out.mutable_too_large());
  Copy(tree_.left_out.unreadable, *left_out.mutable_unreadable());
  reply.set_searches_begun(begun_);
  reply.set_searches_ended(ended_);
  reply.set_searches_cut_short(cut_short_);
  return reply;
}

}  // namespace text_search
