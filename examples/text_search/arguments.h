// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// Arguments: a command line, taken apart: options are asked for by name, what then is left are the words.
//
//   Arguments arguments(argc, argv);
//   const std::string root = arguments.Value("--root").value_or(".");  // --root=DIR or --root DIR
//   const bool count = arguments.Flag("--count");
//   absl::StatusOr<std::vector<std::string>> words = arguments.Words();
//
// After "--" all is words. Of a value given twice the last counts. Thread safety: a value. Errors: Words() tells of an
// option that nobody asked for, of one without its value, and of a value that is not what it should be.
#ifndef NEARCALL_EXAMPLES_TEXT_SEARCH_ARGUMENTS_H_
#define NEARCALL_EXAMPLES_TEXT_SEARCH_ARGUMENTS_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace text_search {

class Arguments {
 public:
  Arguments(int argc, char** argv) : open_(argv + 1, argv + argc) {
    const auto end = std::find(open_.begin(), open_.end(), "--");
    if (end == open_.end()) return;
    closed_.assign(end + 1, open_.end());
    open_.erase(end, open_.end());
  }

  bool Flag(absl::string_view name) {
    const auto end = std::remove(open_.begin(), open_.end(), std::string(name));
    const bool found = end != open_.end();
    open_.erase(end, open_.end());
    return found;
  }

  std::optional<std::string> Value(absl::string_view name) {
    std::optional<std::string> value;
    for (size_t i = 0; i < open_.size();) {
      const auto here = open_.begin() + static_cast<std::ptrdiff_t>(i);
      if (absl::StartsWith(*here, absl::StrCat(name, "="))) {
        value = here->substr(name.size() + 1);
        open_.erase(here);
      } else if (*here != name) {
        ++i;
      } else if (here + 1 == open_.end()) {
        Complain(absl::StrCat(name, " needs a value"));
        open_.erase(here);
      } else {
        value = here[1];
        open_.erase(here, here + 2);
      }
    }
    return value;
  }

  // A number up to `most`; where `bytes`, with K, M or G for 1024 and its powers. `otherwise` where it is not given.
  uint64_t Number(absl::string_view name, uint64_t otherwise, bool bytes = false,
                  uint64_t most = std::numeric_limits<uint64_t>::max()) {
    const std::optional<std::string> text = Value(name);
    if (!text.has_value()) return otherwise;
    std::string digits = *text;
    int shift = 0;
    const size_t unit = bytes && !digits.empty() ? absl::string_view("KMG").find(digits.back()) : std::string::npos;
    if (unit != std::string::npos) {
      shift = 10 * (static_cast<int>(unit) + 1);
      digits.pop_back();
    }
    uint64_t number = 0;
    if (!absl::SimpleAtoi(digits, &number) || number > most >> shift) {
      Complain(
          absl::StrCat(name, ": \"", *text, "\" is not a number from 0 to ", most, bytes ? ", or as 64K or 16M" : ""));
      return otherwise;
    }
    return number << shift;
  }

  absl::StatusOr<std::vector<std::string>> Words() {
    for (const std::string& word : open_) {
      if (word.size() > 1 && word[0] == '-') Complain(absl::StrCat(word, ": there is no such option"));
    }
    if (!wrong_.ok()) return wrong_;
    std::vector<std::string> words = std::move(open_);
    words.insert(words.end(), closed_.begin(), closed_.end());
    return words;
  }

 private:
  void Complain(const std::string& what) { wrong_.Update(absl::InvalidArgumentError(what)); }

  std::vector<std::string> open_;    // before "--"
  std::vector<std::string> closed_;  // after it
  absl::Status wrong_;               // the first thing that was
};

}  // namespace text_search

#endif  // NEARCALL_EXAMPLES_TEXT_SEARCH_ARGUMENTS_H_
