// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
#include "nearcall/tests/fuzz/session_mutator.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "nearcall/rpc/wire/frame.h"

// A fuzzer's feedback should come from the session, not from who drives it; and be cheap.
#if defined(__clang__)
#pragma clang attribute push(__attribute__((no_sanitize("coverage"))), apply_to = function)
#endif

namespace nearcall::internal {
namespace {

constexpr uint32_t kOddNumbers[] = {0,       1,          2,          7,          8,          15,
                                    16,      200,        201,        0x7fff,     0x10000,    0x20000,
                                    0x20001, 0x7fffffff, 0x80000000, 0x80000001, 0xffffff00, 0xffffffff};
constexpr size_t kMaxSteps = 120;
constexpr size_t kMaxFrame = 2000;

}  // namespace

void SessionMutator::Mutate(FuzzProgram* program, const FuzzProgram& other) {
  for (size_t changes = 1 + Below(6); changes > 0; --changes) MutateOnce(program, other);
}

void SessionMutator::MutateOnce(FuzzProgram* program, const FuzzProgram& other) {
  std::vector<FuzzStep>& steps = program->steps;
  const size_t at = Below(steps.size());
  const auto place = [&steps](size_t i) { return steps.begin() + static_cast<std::ptrdiff_t>(i); };
  const size_t choice = Below(16);
  if (choice == 0) {
    program->options[Below(2)] ^= static_cast<uint8_t>(1 << Below(7));
  } else if (steps.empty() || choice == 1) {
    if (steps.size() < kMaxSteps) steps.insert(place(Below(steps.size() + 1)), RandomStep());
  } else if (choice == 2) {
    steps.erase(place(at));
  } else if (choice == 3) {
    if (steps.size() < kMaxSteps) steps.insert(place(at), FuzzStep(steps[at]));
  } else if (choice == 4) {
    std::swap(steps[at], steps[Below(steps.size())]);
  } else if (choice == 5 && !other.steps.empty()) {
    const size_t from = Below(other.steps.size());
    const size_t count = 1 + Below(std::min<size_t>(other.steps.size() - from, 12));
    if (steps.size() + count <= kMaxSteps) {
      const auto first = other.steps.begin() + static_cast<std::ptrdiff_t>(from);
      steps.insert(place(at), first, first + static_cast<std::ptrdiff_t>(count));
    }
  } else if (choice == 6) {
    steps[at].side ^= 1;
  } else {
    MutateArguments(&steps[at]);
  }
}

void SessionMutator::MutateArguments(FuzzStep* step) {
  if (step->arguments.empty()) return;
  if (step->op == FuzzOp::kInject) return MutateFrame(&step->arguments);
  char& byte = step->arguments[Below(step->arguments.size())];
  byte = Below(2) == 0 ? static_cast<char>(byte ^ (1 << Below(8))) : static_cast<char>(random_());
}

void SessionMutator::MutateFrame(std::string* arguments) {
  std::string frame = arguments->substr(2);
  const size_t choice = Below(8);
  if (choice < 3 && frame.size() >= kFrameHeaderSize) {  // one of the header's numbers
    const size_t field = 4 + 4 * Below(3);
    uint32_t number = kOddNumbers[Below(sizeof(kOddNumbers) / sizeof(kOddNumbers[0]))];
    uint32_t old;
    std::memcpy(&old, frame.data() + field, 4);
    if (Below(2) == 0) number = old + static_cast<uint32_t>(Below(5)) - 2;
    std::memcpy(frame.data() + field, &number, 4);
  } else if (choice == 3 && frame.size() >= kFrameHeaderSize) {
    frame[Below(2)] = static_cast<char>(Below(2) == 0 ? 1 + Below(10) : random_());
  } else if (choice == 4) {
    frame.resize(Below(frame.size() + 1));
  } else if (choice == 5 && frame.size() < kMaxFrame) {
    frame.append(1 + Below(64), static_cast<char>(random_()));
  } else if (!frame.empty()) {
    char& byte = frame[Below(Below(2) == 0 ? std::min<size_t>(frame.size(), 64) : frame.size())];
    byte = static_cast<char>(byte ^ (1 << Below(8)));
  }
  *arguments = {static_cast<char>(frame.size()), static_cast<char>(frame.size() >> 8)};
  *arguments += frame;
}

FuzzStep SessionMutator::RandomStep() {
  // Parsed from random bytes, so that it has as many arguments as it takes. A frame is short, and mostly has a kind.
  std::string bytes(2 + 24, '\0');
  for (char& byte : bytes) byte = static_cast<char>(Below(3) == 0 ? random_() : Below(4));
  bytes[2] = static_cast<char>(Below(static_cast<size_t>(FuzzOp::kCount)) | (Below(2) << 7));
  FuzzProgram program = ParseProgram(reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size());
  FuzzStep step = std::move(program.steps.front());
  if (step.op == FuzzOp::kHeader) step.arguments[0] = static_cast<char>(1 + Below(10));
  if (step.op == FuzzOp::kLose && Below(4) != 0) step.op = FuzzOp::kSettle;
  return step;
}

}  // namespace nearcall::internal

#if defined(__clang__)
#pragma clang attribute pop
#endif
