// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0

#ifndef NEARCALL_CODEGEN_COMMENTS_H_
#define NEARCALL_CODEGEN_COMMENTS_H_

#include <string>
#include <vector>

namespace nearcall::codegen {

// The text of a .proto comment as lines that may stand after "// ": no line ends in a backslash (or the trigraph for
// one), which would swallow the next line; no control character, no bidirectional control, no broken UTF-8.
// Empty lines at both ends and blanks at line ends go, common indentation goes.
std::vector<std::string> CommentLines(const std::string& text);

}  // namespace nearcall::codegen

#endif  // NEARCALL_CODEGEN_COMMENTS_H_
