// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
#include "nearcall/examples/text_search/index.h"

#include <string.h>

#include <algorithm>
#include <iterator>
#include <numeric>
#include <utility>

namespace text_search {
namespace {

unsigned char Folded(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return byte >= 'A' && byte <= 'Z' ? byte + ('a' - 'A') : byte;
}

// Calls `use` with each trigram of the text that lies within one line: no pattern has a line break.
template <class Use>
void ForEachTrigram(absl::string_view text, Use use) {
  uint32_t trigram = 0;
  int length = 0;
  for (const char c : text) {
    length = c == '\n' ? 0 : length + 1;
    trigram = (trigram << 8 | Folded(c)) & 0xffffff;
    if (length >= 3) use(trigram);
  }
}

// Where the pattern begins in [begin, end), else `end`.
const char* Find(const char* begin, const char* end, const Query& query) {
  const std::string& pattern = query.pattern;
  if (query.ignore_case) {
    return std::search(begin, end, pattern.begin(), pattern.end(),
                       [](char a, char b) { return Folded(a) == Folded(b); });
  }
  const void* found = ::memmem(begin, static_cast<size_t>(end - begin), pattern.data(), pattern.size());
  return found == nullptr ? end : static_cast<const char*>(found);
}

bool CanBeFound(const Query& query) { return !query.pattern.empty() && query.pattern.find('\n') == std::string::npos; }

}  // namespace

Index::FileId Index::Add(std::string path, std::string text) {
  const auto file = static_cast<FileId>(files_.size());
  std::vector<uint32_t> trigrams;
  ForEachTrigram(text, [&](uint32_t trigram) {
    if (seen_[trigram]) return;
    seen_[trigram] = true;
    trigrams.push_back(trigram);
  });
  for (const uint32_t trigram : trigrams) {
    holders_[trigram].push_back(file);
    seen_[trigram] = false;
  }
  lines_ += static_cast<size_t>(std::count(text.begin(), text.end(), '\n'));
  if (!text.empty() && text.back() != '\n') ++lines_;
  bytes_ += text.size();
  files_.push_back({std::move(path), std::move(text)});
  return file;
}

std::vector<Index::FileId> Index::Candidates(const Query& query) const {
  if (!CanBeFound(query)) return {};
  std::vector<const std::vector<FileId>*> lists;
  bool missing = false;
  ForEachTrigram(query.pattern, [&](uint32_t trigram) {
    const auto found = holders_.find(trigram);
    if (found == holders_.end()) {
      missing = true;
    } else {
      lists.push_back(&found->second);
    }
  });
  if (missing) return {};
  std::vector<FileId> files;
  if (lists.empty()) {
    files.resize(files_.size());
    std::iota(files.begin(), files.end(), FileId{0});
    return files;
  }
  // The shortest first: what is left to compare is never longer than it.
  std::sort(lists.begin(), lists.end(), [](const auto* a, const auto* b) { return a->size() < b->size(); });
  files = *lists.front();
  std::vector<FileId> both;
  for (size_t i = 1; i < lists.size() && !files.empty(); ++i) {
    if (lists[i] == lists[i - 1]) continue;
    both.clear();
    std::set_intersection(files.begin(), files.end(), lists[i]->begin(), lists[i]->end(), std::back_inserter(both));
    files.swap(both);
  }
  return files;
}

bool Index::SearchFile(FileId file, const Query& query, absl::FunctionRef<bool(const Hit&)> use) const {
  if (!CanBeFound(query)) return true;
  const std::string& text = files_[file].text;
  const char* const end = text.data() + text.size();
  size_t line = 1;
  for (const char* at = text.data(); at < end;) {  // at the beginning of `line`
    const char* const found = Find(at, end, query);
    if (found == end) break;
    line += static_cast<size_t>(std::count(at, found, '\n'));
    const void* const before = ::memrchr(at, '\n', static_cast<size_t>(found - at));
    const char* const begin = before == nullptr ? at : static_cast<const char*>(before) + 1;
    const char* const stop = std::find(found, end, '\n');
    if (!use(Hit{line, absl::string_view(begin, static_cast<size_t>(stop - begin))})) return false;
    if (stop == end) break;
    at = stop + 1;
    ++line;
  }
  return true;
}

}  // namespace text_search
