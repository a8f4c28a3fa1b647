// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0

#include "nearcall/codegen/text.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

namespace nearcall::codegen {
namespace {

const std::string& Find(const Text::Values& values, const char* begin, const char* end) {
  for (const Text::Value& value : values) {
    if (std::strlen(value.name) == static_cast<size_t>(end - begin) && std::equal(begin, end, value.name)) {
      return value.text;
    }
  }
  std::abort();  // a template of ours names a value it was not given; no input leads here
}

}  // namespace

void Text::Add(const char* lines, const Values& values) {
  const char* end = lines + std::strlen(lines);
  while (lines < end) {
    const char* line_end = std::find(lines, end, '\n');
    AddLine(lines, line_end, values);
    lines = line_end + 1;
  }
}

void Text::AddLine(const char* begin, const char* end, const Values& values) {
  // Preprocessor lines and empty lines are not indented.
  if (begin != end && *begin != '#') text_.append(indent_, ' ');
  while (begin < end) {
    const char* dollar = std::find(begin, end, '$');
    text_.append(begin, dollar);
    if (dollar == end) break;
    const char* close = std::find(dollar + 1, end, '$');
    text_ += Find(values, dollar + 1, close);
    begin = close + 1;
  }
  text_ += '\n';
}

void Text::AddParameters(const std::string& begin, const std::vector<std::string>& parameters, const std::string& end) {
  constexpr size_t kMaxLine = 120;
  std::string all;
  for (const std::string& parameter : parameters) all += (all.empty() ? "" : ", ") + parameter;
  if (indent_ + begin.size() + all.size() + end.size() <= kMaxLine) {
    Add("$line$\n", {{"line", begin + all + end}});
    return;
  }
  Add("$begin$\n", {{"begin", begin}});
  if (indent_ + 4 + all.size() + end.size() <= kMaxLine) {
    Add("    $line$\n", {{"line", all + end}});
    return;
  }
  for (const std::string& parameter : parameters) {
    bool last = &parameter == &parameters.back();
    Add("    $line$\n", {{"line", parameter + (last ? end : ",")}});
  }
}

void Text::AddComment(const std::vector<std::string>& lines) {
  for (const std::string& line : lines) {
    text_.append(indent_, ' ');
    text_ += line.empty() ? "//" : "// " + line;
    text_ += '\n';
  }
}

}  // namespace nearcall::codegen
