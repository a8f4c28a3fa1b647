// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// Metadata: ordered pairs of text that travel with a call, beside its messages.
//
//   nearcall::Metadata metadata;
//   metadata.Add("trace", "7");
//   metadata.Get("trace");  // "7"
//
// Keys are [a-z0-9_.-]+; a key that ends in "-bin" may carry any bytes, another printable ASCII only; repeated keys are
// kept. "nearcall-" and "grpc-" are reserved. Thread safety: a value. Errors: Add() drops a pair that can't be sent,
// and the call that would have carried it ends with INVALID_ARGUMENT naming it.
#ifndef NEARCALL_RPC_METADATA_H_
#define NEARCALL_RPC_METADATA_H_

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace nearcall {

class Metadata {
 public:
  void Add(absl::string_view key, absl::string_view value);
  std::optional<std::string> Get(absl::string_view key) const;  // the first
  std::vector<std::string> GetAll(absl::string_view key) const;
  const std::vector<std::pair<std::string, std::string>>& entries() const { return entries_; }

  // OK, or what was wrong with the first pair that was dropped.
  const absl::Status& status() const { return status_; }

 private:
  std::vector<std::pair<std::string, std::string>> entries_;
  absl::Status status_;
};

// What came back beside the reply. Written before the call's result is delivered, never after.
struct ResponseMetadata {
  Metadata initial;
  Metadata trailing;
};

namespace internal {
// For pairs that came over the wire: a peer's keys are taken as they are, but reserved ones are left out.
void AppendReceived(std::vector<std::pair<std::string, std::string>> entries, Metadata* metadata);
}  // namespace internal

}  // namespace nearcall

#endif  // NEARCALL_RPC_METADATA_H_
