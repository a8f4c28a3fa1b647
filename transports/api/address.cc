// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0

#include "nearcall/transports/api/address.h"

#include <algorithm>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"

namespace nearcall {
namespace {

constexpr absl::string_view kExamples = "unix:/path or local:NAME";

bool IsLower(char c) { return c >= 'a' && c <= 'z'; }
bool IsDigit(char c) { return c >= '0' && c <= '9'; }

int HexValue(char c) {
  if (IsDigit(c)) return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

bool IsScheme(absl::string_view text) {
  return !text.empty() && IsLower(text[0]) &&
         std::all_of(text.begin(), text.end(), [](char c) { return IsLower(c) || IsDigit(c) || c == '-'; });
}

bool IsKey(absl::string_view text) {
  return !text.empty() && IsLower(text[0]) &&
         std::all_of(text.begin(), text.end(), [](char c) { return IsLower(c) || IsDigit(c) || c == '-' || c == '_'; });
}

absl::Status Invalid(absl::string_view address, absl::string_view what) {
  return absl::InvalidArgumentError(absl::StrCat("address \"", absl::CHexEscape(address), "\" ", what));
}

absl::StatusOr<std::string> Unescape(absl::string_view text, absl::string_view address) {
  std::string result;
  result.reserve(text.size());
  for (size_t i = 0; i < text.size(); ++i) {
    char c = text[i];
    if (c == '%') {
      const int high = i + 1 < text.size() ? HexValue(text[i + 1]) : -1;
      const int low = i + 2 < text.size() ? HexValue(text[i + 2]) : -1;
      if (high < 0 || low < 0) {
        return Invalid(address, absl::StrCat("has a bad escape \"", absl::CHexEscape(text.substr(i, 3)),
                                             "\": write %XX with two hexadecimal digits, %25 for a per cent sign"));
      }
      c = static_cast<char>(high * 16 + low);
      i += 2;
    }
    if (c == '\0') return Invalid(address, "holds a zero byte, which no transport can use");
    result.push_back(c);
  }
  return result;
}

void AppendEscaped(absl::string_view text, absl::string_view special, std::string* out) {
  constexpr absl::string_view kHex = "0123456789ABCDEF";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7f || c == '%' || special.find(c) != absl::string_view::npos) {
      out->push_back('%');
      out->push_back(kHex[byte >> 4]);
      out->push_back(kHex[byte & 15]);
    } else {
      out->push_back(c);
    }
  }
}

absl::Status NoScheme(absl::string_view text) {
  if (text.empty()) return Invalid(text, absl::StrCat("is empty: write for example ", kExamples));
  if (text[0] == '/' || text[0] == '.') {
    return Invalid(text, absl::StrCat("has no scheme: write for example unix:", absl::CHexEscape(text),
                                      " or local:", absl::CHexEscape(text)));
  }
  return Invalid(text, absl::StrCat("has no scheme: write for example ", kExamples));
}

absl::Status ParseParameters(absl::string_view text, absl::string_view query, Address* address) {
  if (query.empty()) return Invalid(text, "ends in ?: write ?key=value, or %3F for a question mark");
  for (const absl::string_view parameter : absl::StrSplit(query, '&')) {
    const size_t equals = parameter.find('=');
    if (equals == absl::string_view::npos) {
      return Invalid(text, absl::StrCat("has a parameter \"", absl::CHexEscape(parameter),
                                        "\" without a value: write key=value, %26 for an ampersand in a value"));
    }
    const absl::string_view key = parameter.substr(0, equals);
    if (!IsKey(key)) {
      return Invalid(text, absl::StrCat("has a parameter named \"", absl::CHexEscape(key),
                                        "\": a name consists of a-z, 0-9, - and _ and begins with a letter"));
    }
    absl::StatusOr<std::string> value = Unescape(parameter.substr(equals + 1), text);
    if (!value.ok()) return value.status();
    address->parameters.emplace_back(std::string(key), *std::move(value));
  }
  return absl::OkStatus();
}

}  // namespace

std::optional<std::string> Address::Parameter(absl::string_view key) const {
  for (const auto& [name, value] : parameters) {
    if (name == key) return value;
  }
  return std::nullopt;
}

std::string Address::ToString() const {
  std::string result = absl::StrCat(scheme, ":");
  if (written.empty()) {
    AppendEscaped(rest, "?", &result);
  } else {
    result += written;
  }
  char separator = '?';
  for (const auto& [key, value] : parameters) {
    result.push_back(std::exchange(separator, '&'));
    absl::StrAppend(&result, key, "=");
    AppendEscaped(value, "&", &result);
  }
  return result;
}

absl::StatusOr<Address> ParseAddress(absl::string_view text) {
  const size_t colon = text.find(':');
  if (colon == absl::string_view::npos || colon == 0 || text[0] == '/' || text[0] == '.') return NoScheme(text);
  Address address;
  address.scheme = std::string(text.substr(0, colon));
  if (!IsScheme(address.scheme)) {
    return Invalid(text, absl::StrCat("has no valid scheme before its first colon (a-z, 0-9 and -, beginning with a "
                                      "letter): write for example ",
                                      kExamples, " or tcp:127.0.0.1:4000"));
  }
  const absl::string_view after = text.substr(colon + 1);
  const size_t question = after.find('?');
  absl::StatusOr<std::string> rest = Unescape(after.substr(0, question), text);
  if (!rest.ok()) return rest.status();
  address.rest = *std::move(rest);
  if (address.scheme == "exec") address.written = std::string(after.substr(0, question));
  if (question != absl::string_view::npos) {
    if (absl::Status status = ParseParameters(text, after.substr(question + 1), &address); !status.ok()) return status;
  }
  return address;
}

absl::Status CheckParameters(const Address& address, absl::Span<const absl::string_view> known) {
  for (const auto& [key, value] : address.parameters) {
    if (std::find(known.begin(), known.end(), absl::string_view(key)) != known.end()) continue;
    return Invalid(address.ToString(),
                   absl::StrCat("has an unknown parameter \"", absl::CHexEscape(key), "\": ", address.scheme,
                                ": knows ", known.size() == 0 ? "none" : absl::StrJoin(known, ", ")));
  }
  return absl::OkStatus();
}

}  // namespace nearcall
