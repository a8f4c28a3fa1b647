// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// ChoosePatterns: what the demo looks for in a tree that it does not know.
//
//   for (const Pattern& pattern : ChoosePatterns(tree.index)) Search(pattern.text);
//
// Of a tree with text: a byte that is on most lines, a word that is on most, one that is on few, something of many odd
// characters; and always something that is in no file. The same tree gives the same patterns. Thread safety: a pure
// function. Errors: none; a tree that has no such thing gives fewer patterns.
#ifndef NEARCALL_EXAMPLES_TEXT_SEARCH_PATTERNS_H_
#define NEARCALL_EXAMPLES_TEXT_SEARCH_PATTERNS_H_

#include <string>
#include <vector>

#include "nearcall/examples/text_search/index.h"

namespace text_search {

struct Pattern {
  std::string kind;  // "byte", "frequent", "rare", "odd", "absent"
  std::string text;
};

std::vector<Pattern> ChoosePatterns(const Index& index);

}  // namespace text_search

#endif  // NEARCALL_EXAMPLES_TEXT_SEARCH_PATTERNS_H_
