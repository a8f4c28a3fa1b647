// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// The history of calls of several clients and servers, some of them killed: one record for each call, in a shared file.
//
//   absl::StatusOr<History> history = History::Open(path, calls);
//   (*history)[call].executions.fetch_add(1);        // by the handler
//
// Thread safety: records are atomics, also between processes. Lifetime: the file outlives who wrote it.
#ifndef NEARCALL_TESTS_SOAK_HISTORY_H_
#define NEARCALL_TESTS_SOAK_HISTORY_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "nearcall/tests/soak/soak_process.h"

namespace nearcall {

// What must not happen.
enum Violation : uint8_t {
  kServerDisorder = 1,    // a handler read a message out of its place
  kServerWrongCall = 2,   // a handler read another call's message
  kClientDisorder = 4,    // a client read a message out of its place
  kClientWrongCall = 8,   // a client read another call's message
  kIncomplete = 16,       // OK, but not all messages came
  kUnexpectedStatus = 32  // a status that nothing in the call's life explains
};
std::string ViolationNames(uint8_t violations);

struct CallRecord {
  std::atomic<uint8_t> executions;
  std::atomic<uint8_t> statuses;
  std::atomic<uint8_t> code;  // the last status's
  std::atomic<uint8_t> violations;
};
static_assert(std::atomic<uint8_t>::is_always_lock_free && sizeof(CallRecord) == 4);

class History {
 public:
  static absl::StatusOr<History> Open(const std::string& path, uint32_t calls);
  uint32_t size() const { return calls_; }
  CallRecord& operator[](uint32_t call) const { return file_.As<CallRecord>()[call]; }
  void Violate(uint32_t call, uint8_t violations) const { (*this)[call].violations.fetch_or(violations); }

  // What is wrong with the call; empty: nothing.
  std::string Check(uint32_t call) const;

 private:
  History(SharedFile file, uint32_t calls) : file_(std::move(file)), calls_(calls) {}
  SharedFile file_;
  uint32_t calls_;
};

}  // namespace nearcall

#endif  // NEARCALL_TESTS_SOAK_HISTORY_H_
