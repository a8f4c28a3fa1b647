// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
#include "nearcall/examples/text_search/json.h"

#include <cstddef>
#include <cstdint>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace text_search {
namespace {

// The length of the UTF-8 character at the beginning of `text`; 0: there is none (RFC 3629).
size_t CharacterLength(absl::string_view text) {
  const auto byte = [&](size_t i) { return static_cast<uint8_t>(text[i]); };
  const uint8_t lead = byte(0);
  if (lead < 0x80) return 1;
  const size_t length = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
  if (lead < 0xc2 || lead > 0xf4 || text.size() < length) return 0;
  for (size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return 0;
  }
  // Longer than need be, a surrogate, or beyond U+10FFFF.
  if ((lead == 0xe0 && byte(1) < 0xa0) || (lead == 0xed && byte(1) > 0x9f) || (lead == 0xf0 && byte(1) < 0x90) ||
      (lead == 0xf4 && byte(1) > 0x8f)) {
    return 0;
  }
  return length;
}

bool IsUtf8(absl::string_view text) {
  while (!text.empty()) {
    const size_t length = CharacterLength(text);
    if (length == 0) return false;
    text.remove_prefix(length);
  }
  return true;
}

}  // namespace

std::string JsonField(absl::string_view name, absl::string_view bytes) {
  if (!IsUtf8(bytes)) return absl::StrCat("\"", name, "_base64\":\"", absl::Base64Escape(bytes), "\"");
  std::string field = absl::StrCat("\"", name, "\":\"");
  for (const char c : bytes) {
    if (c == '"' || c == '\\') {
      field += {'\\', c};
    } else if (c == '\t') {
      field += "\\t";
    } else if (static_cast<unsigned char>(c) < 0x20) {
      absl::StrAppendFormat(&field, "\\u%04x", static_cast<unsigned>(c));
    } else {
      field += c;
    }
  }
  field += '"';
  return field;
}

}  // namespace text_search
