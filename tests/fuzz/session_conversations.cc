// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
#include "nearcall/tests/fuzz/session_conversations.h"

#include <initializer_list>
#include <utility>

#include "absl/strings/str_cat.h"

namespace nearcall::internal {
namespace {

constexpr size_t kRecordedFrame = 700;  // longer frames make a recording too long to be worth mutating
constexpr int kConnector = 0;
constexpr int kAcceptor = 1;
constexpr uint8_t kNoMessage = 0, kOne = 1, kDirect = 2, kTimesFour = 4;

class Writer {
 public:
  explicit Writer(uint8_t connector_options = 0x0f, uint8_t acceptor_options = 0x0f) {
    program_.options[0] = connector_options;
    program_.options[1] = acceptor_options;
  }
  Writer& Step(FuzzOp op, int side, std::initializer_list<int> arguments = {}) {
    FuzzStep step;
    step.op = op;
    step.side = side;
    for (int argument : arguments) step.arguments.push_back(static_cast<char>(argument));
    program_.steps.push_back(std::move(step));
    return *this;
  }
  Writer& Call(int side, uint8_t flags, int metadata, int message) {
    return Step(FuzzOp::kCall, side, {flags, metadata & 255, metadata >> 8, message & 255, message >> 8});
  }
  Writer& Message(int side, int which, uint8_t flags, int message) {
    return Step(FuzzOp::kMessage, side, {which, flags, 0, 0, message & 255, message >> 8});
  }
  Writer& Initial(int side, int which, int metadata) {
    return Step(FuzzOp::kInitial, side, {which, 0, metadata & 255, metadata >> 8, 0, 0});
  }
  Writer& Finish(int side, int which, int code, uint8_t flags, int metadata, int message) {
    return Step(FuzzOp::kFinish, side,
                {which, code, flags, metadata & 255, metadata >> 8, message & 255, message >> 8});
  }
  Writer& Flow(int side, int size = 4) { return Step(FuzzOp::kFlow, side, {size}); }
  Writer& Hello() { return Flow(kConnector).Flow(kAcceptor); }
  // So many frames onto the medium, of `size`, and all that is on it off it.
  Writer& Part(int side, int frames, int size) {
    for (int i = 0; i < frames; ++i) Step(FuzzOp::kPlan, side, {size});
    for (int i = 0; i < frames; ++i) Step(FuzzOp::kDeliver, side);
    return *this;
  }
  FuzzProgram Take() { return std::move(program_); }

