// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// LoadTree: reads a directory tree's text files into an index.
//
//   absl::StatusOr<Tree> tree = LoadTree(".", TreeLimits());
//   if (!tree.ok()) return nearcall::ExitWith(tree.status());
//
// It takes what `grep -rI --exclude-dir=.git` looks through: regular files without a NUL byte; links within the tree
// are not followed, folders named .git not entered. Files come in the order of their paths, byte by byte. What is left
// out is counted, and named where it could surprise.
// Thread safety: none shared. Lifetime: the tree is a copy; later changes of the files do not show. Errors: NOT_FOUND,
// INVALID_ARGUMENT or PERMISSION_DENIED, of the root; RESOURCE_EXHAUSTED, naming the limit, for a tree over one.
#ifndef NEARCALL_EXAMPLES_TEXT_SEARCH_TREE_H_
#define NEARCALL_EXAMPLES_TEXT_SEARCH_TREE_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "nearcall/examples/text_search/index.h"

namespace text_search {

// A line is at most a file long, and each line is sent as one message: clients accept messages of this size.
inline constexpr size_t kLargestFile = size_t{64} << 20;

struct TreeLimits {
  size_t file_bytes = size_t{16} << 20;    // a larger file is left out; at most kLargestFile
  size_t total_bytes = size_t{512} << 20;  // a larger tree is an error
  size_t files = 500'000;                  // so is one of more files
};

// How many there were, and the first of them by name.
struct NamedCount {
  static constexpr size_t kNamed = 20;
  void Add(std::string name) {
    if (++count <= kNamed) first.push_back(std::move(name));
  }
  uint64_t count = 0;
  std::vector<std::string> first;  // "path: reason"
};

struct LeftOut {
  uint64_t binary = 0;
  uint64_t git_folders = 0;
  uint64_t symlinks = 0;
  uint64_t special = 0;  // sockets, FIFOs, devices
  NamedCount too_large;
  NamedCount unreadable;  // files and folders
};

struct Tree {
  Index index;
  LeftOut left_out;
};

absl::StatusOr<Tree> LoadTree(const std::string& root, const TreeLimits& limits);

}  // namespace text_search

#endif  // NEARCALL_EXAMPLES_TEXT_SEARCH_TREE_H_
