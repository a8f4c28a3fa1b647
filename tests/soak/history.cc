// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
#include "nearcall/tests/soak/history.h"

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace nearcall {

std::string ViolationNames(uint8_t violations) {
  std::vector<std::string> names;
  if (violations & kServerDisorder) names.push_back("a handler read a message out of its place");
  if (violations & kServerWrongCall) names.push_back("a handler read another call's message");
  if (violations & kClientDisorder) names.push_back("a client read a message out of its place");
  if (violations & kClientWrongCall) names.push_back("a client read another call's message");
  if (violations & kIncomplete) names.push_back("OK although messages are missing");
  if (violations & kUnexpectedStatus) names.push_back("a status that nothing explains");
  return absl::StrJoin(names, ", ");
}

absl::StatusOr<History> History::Open(const std::string& path, uint32_t calls) {
  absl::StatusOr<SharedFile> file = SharedFile::Open(path, calls * sizeof(CallRecord));
  if (!file.ok()) return file.status();
  return History(*std::move(file), calls);
}

std::string History::Check(uint32_t call) const {
  const CallRecord& record = (*this)[call];
  const int executions = record.executions.load();
  const int statuses = record.statuses.load();
  const auto code = static_cast<absl::StatusCode>(record.code.load());
  std::vector<std::string> wrong;
  if (executions > 1) wrong.push_back(absl::StrCat(executions, " executions"));
  if (statuses != 1) wrong.push_back(absl::StrCat(statuses, " statuses"));
  if (statuses == 1 && code == absl::StatusCode::kOk && executions == 0) wrong.push_back("OK without an execution");
  if (record.violations.load() != 0) wrong.push_back(ViolationNames(record.violations.load()));
  if (wrong.empty()) return "";
  return absl::StrCat("call ", call, " (", absl::StatusCodeToString(code), "): ", absl::StrJoin(wrong, "; "));
}

}  // namespace nearcall
