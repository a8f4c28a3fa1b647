// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// The header blocks of the frame kinds: what stands between the session header and the message. PROTOCOL.md has the
// byte diagrams. Writers append to a string (callers keep its capacity); readers give views into the block and refuse
// (false) whatever is cut short, too long or out of range. Bytes behind what a reader knows are skipped: a later
// version may append. Thread-safe: functions of their arguments.
#ifndef NEARCALL_RPC_WIRE_BLOCKS_H_
#define NEARCALL_RPC_WIRE_BLOCKS_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace nearcall::internal {

using MetadataEntries = std::vector<std::pair<std::string, std::string>>;

// Largest header block that is sent or accepted: 63 KiB of user metadata fit (RESOURCE_EXHAUSTED beyond).
inline constexpr size_t kMaxBlockSize = 128 * 1024;

struct HelloBlock {
  uint16_t min_version = 1;
  uint16_t max_version = 1;
  uint64_t features = 0;
  uint32_t max_concurrent_calls = 0;  // that the other side may have open with me
  uint32_t initial_credit = 0;        // bytes, of each stream towards me
  uint64_t max_message = 0;           // that I accept
  int64_t clock_ns = 0;               // my CLOCK_MONOTONIC as I write this
};
void AppendHello(const HelloBlock& hello, std::string* out);
bool ReadHello(absl::Span<const char> block, HelloBlock* hello);  // checks the magic, not the versions
// What every version's hello begins with; for a hello that is otherwise not ours to read.
bool ReadHelloVersions(absl::Span<const char> block, uint16_t* min_version, uint16_t* max_version);

struct CallBlock {
  absl::string_view path;           // "/package.Service/Method"
  int64_t deadline_ns = INT64_MAX;  // the sender's CLOCK_MONOTONIC; INT64_MAX: none
  absl::Span<const char> metadata;  // encoded: ReadMetadata
};
// An encoded metadata list of nothing is zero bytes.
void AppendCall(absl::string_view path, int64_t deadline_ns, const MetadataEntries& metadata, std::string* out);
bool ReadCall(absl::Span<const char> block, CallBlock* call);  // its metadata is valid then

void AppendMetadata(const MetadataEntries& metadata, std::string* out);
bool ReadMetadata(absl::Span<const char> encoded, MetadataEntries* metadata);  // appends
bool ValidMetadata(absl::Span<const char> encoded);                            // ReadMetadata would succeed

// OK without trailing metadata is zero bytes. At most 128 payloads are sent or accepted.
void AppendStatus(const absl::Status& status, const MetadataEntries& trailing, std::string* out);
// An unknown code becomes UNKNOWN. `trailing` is a view into the block, encoded as ReadMetadata reads it.
bool ReadStatus(absl::Span<const char> block, absl::Status* status, absl::Span<const char>* trailing);

void AppendU64(uint64_t value, std::string* out);  // credit, ping
bool ReadU64(absl::Span<const char> block, uint64_t* value);

void AppendDrain(uint32_t last_call_id, absl::string_view why, std::string* out);
bool ReadDrain(absl::Span<const char> block, uint32_t* last_call_id, absl::string_view* why);

}  // namespace nearcall::internal

#endif  // NEARCALL_RPC_WIRE_BLOCKS_H_
