// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// Index: texts kept in memory, and which of them hold which three bytes in a row (trigrams).
//
//   Index index;
//   index.Add("a.txt", "one\ntwo\n");
//   const Query query{"two", false};
//   for (Index::FileId file : index.Candidates(query)) {
//     index.SearchFile(file, query, [](const Hit& hit) { return Use(hit.line, hit.text); });
//   }
//
// A pattern of three bytes or more can only be in files that hold all its trigrams; those alone are looked through. A
// shorter one is looked for everywhere. Trigrams are kept with ASCII letters folded, so that both kinds of search use
// them. Memory: the texts; 4 bytes for each file and different trigram in it; 2 MiB.
// Thread safety: Add() alone, then const functions from any thread. Lifetime: a Hit's text is the index's. Errors:
// none; an empty pattern, and one with a line break, is found nowhere.
#ifndef NEARCALL_EXAMPLES_TEXT_SEARCH_INDEX_H_
#define NEARCALL_EXAMPLES_TEXT_SEARCH_INDEX_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/functional/function_ref.h"
#include "absl/strings/string_view.h"

namespace text_search {

struct Query {
  std::string pattern;
  bool ignore_case = false;  // of ASCII letters
};

struct Hit {
  size_t line;             // from 1
  absl::string_view text;  // the whole line, without '\n'
};

class Index {
 public:
  using FileId = uint32_t;

  FileId Add(std::string path, std::string text);

  size_t files() const { return files_.size(); }
  size_t lines() const { return lines_; }
  size_t bytes() const { return bytes_; }
  size_t trigrams() const { return holders_.size(); }
  const std::string& path(FileId file) const { return files_[file].path; }
  const std::string& text(FileId file) const { return files_[file].text; }

  // The files that may hold the pattern, in the order of Add().
  std::vector<FileId> Candidates(const Query& query) const;
  // Each line of the file that holds the pattern, in order, until `use` says false. False: it did.
  bool SearchFile(FileId file, const Query& query, absl::FunctionRef<bool(const Hit&)> use) const;

 private:
  struct File {
    std::string path;
    std::string text;
  };

  std::vector<File> files_;
  size_t lines_ = 0;
  size_t bytes_ = 0;
  absl::flat_hash_map<uint32_t, std::vector<FileId>> holders_;   // by trigram; ascending
  std::vector<bool> seen_ = std::vector<bool>(size_t{1} << 24);  // trigrams of the file that Add() reads; else empty
};

}  // namespace text_search

#endif  // NEARCALL_EXAMPLES_TEXT_SEARCH_INDEX_H_
