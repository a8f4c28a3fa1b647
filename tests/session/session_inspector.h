// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// SessionInspector looks into a session for tests: whether its records fit together, and which states it is in.
#ifndef NEARCALL_TESTS_SESSION_SESSION_INSPECTOR_H_
#define NEARCALL_TESTS_SESSION_SESSION_INSPECTOR_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>

#include "nearcall/rpc/session/session.h"

namespace nearcall::internal {

// What was reached, for the table that a fuzz run prints. Not thread-safe.
struct SessionCoverage {
  static constexpr size_t kKinds = 12;   // by FrameKind; 0: a frame without whole header, 11: unknown
  static constexpr size_t kStates = 64;  // SessionInspector::StateNames()
  static constexpr size_t kEvents = 16;  // by SessionEvent::Type
  std::array<uint64_t, kKinds> planned{};
  std::array<uint64_t, kKinds> consumed{};  // by a session that was not dead
  std::array<uint64_t, kKinds> accepted{};  // of them, not a violation
  std::array<uint64_t, kEvents> events{};
  std::array<uint64_t, kStates> states{};

  void Add(const SessionCoverage& other);
  // An aligned table; `missing` gets the names of what was never reached, one a line.
  std::string Table(std::string* missing) const;
};

class SessionInspector {
 public:
  // Empty, or what does not fit. O(calls).
  static std::string Check(const Session& session);
  // Counts the states that the session and its calls are in now.
  static void Record(const Session& session, SessionCoverage* coverage);
  static const char* StateName(size_t state);  // null: no such state
  static uint64_t pending_bytes(const Session& session) { return session.pending_bytes_; }
  static size_t records(const Session& session);  // of calls, without the free ones
  // As if so many calls had been begun.
  static void SetNextSequence(Session* session, uint64_t sequence) { session->next_sequence_ = sequence; }

 private:
  static std::string CheckCall(const Session& session, const SessionCall& call, bool owned);
  static std::string CheckQueue(const Session& session, const SessionCall& call, uint64_t* pending);
  static void RecordCall(const Session& session, const SessionCall& call, SessionCoverage* coverage);
};

}  // namespace nearcall::internal

#endif  // NEARCALL_TESTS_SESSION_SESSION_INSPECTOR_H_
