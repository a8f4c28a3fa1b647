// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0

#include "nearcall/codegen/comments.h"

#include <algorithm>
#include <cstdio>
#include <string>
#include <vector>

namespace nearcall::codegen {
namespace {

// Length of the UTF-8 character at text[at] and its code point; 0 if it is not one.
int DecodeUtf8(const std::string& text, size_t at, unsigned& point) {
  auto byte = [&](size_t i) -> unsigned { return i < text.size() ? static_cast<unsigned char>(text[i]) : 0; };
  unsigned first = byte(at);
  int length = first < 0x80 ? 1 : (first >> 5) == 6 ? 2 : (first >> 4) == 14 ? 3 : (first >> 3) == 30 ? 4 : 0;
  if (length == 0) return 0;
  point = length == 1 ? first : first & (0xFFu >> (length + 1));
  for (int i = 1; i < length; ++i) {
    unsigned next = byte(at + i);
    if ((next & 0xC0) != 0x80) return 0;
    point = point << 6 | (next & 0x3F);
  }
  constexpr unsigned kSmallest[] = {0, 0, 0x80, 0x800, 0x10000};
  bool valid = point >= kSmallest[length] && point <= 0x10FFFF && !(point >= 0xD800 && point <= 0xDFFF);
  return valid ? length : 0;
}

// Characters that reorder what a reader sees; compilers warn of them.
bool IsInvisibleControl(unsigned point) {
  return (point < 0x20 && point != '\t') || (point >= 0x7F && point < 0xA0) || point == 0x200E || point == 0x200F ||
         point == 0x061C || (point >= 0x2028 && point <= 0x202E) || (point >= 0x2066 && point <= 0x2069);
}

std::string CleanCharacters(const std::string& line) {
  std::string clean;
  for (size_t at = 0; at < line.size();) {
    unsigned point = 0;
    int length = DecodeUtf8(line, at, point);
    if (length == 0) {
      clean += '?';
      ++at;
      continue;
    }
    if (IsInvisibleControl(point)) {
      char shown[16];
      std::snprintf(shown, sizeof(shown), "<U+%04X>", point);
      clean += shown;
    } else if (point == '\t') {
      clean += "  ";
    } else {
      clean.append(line, at, length);
    }
    at += length;
  }
  return clean;
}

bool EndsWith(const std::string& line, const std::string& end) {
  return line.size() >= end.size() && line.compare(line.size() - end.size(), end.size(), end) == 0;
}

std::string CleanLine(std::string line) {
  while (!line.empty() && (line.back() == ' ' || line.back() == '\t' || line.back() == '\r')) line.pop_back();
  line = CleanCharacters(line);
  if (EndsWith(line, "\\") || EndsWith(line,
                                       "?"
                                       "?/"))
    line += " .";
  return line;
}

}  // namespace

std::vector<std::string> CommentLines(const std::string& text) {
  std::vector<std::string> lines;
  for (size_t begin = 0; begin <= text.size();) {
    size_t end = std::min(text.find('\n', begin), text.size());
    lines.push_back(CleanLine(text.substr(begin, end - begin)));
    begin = end + 1;
  }
  while (!lines.empty() && lines.back().empty()) lines.pop_back();
  while (!lines.empty() && lines.front().empty()) lines.erase(lines.begin());

  size_t indent = std::string::npos;
  for (const std::string& line : lines) {
    if (!line.empty()) indent = std::min(indent, line.find_first_not_of(' '));
  }
  for (std::string& line : lines) {
    if (!line.empty()) line.erase(0, indent);
  }
  return lines;
}

}  // namespace nearcall::codegen
