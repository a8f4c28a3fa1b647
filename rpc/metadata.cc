// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
#include "nearcall/rpc/metadata.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace nearcall {
namespace {

bool IsKeyCharacter(char c) {
  return absl::ascii_islower(static_cast<unsigned char>(c)) || absl::ascii_isdigit(static_cast<unsigned char>(c)) ||
         c == '_' || c == '.' || c == '-';
}

bool IsReserved(absl::string_view key) { return absl::StartsWith(key, "nearcall-") || absl::StartsWith(key, "grpc-"); }

absl::Status Check(absl::string_view key, absl::string_view value) {
  if (key.empty() || !std::all_of(key.begin(), key.end(), IsKeyCharacter)) {
    return absl::InvalidArgumentError(absl::StrCat("metadata key \"", absl::CHexEscape(key),
                                                   "\" is not of lower-case letters, digits, '_', '.' and '-'"));
  }
  if (IsReserved(key)) {
    return absl::InvalidArgumentError(
        absl::StrCat("metadata key \"", key, "\" is reserved (\"nearcall-\" and \"grpc-\" are)"));
  }
  if (absl::EndsWith(key, "-bin")) return absl::OkStatus();
  const bool printable = std::all_of(value.begin(), value.end(), [](char c) { return c >= 0x20 && c < 0x7f; });
  if (printable) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("the value of metadata key \"", key,
                   "\" is not printable ASCII; a key that ends in \"-bin\" may carry any bytes"));
}

}  // namespace

void Metadata::Add(absl::string_view key, absl::string_view value) {
  if (absl::Status status = Check(key, value); !status.ok()) {
    if (status_.ok()) status_ = std::move(status);
    return;
  }
  entries_.emplace_back(std::string(key), std::string(value));
}

std::optional<std::string> Metadata::Get(absl::string_view key) const {
  for (const auto& [name, value] : entries_) {
    if (name == key) return value;
  }
  return std::nullopt;
}

std::vector<std::string> Metadata::GetAll(absl::string_view key) const {
  std::vector<std::string> values;
  for (const auto& [name, value] : entries_) {
    if (name == key) values.push_back(value);
  }
  return values;
}

namespace internal {

void AppendReceived(std::vector<std::pair<std::string, std::string>> entries, Metadata* metadata) {
  for (auto& [key, value] : entries) {
    if (!IsReserved(key)) metadata->Add(key, value);
  }
}

}  // namespace internal
}  // namespace nearcall
