// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
#include "nearcall/tests/fuzz/session_program.h"

#include <algorithm>
#include <cctype>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "nearcall/rpc/wire/frame.h"

// A fuzzer's feedback should come from the session, not from who drives it; and be cheap.
#if defined(__clang__)
#pragma clang attribute push(__attribute__((no_sanitize("coverage"))), apply_to = function)
#endif

namespace nearcall::internal {
namespace {

constexpr size_t kMaxSteps = 200;
constexpr size_t kMaxInFlight = 400;
// What a program may cost: a fuzzer takes longer and longer ones for better and better ones.
constexpr size_t kMaxFrames = 200;
constexpr size_t kManyFrames = 40;  // from then on they are large, so that a large message takes few more
constexpr size_t kLargeFrame = 64 << 10;
constexpr size_t kMaxCalls = 24;
constexpr size_t kMaxMetadata = 1200;
constexpr size_t kManyBytes = 200'000;  // of messages; from then on they are short
constexpr size_t kShortMessage = 300;

struct OpInfo {
  const char* name;
  size_t arguments;  // bytes; of kInject without what its length says
};
constexpr size_t kContent = 5;  // flags, metadata u16, message u16
constexpr OpInfo kOps[] = {
    {"plan", 1},
    {"deliver", 0},
    {"flow", 1},
    {"drop", 0},
    {"inject", 2},
    {"header", 13},
    {"corrupt", 3},
    {"call", kContent},
    {"message", 1 + kContent},
    {"initial", 1 + kContent},
    {"half-close", 1},
    {"finish", 2 + kContent},
    {"cancel", 1},
    {"release", 1},
    {"take", 2},
    {"ping", 1},
    {"drain", 0},
    {"clock", 2},
    {"settle", 0},
    {"lose", 0},
};
static_assert(sizeof(kOps) / sizeof(kOps[0]) == static_cast<size_t>(FuzzOp::kCount));

class Arguments {
 public:
  // `sent` counts the bytes of all messages of the program.
  Arguments(const std::string& bytes, size_t* sent) : bytes_(bytes), sent_(sent) {}
  uint8_t U8() { return at_ < bytes_.size() ? static_cast<uint8_t>(bytes_[at_++]) : 0; }
  uint16_t U16() {
    const uint16_t low = U8();
    return static_cast<uint16_t>(low | U8() << 8);
  }
  uint32_t U32() {
    const uint32_t low = U16();
    return low | static_cast<uint32_t>(U16()) << 16;
  }
  SessionWorld::Content Content() {
    SessionWorld::Content content;
    const uint8_t flags = U8();
    content.with_message = (flags & 1) != 0;
    content.direct = (flags & 2) != 0;
    content.metadata = U16() % kMaxMetadata;
    content.message = size_t{U16()} * ((flags & 4) != 0 ? 4 : 1);
    if (*sent_ > kManyBytes) content.message %= kShortMessage;
    *sent_ += content.message;
    return content;
  }