 private:
  FuzzProgram program_;
};

void AddCalls(std::vector<Conversation>* all) {
  all->push_back({"unary", "A unary call, sent with hello, answered in one frame.",
                  Writer()
                      .Call(kConnector, kOne, 0, 64)
                      .Hello()
                      .Finish(kAcceptor, 0, 0, kOne | kDirect, 0, 64)
                      .Flow(kAcceptor)
                      .Take()});
  all->push_back({"unary_direct", "Unary calls without a queue, and a status with an error.",
                  Writer()
                      .Hello()
                      .Call(kConnector, kOne | kDirect, 0, 5)
                      .Call(kConnector, kOne | kDirect, 20, 0)
                      .Flow(kConnector)
                      .Finish(kAcceptor, 0, 0, kOne | kDirect, 0, 7)
                      .Finish(kAcceptor, 0, 13, kDirect, 30, 0)
                      .Flow(kAcceptor)
                      .Take()});
  all->push_back({"unary_in_fragments", "Request, metadata and reply in frames of 256 bytes.",
                  Writer()
                      .Hello()
                      .Call(kConnector, kOne, 600, 900)
                      .Part(kConnector, 3, 0)
                      .Flow(kConnector, 0)
                      .Finish(kAcceptor, 0, 0, kOne, 300, 700)
                      .Part(kAcceptor, 2, 0)
                      .Flow(kAcceptor, 0)
                      .Take()});
  all->push_back({"client_streaming", "Messages, an empty one among them, half-close, one reply.",
                  Writer()
                      .Call(kConnector, kNoMessage, 0, 0)
                      .Message(kConnector, 0, 0, 100)
                      .Message(kConnector, 0, 0, 0)
                      .Message(kConnector, 0, kDirect, 500)
                      .Step(FuzzOp::kHalfClose, kConnector, {0})
                      .Hello()
                      .Step(FuzzOp::kTake, kAcceptor, {0, 9})
                      .Finish(kAcceptor, 0, 0, kOne, 0, 8)
                      .Flow(kAcceptor)
                      .Take()});
  all->push_back({"server_streaming", "Initial metadata, messages in fragments, trailing metadata.",
                  Writer()
                      .Call(kConnector, kOne, 10, 10)
                      .Hello()
                      .Initial(kAcceptor, 0, 500)
                      .Part(kAcceptor, 2, 0)
                      .Message(kAcceptor, 0, 0, 300)
                      .Message(kAcceptor, 0, 0, 900)
                      .Part(kAcceptor, 4, 0)
                      .Step(FuzzOp::kTake, kConnector, {0, 9})
                      .Finish(kAcceptor, 0, 0, 0, 40, 0)
                      .Flow(kAcceptor, 0)
                      .Take()});
  all->push_back({"ping_pong_streams", "Both directions in turns, two calls at once, one begun by the acceptor.",
                  Writer()
                      .Hello()
                      .Call(kConnector, kNoMessage, 0, 0)
                      .Call(kAcceptor, kNoMessage, 0, 0)
                      .Message(kConnector, 0, 0, 400)
                      .Message(kAcceptor, 0, 0, 400)
                      .Part(kConnector, 3, 0)
                      .Part(kAcceptor, 3, 0)
                      .Flow(kConnector)
                      .Flow(kAcceptor)
                      .Message(kConnector, 1, 0, 30)
                      .Message(kAcceptor, 1, 0, 30)
                      .Flow(kConnector)
                      .Flow(kAcceptor)
                      .Finish(kConnector, 0, 0, 0, 0, 0)
                      .Finish(kAcceptor, 0, 0, 0, 0, 0)
                      .Flow(kAcceptor)
                      .Flow(kConnector)
                      .Take()});
}

void AddEnds(std::vector<Conversation>* all) {
  all->push_back({"cancel_stages",
                  "Cancelled at home, in the middle of its frames, after them; the owner stays or leaves.",
                  Writer(0x0f, 0x03)
                      .Hello()
                      .Call(kConnector, kOne, 0, 900)
                      .Call(kConnector, kOne, 0, 10)
                      .Part(kConnector, 2, 0)
                      .Step(FuzzOp::kCancel, kConnector, {1})
                      .Step(FuzzOp::kCancel, kConnector, {0})
                      .Flow(kConnector)
                      .Flow(kAcceptor)
                      .Call(kConnector, kNoMessage, 0, 0)
                      .Flow(kConnector)
                      .Message(kAcceptor, 0, 0, 900)
                      .Part(kAcceptor, 2, 0)
                      .Step(FuzzOp::kCancel, kConnector, {2})
                      .Part(kAcceptor, 1, 0)
                      .Flow(kConnector)
                      .Finish(kAcceptor, 0, 1, 0, 0, 0)
                      .Flow(kAcceptor)
                      .Step(FuzzOp::kRelease, kConnector, {0})
                      .Take()});
  all->push_back({"released", "The owners leave while frames are on their way.",
                  Writer()
                      .Hello()
                      .Call(kConnector, kNoMessage, 0, 0)
                      .Message(kConnector, 0, 0, 900)
                      .Part(kConnector, 3, 0)
                      .Finish(kAcceptor, 0, 0, kOne, 0, 900)
                      .Part(kAcceptor, 2, 0)
                      .Step(FuzzOp::kRelease, kAcceptor, {0})
                      .Step(FuzzOp::kRelease, kConnector, {0})
                      .Flow(kConnector, 0)
                      .Flow(kAcceptor, 0)
                      .Take()});
  all->push_back({"drain", "The acceptor drains: one call is served, one was on its way, one was at home.",
                  Writer(0x0f, 0x07)
                      .Hello()
                      .Call(kConnector, kNoMessage, 0, 0)
                      .Flow(kConnector)
                      .Call(kConnector, kOne, 0, 10)
                      .Call(kConnector, kOne, 0, 10)
                      .Call(kConnector, kOne, 0, 10)
                      .Step(FuzzOp::kDrain, kAcceptor)
                      .Step(FuzzOp::kPlan, kAcceptor, {0})
                      .Step(FuzzOp::kPlan, kConnector, {0})
                      .Step(FuzzOp::kDeliver, kConnector)
                      .Step(FuzzOp::kDeliver, kAcceptor)
                      .Flow(kAcceptor)
                      .Flow(kConnector)
                      .Finish(kAcceptor, 0, 0, 0, 0, 0)
                      .Flow(kAcceptor)
                      .Take()});
  all->push_back({"lost", "The connection is gone with calls in every state.",
                  Writer(0x0f, 0x07)
                      .Call(kConnector, kNoMessage, 0, 0)
                      .Call(kConnector, kOne, 0, 900)
                      .Call(kConnector, kOne, 0, 5)
                      .Call(kConnector, kOne, 0, 5)
                      .Part(kConnector, 4, 0)
                      .Step(FuzzOp::kLose, kConnector)
                      .Take()});
  all->push_back({"pings", "Pings both ways, merged.",
                  Writer()
                      .Hello()
                      .Step(FuzzOp::kPing, kConnector, {1})
                      .Step(FuzzOp::kPing, kConnector, {2})
                      .Step(FuzzOp::kPing, kAcceptor, {3})
                      .Flow(kConnector)
                      .Flow(kAcceptor)
                      .Flow(kConnector)
                      .Take()});
}

void AddLimits(std::vector<Conversation>* all) {
  all->push_back({"too_large", "Messages over the receiver's limit: as request, in a stream each way, as reply.",
                  Writer(0x0c, 0x0c)
                      .Hello()
                      .Call(kConnector, kOne, 0, 201)
                      .Call(kConnector, kNoMessage, 0, 0)
                      .Call(kConnector, kNoMessage, 0, 0)
                      .Call(kConnector, kNoMessage, 0, 0)
                      .Flow(kConnector)
                      .Message(kConnector, 1, 0, 600)
                      .Part(kConnector, 2, 0)
                      .Flow(kConnector)
                      .Message(kAcceptor, 1, 0, 600)
                      .Part(kAcceptor, 2, 0)
                      .Flow(kAcceptor)
                      .Finish(kAcceptor, 2, 0, kOne, 0, 600)
                      .Part(kAcceptor, 2, 0)
                      .Flow(kAcceptor)
                      .Flow(kConnector)
                      .Take()});
  all->push_back({"over_the_limit", "More calls than the acceptor takes before it could say so.",
                  Writer(0x0f, 0x03)
                      .Call(kConnector, kOne, 0, 5)
                      .Call(kConnector, kOne, 0, 500)
                      .Call(kConnector, kNoMessage, 0, 0)
                      .Flow(kConnector, 0)
                      .Flow(kAcceptor)
                      .Call(kConnector, kOne, 0, 5)
                      .Call(kConnector, kOne, 0, 5)
                      .Flow(kConnector)
                      .Finish(kAcceptor, 0, 0, kOne, 0, 5)
                      .Flow(kAcceptor)
                      .Flow(kConnector)
                      .Take()});
  all->push_back({"credit", "Both sides overdraw, wait, and go on when the other has read.",
                  Writer(0x0f, 0x0f)
                      .Call(kConnector, kNoMessage, 0, 0)
                      .Message(kConnector, 0, kTimesFour, 20000)
                      .Message(kConnector, 0, 0, 5)
                      .Flow(kConnector, 8)
                      .Flow(kAcceptor, 8)
                      .Message(kAcceptor, 0, kTimesFour, 20000)
                      .Message(kAcceptor, 0, 0, 5)
                      .Flow(kAcceptor, 8)
                      .Step(FuzzOp::kTake, kAcceptor, {0, 9})
                      .Step(FuzzOp::kTake, kConnector, {0, 9})
                      .Flow(kAcceptor, 8)
                      .Flow(kConnector, 8)
                      .Flow(kAcceptor, 8)
                      .Take()});
  all->push_back({"pending", "More is queued than may wait.",
                  Writer(0x2f, 0x2f)
                      .Hello()
                      .Call(kConnector, kNoMessage, 0, 0)
                      .Message(kConnector, 0, 0, 15000)
                      .Message(kConnector, 0, 0, 15000)
                      .Flow(kConnector)
                      .Finish(kAcceptor, 0, 0, kOne, 0, 30000)
                      .Finish(kAcceptor, 0, 8, 0, 0, 0)
                      .Flow(kAcceptor)
                      .Take()});
  all->push_back({"wrap", "Ids at the wrap, both sides calling.",
                  Writer(0x4f, 0x4f)
                      .Hello()
                      .Call(kConnector, kOne, 0, 1)
                      .Call(kConnector, kOne, 0, 2)
                      .Call(kConnector, kOne, 0, 3)
                      .Call(kAcceptor, kOne, 0, 1)
                      .Call(kAcceptor, kOne, 0, 2)
                      .Call(kAcceptor, kOne, 0, 3)
                      .Flow(kConnector)
                      .Flow(kAcceptor)
                      .Take()});
  all->push_back({"clocks", "The clocks differ.",
                  Writer().Step(FuzzOp::kClock, kConnector, {0x88, 0x13}).Call(kConnector, kOne, 0, 1).Hello().Take()});
}

// Not valid any more, for what no valid conversation reaches.
void AddInvalid(std::vector<Conversation>* all) {
  all->push_back({"other_versions", "A hello of versions 2 to 3 is answered.",
                  Writer()
                      .Step(FuzzOp::kPlan, kConnector, {0})
                      .Step(FuzzOp::kCorrupt, kConnector, {20, 0, 3})
                      .Step(FuzzOp::kCorrupt, kConnector, {22, 0, 2})
                      .Step(FuzzOp::kDeliver, kConnector)
                      .Flow(kAcceptor)
                      .Take()});
  all->push_back({"skippable", "A frame of a kind that is skipped, one that is not, and one cut short.",
                  Writer()
                      .Hello()
                      .Step(FuzzOp::kHeader, kAcceptor, {0x8b, 0xff, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9, 0})
                      .Step(FuzzOp::kInject, kConnector, {3, 0, 2, 0, 0})
                      .Flow(kConnector)
                      .Step(FuzzOp::kHeader, kAcceptor, {0x0b, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0})
                      .Flow(kAcceptor)
                      .Take()});
}

// The same conversation with its frames as bytes.
bool Record(const Conversation& from, Conversation* to) {
  to->name = from.name + "_recorded";
  to->comment = from.comment + " Its frames as bytes.";
  to->program.options[0] = from.program.options[0];
  to->program.options[1] = from.program.options[1];
  std::vector<std::vector<FuzzStep>> after(from.program.steps.size() + 1);
  bool fits = true;
  SessionCoverage coverage;
  RunProgram(from.program, &coverage, [&](size_t step, int side, const std::string& frame) {
    if (step >= from.program.steps.size()) return;  // of the end that every program gets
    fits = fits && frame.size() <= kRecordedFrame;
    FuzzStep inject;
    inject.op = FuzzOp::kInject;
    inject.side = side;
    inject.arguments = {static_cast<char>(frame.size()), static_cast<char>(frame.size() >> 8)};
    inject.arguments += frame;
    after[step].push_back(std::move(inject));
  });
  for (size_t i = 0; i < from.program.steps.size(); ++i) {
    const FuzzStep& step = from.program.steps[i];
    const bool moves = step.op == FuzzOp::kDeliver || step.op == FuzzOp::kFlow || step.op == FuzzOp::kDrop;
    if (!moves) {
      to->program.steps.push_back(step);
      continue;
    }
    // The sender plans what the receiver is given as bytes.
    for (FuzzStep& inject : after[i]) {
      FuzzStep plan;
      plan.side = 1 - inject.side;
      plan.op = FuzzOp::kPlan;
      plan.arguments = step.op == FuzzOp::kFlow ? step.arguments : std::string(1, '\0');
      if (step.op == FuzzOp::kFlow) to->program.steps.push_back(plan);
      plan.op = FuzzOp::kDrop;
      plan.arguments.clear();
      to->program.steps.push_back(plan);
      to->program.steps.push_back(std::move(inject));
    }
  }
  return fits && to->program.steps.size() <= 190;
}

}  // namespace

std::vector<Conversation> Conversations() {
  std::vector<Conversation> all;
  AddCalls(&all);
  AddEnds(&all);
  AddLimits(&all);
  AddInvalid(&all);
  const size_t scripts = all.size();
  for (size_t i = 0; i < scripts; ++i) {
    Conversation recorded;
    if (Record(all[i], &recorded)) all.push_back(std::move(recorded));
  }
  return all;
}

}  // namespace nearcall::internal
