// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// JsonField: a member of a JSON object whose value is a string of bytes.
//
//   JsonField("path", "a.txt")   // "path":"a.txt"
//   JsonField("path", "\xff")    // "path_base64":"/w=="
//
// JSON is UTF-8; what is not goes in base64, under a name that says so: nothing is lost. Thread safety: a pure
// function. Errors: none.
#ifndef NEARCALL_EXAMPLES_TEXT_SEARCH_JSON_H_
#define NEARCALL_EXAMPLES_TEXT_SEARCH_JSON_H_

#include <string>

#include "absl/strings/string_view.h"

namespace text_search {

std::string JsonField(absl::string_view name, absl::string_view bytes);

}  // namespace text_search

#endif  // NEARCALL_EXAMPLES_TEXT_SEARCH_JSON_H_
