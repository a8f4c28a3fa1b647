// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
#include "nearcall/examples/text_search/patterns.h"

#include <algorithm>
#include <array>
#include <bitset>
#include <cstddef>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"

namespace text_search {
namespace {

constexpr size_t kShortestWord = 3;
constexpr size_t kLongestWord = 32;
constexpr size_t kOddSize = 8;

// Calls `use` with each line of each file.
template <class Use>
void ForEachLine(const Index& index, Use use) {
  for (size_t file = 0; file < index.files(); ++file) {
    const absl::string_view text = index.text(static_cast<Index::FileId>(file));
    for (const absl::string_view line : absl::StrSplit(text, '\n')) use(line);
  }
}

// The byte that is on most lines: too short for the index, and with the most to stream.
std::string MostFrequentByte(const Index& index) {
  std::array<size_t, 256> lines{};
  ForEachLine(index, [&](absl::string_view line) {
    std::bitset<256> there;
    for (const char c : line) there.set(static_cast<unsigned char>(c));
    for (size_t byte = 0; byte < lines.size(); ++byte) lines[byte] += there[byte] ? 1 : 0;
  });
  const auto most = std::max_element(lines.begin(), lines.end());
  return *most == 0 ? "" : std::string(1, static_cast<char>(most - lines.begin()));
}

struct Words {
  std::string frequent;
  std::string rare;  // the longest of those that come least often
};

Words ChooseWords(const Index& index) {
  absl::flat_hash_map<absl::string_view, size_t> counts;
  ForEachLine(index, [&](absl::string_view line) {
    for (size_t begin = 0; begin < line.size();) {
      size_t end = begin;
      while (end < line.size() && absl::ascii_isalnum(static_cast<unsigned char>(line[end]))) ++end;
      if (end - begin >= kShortestWord && end - begin <= kLongestWord) ++counts[line.substr(begin, end - begin)];
      begin = end + 1;
    }
  });
  // By count, then length, then the bytes: the hash map's own order must not show.
  const auto rarer = [](const auto& a, const auto& b) {
    if (a.second != b.second) return a.second < b.second;
    if (a.first.size() != b.first.size()) return a.first.size() > b.first.size();
    return a.first < b.first;
  };
  if (counts.empty()) return {};
  const auto [rare, frequent] = std::minmax_element(counts.begin(), counts.end(), rarer);
  return {std::string(frequent->first), std::string(rare->first)};
}

// The piece of a line with the most different bytes that are neither letter, digit nor blank.
std::string MostOddPiece(const Index& index) {
  absl::string_view oddest;
  size_t most = 0;
  ForEachLine(index, [&](absl::string_view line) {
    for (size_t begin = 0; begin + kOddSize <= line.size(); ++begin) {
      const absl::string_view piece = line.substr(begin, kOddSize);
      std::bitset<256> odd;
      for (const char c : piece) {
        if (!absl::ascii_isalnum(static_cast<unsigned char>(c)) && c != ' ') odd.set(static_cast<unsigned char>(c));
      }
      if (odd.count() <= most) continue;
      most = odd.count();
      oddest = piece;
    }
  });
  return std::string(oddest);
}

bool IsFound(const Index& index, const Query& query) {
  for (const Index::FileId file : index.Candidates(query)) {
    if (!index.SearchFile(file, query, [](const Hit&) { return false; })) return true;
  }
  return false;
}

}  // namespace

std::vector<Pattern> ChoosePatterns(const Index& index) {
  const Words words = ChooseWords(index);
  // All its trigrams are in the tree, as far as they can be: the index alone does not answer.
  std::string absent = absl::StrCat(words.rare, words.frequent, words.rare);
  do {
    absent += '~';
  } while (IsFound(index, Query{absent, false}));
  std::vector<Pattern> patterns = {{"byte", MostFrequentByte(index)},
                                   {"frequent", words.frequent},
                                   {"rare", words.rare},
                                   {"odd", MostOddPiece(index)},
                                   {"absent", absent}};
  patterns.erase(std::remove_if(patterns.begin(), patterns.end(), [](const Pattern& p) { return p.text.empty(); }),
                 patterns.end());
  return patterns;
}

}  // namespace text_search
