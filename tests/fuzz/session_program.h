// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// A program for a SessionWorld, as bytes that a fuzzer can change: two bytes of options, then operations. An operation
// is one byte (its top bit says which side) and its arguments; README.md beside this file has the table. Every byte
// string is a program: an argument that is missing is 0.
#ifndef NEARCALL_TESTS_FUZZ_SESSION_PROGRAM_H_
#define NEARCALL_TESTS_FUZZ_SESSION_PROGRAM_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "nearcall/tests/session/session_inspector.h"
#include "nearcall/tests/session/session_world.h"

namespace nearcall::internal {

enum class FuzzOp : uint8_t {
  kPlan,       // frame size: one frame onto the medium
  kDeliver,    // one frame off it
  kFlow,       // frame size: all that there is, to the other side
  kDrop,       // a frame is lost
  kInject,     // length u16, bytes: a frame of nobody's reaches the side
  kHeader,     // kind, flags, id choice, block u32, total u32, body u16: a frame made of these
  kCorrupt,    // position u16, bits: of the oldest frame on the medium
  kCall,       // content
  kMessage,    // which, content
  kInitial,    // which, content
  kHalfClose,  // which
  kFinish,     // which, code, content
  kCancel,     // which
  kRelease,    // which
  kTake,       // which, how many
  kPing,       // value
  kDrain,      //
  kClock,      // milliseconds u16
  kSettle,     // all to its end
  kLose,       // the connection is gone: the program's end
  kCount,
};

struct FuzzStep {
  FuzzOp op = FuzzOp::kPlan;
  int side = 0;
  std::string arguments;  // exactly as many as the operation takes
};

struct FuzzProgram {
  uint8_t options[2] = {};  // of each side
  std::vector<FuzzStep> steps;
};

FuzzProgram ParseProgram(const uint8_t* data, size_t size);
std::string SerializeProgram(const FuzzProgram& program);
std::string DescribeStep(const FuzzStep& step);  // for comments

// Runs it. Empty, or what promise was broken. Not more than a few milliseconds, whatever the program.
std::string RunProgram(const FuzzProgram& program, SessionCoverage* coverage);
// The same; each frame that reached a side is given to `record`, with the number of the step in which it did.
std::string RunProgram(const FuzzProgram& program, SessionCoverage* coverage,
                       const std::function<void(size_t step, int side, const std::string& frame)>& record);

// The corpus's text: hex bytes, # comments to the end of the line. False: something else.
bool ParseCorpusText(const std::string& text, std::string* bytes);
std::string CorpusText(const std::string& comment, const FuzzProgram& program);

}  // namespace nearcall::internal

#endif  // NEARCALL_TESTS_FUZZ_SESSION_PROGRAM_H_
