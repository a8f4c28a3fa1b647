// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
#include "nearcall/rpc/wire/blocks.h"

#include <cstring>

#include "absl/strings/cord.h"

namespace nearcall::internal {
namespace {

constexpr char kMagic[4] = {'n', 'c', 'a', 'l'};
constexpr size_t kHelloSize = 40;
constexpr size_t kCallFixedSize = 16;
constexpr size_t kStatusFixedSize = 16;
constexpr size_t kDrainFixedSize = 8;
constexpr uint32_t kLastCode = 16;    // UNAUTHENTICATED
constexpr size_t kMaxPayloads = 128;  // absl::Status finds a payload by looking at each: a long list would cost n * n

template <class T>
void Store(T value, char* out) {
  std::memcpy(out, &value, sizeof(value));  // little-endian: frame.h asserts it
}
template <class T>
T Load(const char* in) {
  T value;
  std::memcpy(&value, in, sizeof(value));
  return value;
}

absl::string_view View(absl::Span<const char> bytes) { return {bytes.data(), bytes.size()}; }

// Takes `size` bytes off the front; false, and nothing taken, if there are fewer.
bool Take(absl::Span<const char>* from, size_t size, absl::Span<const char>* taken) {
  if (from->size() < size) return false;
  *taken = from->subspan(0, size);
  from->remove_prefix(size);
  return true;
}

void AppendPair(absl::string_view first, absl::string_view second, std::string* out) {
  char sizes[8];
  Store(static_cast<uint32_t>(first.size()), sizes);
  Store(static_cast<uint32_t>(second.size()), sizes + 4);
  out->append(sizes, sizeof(sizes));
  out->append(first.data(), first.size());
  out->append(second.data(), second.size());
}

bool TakePair(absl::Span<const char>* from, absl::Span<const char>* first, absl::Span<const char>* second) {
  absl::Span<const char> sizes;
  return Take(from, 8, &sizes) && Take(from, Load<uint32_t>(sizes.data()), first) &&
         Take(from, Load<uint32_t>(sizes.data() + 4), second);
}

size_t EncodedSize(const MetadataEntries& metadata) {
  size_t size = 0;
  for (const auto& [key, value] : metadata) size += 8 + key.size() + value.size();
  return size;
}

}  // namespace

void AppendHello(const HelloBlock& hello, std::string* out) {
  char block[kHelloSize];
  std::memcpy(block, kMagic, sizeof(kMagic));
  Store(hello.min_version, block + 4);
  Store(hello.max_version, block + 6);
  Store(hello.features, block + 8);
  Store(hello.max_concurrent_calls, block + 16);
  Store(hello.initial_credit, block + 20);
  Store(hello.max_message, block + 24);
  Store(hello.clock_ns, block + 32);
  out->append(block, sizeof(block));
}

bool ReadHelloVersions(absl::Span<const char> block, uint16_t* min_version, uint16_t* max_version) {
  if (block.size() < 8 || std::memcmp(block.data(), kMagic, sizeof(kMagic)) != 0) return false;
  *min_version = Load<uint16_t>(block.data() + 4);
  *max_version = Load<uint16_t>(block.data() + 6);
  return *min_version <= *max_version;
}

bool ReadHello(absl::Span<const char> block, HelloBlock* hello) {
  if (block.size() < kHelloSize || !ReadHelloVersions(block, &hello->min_version, &hello->max_version)) return false;
  hello->features = Load<uint64_t>(block.data() + 8);
  hello->max_concurrent_calls = Load<uint32_t>(block.data() + 16);
  hello->initial_credit = Load<uint32_t>(block.data() + 20);
  hello->max_message = Load<uint64_t>(block.data() + 24);
  hello->clock_ns = Load<int64_t>(block.data() + 32);
  return true;
}

void AppendCall(absl::string_view path, int64_t deadline_ns, const MetadataEntries& metadata, std::string* out) {
  char fixed[kCallFixedSize];
  Store(deadline_ns, fixed);
  Store(static_cast<uint32_t>(path.size()), fixed + 8);
  Store(static_cast<uint32_t>(EncodedSize(metadata)), fixed + 12);
  out->append(fixed, sizeof(fixed));
  out->append(path.data(), path.size());
  AppendMetadata(metadata, out);
}

bool ReadCall(absl::Span<const char> block, CallBlock* call) {
  absl::Span<const char> fixed, path;
  if (!Take(&block, kCallFixedSize, &fixed)) return false;
  const uint32_t path_size = Load<uint32_t>(fixed.data() + 8);
  if (path_size == 0 || !Take(&block, path_size, &path)) return false;
  if (!Take(&block, Load<uint32_t>(fixed.data() + 12), &call->metadata)) return false;
  call->deadline_ns = Load<int64_t>(fixed.data());
  call->path = View(path);
  return ValidMetadata(call->metadata);
}

void AppendMetadata(const MetadataEntries& metadata, std::string* out) {
  for (const auto& [key, value] : metadata) AppendPair(key, value, out);
}

bool ValidMetadata(absl::Span<const char> encoded) {
  absl::Span<const char> key, value;
  while (!encoded.empty()) {
    if (!TakePair(&encoded, &key, &value)) return false;
  }
  return true;
}

bool ReadMetadata(absl::Span<const char> encoded, MetadataEntries* metadata) {
  if (!ValidMetadata(encoded)) return false;
  absl::Span<const char> key, value;
  while (!encoded.empty() && TakePair(&encoded, &key, &value)) {
    metadata->emplace_back(std::string(key.data(), key.size()), std::string(value.data(), value.size()));
  }
  return true;
}

void AppendStatus(const absl::Status& status, const MetadataEntries& trailing, std::string* out) {
  if (status.ok() && trailing.empty()) return;
  const size_t start = out->size();
  out->append(kStatusFixedSize, '\0');
  out->append(status.message().data(), status.message().size());
  const size_t payloads = out->size();
  size_t count = 0;
  status.ForEachPayload([out, &count](absl::string_view type_url, const absl::Cord& payload) {
    if (++count <= kMaxPayloads) AppendPair(type_url, std::string(payload), out);
  });
  const size_t metadata = out->size();
  AppendMetadata(trailing, out);
  char* fixed = out->data() + start;
  Store(static_cast<uint32_t>(status.raw_code()), fixed);
  Store(static_cast<uint32_t>(status.message().size()), fixed + 4);
  Store(static_cast<uint32_t>(metadata - payloads), fixed + 8);
  Store(static_cast<uint32_t>(out->size() - metadata), fixed + 12);
}

bool ReadStatus(absl::Span<const char> block, absl::Status* status, absl::Span<const char>* trailing) {
  *trailing = {};
  if (block.empty()) {  // plain OK, the usual case
    if (!status->ok()) *status = absl::OkStatus();
    return true;
  }
  absl::Span<const char> fixed, text, payloads;
  if (!Take(&block, kStatusFixedSize, &fixed) || !Take(&block, Load<uint32_t>(fixed.data() + 4), &text) ||
      !Take(&block, Load<uint32_t>(fixed.data() + 8), &payloads) ||
      !Take(&block, Load<uint32_t>(fixed.data() + 12), trailing) || !ValidMetadata(payloads) ||
      !ValidMetadata(*trailing)) {
    return false;
  }
  const uint32_t code = Load<uint32_t>(fixed.data());
  *status =
      absl::Status(code <= kLastCode ? static_cast<absl::StatusCode>(code) : absl::StatusCode::kUnknown, View(text));
  absl::Span<const char> type_url, value;
  for (size_t count = 0; !status->ok() && !payloads.empty() && TakePair(&payloads, &type_url, &value);) {
    if (++count > kMaxPayloads) return false;
    status->SetPayload(View(type_url), absl::Cord(View(value)));
  }
  return true;
}

void AppendU64(uint64_t value, std::string* out) {
  char block[8];
  Store(value, block);
  out->append(block, sizeof(block));
}

bool ReadU64(absl::Span<const char> block, uint64_t* value) {
  if (block.size() < 8) return false;
  *value = Load<uint64_t>(block.data());
  return true;
}

void AppendDrain(uint32_t last_call_id, absl::string_view why, std::string* out) {
  char fixed[kDrainFixedSize];
  Store(last_call_id, fixed);
  Store(static_cast<uint32_t>(why.size()), fixed + 4);
  out->append(fixed, sizeof(fixed));
  out->append(why.data(), why.size());
}

bool ReadDrain(absl::Span<const char> block, uint32_t* last_call_id, absl::string_view* why) {
  absl::Span<const char> fixed, text;
  if (!Take(&block, kDrainFixedSize, &fixed) || !Take(&block, Load<uint32_t>(fixed.data() + 4), &text)) return false;
  *last_call_id = Load<uint32_t>(fixed.data());
  *why = View(text);
  return true;
}

}  // namespace nearcall::internal