 private:
  const std::string& bytes_;
  size_t* const sent_;
  size_t at_ = 0;
};

// What a program has used up.
struct Usage {
  size_t frames = 0;
  size_t sent = 0;  // bytes of messages
};

size_t FrameSize(uint8_t argument, const Usage& usage) {
  return usage.frames > kManyFrames ? kLargeFrame : size_t{256} << argument % 9;  // to 64 KiB
}

SessionOptions OptionsOf(uint8_t bits) {
  SessionOptions options;
  static constexpr uint64_t kMessages[] = {200, 5000, 70'000, 4 << 20};
  static constexpr uint32_t kCalls[] = {1, 3, 100, 1000};
  options.max_receive_message = kMessages[bits & 3];
  options.max_concurrent_calls = kCalls[bits >> 2 & 3];
  options.initial_credit = (bits & 16) != 0 ? 256 << 10 : 64 << 10;
  options.max_pending_bytes = (bits & 32) != 0 ? 20'000 : 1 << 30;
  options.first_call_id = (bits & 64) != 0 ? 0x7ffffffe : 1;
  return options;
}

// An id that means something to `side`, by choice.
uint32_t ChooseId(const SessionWorld& world, int side, uint8_t choice) {
  const uint32_t peers = side == 0 ? 0x80000000 : 0;  // bit of the calls that the other side begins
  const uint32_t which = choice >> 3;
  switch (choice & 7) {
    case 0:
      return 0;
    case 1:
      return world.LiveId(side, true, which);
    case 2:
      return world.LiveId(side, false, which);
    case 3:
      return peers | (1 + which);
    case 4:
      return (peers ^ 0x80000000) | (1 + which);
    case 5:
      return peers | (0x7fffffff - which);
    case 6:
      return peers | (1000 + which);
    default:
      return UINT32_MAX - which;
  }
}

std::string HeaderFrame(const SessionWorld& world, int side, Arguments* arguments) {
  FrameHeader header;
  header.kind = static_cast<FrameKind>(arguments->U8());
  header.flags = arguments->U8();
  header.call_id = ChooseId(world, side, arguments->U8());
  header.block_size = arguments->U32();
  header.total_size = arguments->U32();
  const size_t body = arguments->U16() % 1025;
  std::string frame(kFrameHeaderSize + body, '\0');
  EncodeFrameHeader(header, frame.data());
  return frame;
}

void Flow(SessionWorld* world, int side, uint8_t size, const Usage& usage) {
  for (int i = 0; i < 100; ++i) {
    const bool planned = world->InFlight(side) < kMaxInFlight && world->Plan(side, FrameSize(size, usage));
    if (!world->Deliver(side) && !planned) return;
  }
}

void RunStep(SessionWorld* world, const FuzzStep& step, Usage* usage) {
  Arguments arguments(step.arguments, &usage->sent);
  const int side = step.side;
  switch (step.op) {
    case FuzzOp::kPlan:
      if (world->InFlight(side) < kMaxInFlight) world->Plan(side, FrameSize(arguments.U8(), *usage));
      break;
    case FuzzOp::kDeliver:
      world->Deliver(side);
      break;
    case FuzzOp::kFlow:
      Flow(world, side, arguments.U8(), *usage);
      break;
    case FuzzOp::kDrop:
      world->Drop(side);
      break;
    case FuzzOp::kInject:
      world->Inject(side, absl::MakeConstSpan(step.arguments).subspan(2));
      break;
    case FuzzOp::kHeader:
      world->Inject(side, HeaderFrame(*world, side, &arguments));
      break;
    case FuzzOp::kCorrupt: {
      const size_t position = arguments.U16();
      world->Corrupt(side, position, arguments.U8());
      break;
    }
    case FuzzOp::kCall:
      world->NewCall(side, arguments.Content());
      break;
    case FuzzOp::kMessage: {
      const size_t which = arguments.U8();
      world->SendMessage(side, which, arguments.Content());
      break;
    }
    case FuzzOp::kInitial: {
      const size_t which = arguments.U8();
      world->SendInitialMetadata(side, which, arguments.Content());
      break;
    }
    case FuzzOp::kHalfClose:
      world->HalfClose(side, arguments.U8());
      break;
    case FuzzOp::kFinish: {
      const size_t which = arguments.U8();
      const int code = arguments.U8();
      world->Finish(side, which, code, arguments.Content());
      break;
    }
    case FuzzOp::kCancel:
      world->Cancel(side, arguments.U8());
      break;
    case FuzzOp::kRelease:
      world->Release(side, arguments.U8());
      break;
    case FuzzOp::kTake: {
      const size_t which = arguments.U8();
      for (int count = arguments.U8(); count > 0 && world->TakeMessage(side, which); --count) {
      }
      break;
    }
    case FuzzOp::kPing:
      world->Ping(side, arguments.U8());
      break;
    case FuzzOp::kDrain:
      world->StartDrain(side);
      break;
    case FuzzOp::kClock:
      world->Advance(int64_t{arguments.U16()} * 1'000'000);
      break;
    case FuzzOp::kSettle:
      world->Settle();
      break;
    case FuzzOp::kLose:
    case FuzzOp::kCount:
      break;
  }
}

}  // namespace

FuzzProgram ParseProgram(const uint8_t* data, size_t size) {
  FuzzProgram program;
  size_t at = 0;
  const auto next = [&]() -> uint8_t { return at < size ? data[at++] : 0; };
  program.options[0] = next();
  program.options[1] = next();
  while (at < size && program.steps.size() < kMaxSteps) {
    const uint8_t byte = next();
    FuzzStep step;
    step.side = byte >> 7;
    step.op = static_cast<FuzzOp>((byte & 0x7f) % static_cast<size_t>(FuzzOp::kCount));
    for (size_t i = kOps[static_cast<size_t>(step.op)].arguments; i > 0; --i) {
      step.arguments.push_back(static_cast<char>(next()));
    }
    if (step.op == FuzzOp::kInject) {
      size_t unused = 0;
      const size_t length = std::min<size_t>(Arguments(step.arguments, &unused).U16(), size - at);
      step.arguments[0] = static_cast<char>(length);
      step.arguments[1] = static_cast<char>(length >> 8);
      step.arguments.append(reinterpret_cast<const char*>(data) + at, length);
      at += length;
    }
    program.steps.push_back(std::move(step));
  }
  return program;
}

std::string SerializeProgram(const FuzzProgram& program) {
  std::string bytes(reinterpret_cast<const char*>(program.options), 2);
  for (const FuzzStep& step : program.steps) {
    bytes.push_back(static_cast<char>(static_cast<uint8_t>(step.op) | (step.side != 0 ? 0x80 : 0)));
    bytes += step.arguments;
  }
  return bytes;
}

std::string DescribeStep(const FuzzStep& step) {
  std::string text =
      absl::StrCat(step.side == 0 ? "connector" : "acceptor", ": ", kOps[static_cast<size_t>(step.op)].name);
  if (step.op == FuzzOp::kInject && step.arguments.size() >= 2 + kFrameHeaderSize) {
    FrameHeader header;
    DecodeFrameHeader(step.arguments.data() + 2, &header);
    absl::StrAppend(&text, " kind ", static_cast<int>(header.kind), ", call ", header.call_id);
  }
  return text;
}

std::string RunProgram(const FuzzProgram& program, SessionCoverage* coverage) {
  return RunProgram(program, coverage, nullptr);
}

std::string RunProgram(const FuzzProgram& program, SessionCoverage* coverage,
                       const std::function<void(size_t, int, const std::string&)>& record) {
  SessionWorld::Options options;
  options.side[0] = OptionsOf(program.options[0]);
  options.side[1] = OptionsOf(program.options[1]);
  options.max_calls = kMaxCalls;
  SessionWorld world(options, coverage);
  size_t number = 0;
  Usage usage;
  world.on_frame = [&](int side, const std::string& frame) {
    ++usage.frames;
    if (record) record(number, side, frame);
  };
  bool lost = false;
  for (const FuzzStep& step : program.steps) {
    if (!world.failure().empty() || usage.frames > kMaxFrames) break;
    lost = lost || step.op == FuzzOp::kLose;
    if (lost) break;
    RunStep(&world, step, &usage);
    ++number;
  }
  if (world.failure().empty() && !lost) world.Settle();
  if (world.failure().empty()) world.Lose();
  return world.failure();
}

bool ParseCorpusText(const std::string& text, std::string* bytes) {
  bytes->clear();
  int high = -1;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '#') {
      while (i < text.size() && text[i] != '\n') ++i;
    } else if (std::isxdigit(static_cast<unsigned char>(c)) != 0) {
      const int digit = c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10;
      if (high < 0) {
        high = digit;
      } else {
        bytes->push_back(static_cast<char>(high * 16 + digit));
        high = -1;
      }
    } else if (std::isspace(static_cast<unsigned char>(c)) == 0) {
      return false;
    }
  }
  return high < 0;
}

std::string CorpusText(const std::string& comment, const FuzzProgram& program) {
  const auto hex = [](const std::string& bytes) {
    std::string line;
    for (char byte : bytes) absl::StrAppendFormat(&line, "%s%02x", line.empty() ? "" : " ", static_cast<uint8_t>(byte));
    return line;
  };
  std::string text = absl::StrCat("# ", comment, "\n");
  absl::StrAppend(&text, hex(std::string(reinterpret_cast<const char*>(program.options), 2)), "  # options\n");
  for (const FuzzStep& step : program.steps) {
    FuzzProgram one;
    one.steps.push_back(step);
    std::string line = hex(SerializeProgram(one).substr(2));
    absl::StrAppend(&text, line, "  # ", DescribeStep(step), "\n");
  }
  return text;
}

}  // namespace nearcall::internal

#if defined(__clang__)
#pragma clang attribute pop
#endif
