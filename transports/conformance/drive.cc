// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0

#include "nearcall/transports/conformance/drive.h"

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <fstream>
#include <utility>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "nearcall/transports/api/poll.h"

namespace nearcall {

bool Eventually(const std::function<bool()>& condition) {
  const int64_t end = After(kPatience);
  while (!condition()) {
    if (MonotonicNanos() > end) return false;
    PollUntil({}, After(kMillisecond / 10));
  }
  return true;
}

std::string Pattern(size_t size, uint64_t seed) {
  std::string result(size, '\0');
  uint64_t state = seed * 0x9e3779b97f4a7c15u + size + 1;
  for (char& c : result) {
    state ^= state << 13, state ^= state >> 7, state ^= state << 17;
    c = static_cast<char>(state);
  }
  return result;
}

Io CommitFrame(Endpoint& end, absl::string_view frame) {
  const int64_t deadline = After(kPatience);
  for (;;) {
    absl::Span<char> space;
    Io io = end.Reserve(frame.size(), &space);
    if (io == Io::kOk) {
      EXPECT_EQ(space.size(), frame.size());
      if (!frame.empty()) std::memcpy(space.data(), frame.data(), frame.size());
      return end.Commit(frame.size(), {});
    }
    if (io == Io::kWouldBlock) io = end.Wait(Side::kSend, deadline);
    if (io != Io::kOk) return io;
  }
}

Io FlushAll(Endpoint& end) {
  const int64_t deadline = After(kPatience);
  for (;;) {
    const Io io = end.Flush();
    if (io != Io::kWouldBlock) return io;
    if (end.Wait(Side::kSend, deadline) == Io::kWouldBlock) return Io::kWouldBlock;
  }
}

Io SendFrame(Endpoint& end, absl::string_view frame) {
  const Io io = CommitFrame(end, frame);
  return io == Io::kOk ? FlushAll(end) : io;
}

Io ReceiveFrame(Endpoint& end, std::string* frame, int64_t deadline_ns) {
  for (;;) {
    Frame borrowed;
    const Io io = end.Borrow(&borrowed);
    if (io == Io::kOk) {
      frame->assign(borrowed.bytes.data(), borrowed.bytes.size());
      end.Release();
      return io;
    }
    if (io == Io::kClosed) return io;
    if (end.Wait(Side::kReceive, deadline_ns) == Io::kWouldBlock) return Io::kWouldBlock;
  }
}

int ReceiveToTheEnd(Endpoint& end) {
  std::string frame;
  for (int count = 0;; ++count) {
    const Io io = ReceiveFrame(end, &frame);
    if (io == Io::kClosed) return count;
    if (io == Io::kWouldBlock) return -1;
  }
}

namespace {

// Sleeps until one of the two can go on. A side that refuses to be armed can.
bool SleepForEither(Endpoint& from, Endpoint& to) {
  std::vector<pollfd> fds;
  bool sleep = true;
  for (const auto& [end, side] : {std::pair(&from, Side::kSend), std::pair(&to, Side::kReceive)}) {
    if (!end->Arm(side)) {
      // Nothing to send is no reason to hurry.
      sleep = sleep && side == Side::kSend;
      continue;
    }
    for (const pollfd& fd : end->PollFds(side)) fds.push_back(fd);
  }
  const int ready = sleep ? PollUntil(absl::MakeSpan(fds), After(kPatience)) : 1;
  from.Disarm(Side::kSend);
  to.Disarm(Side::kReceive);
  return ready > 0;
}

}  // namespace

bool Transfer(Endpoint& from, Endpoint& to, const std::vector<std::string>& frames) {
  size_t sent = 0;
  size_t received = 0;
  while (received < frames.size()) {
    absl::Span<char> space;
    bool progress = false;
    while (sent < frames.size() && from.Reserve(frames[sent].size(), &space) == Io::kOk) {
      std::copy(frames[sent].begin(), frames[sent].end(), space.begin());
      if (from.Commit(frames[sent].size(), {}) != Io::kOk) break;
      ++sent;
      progress = true;
    }
    if (from.Flush() == Io::kClosed) {
      ADD_FAILURE() << "the sender is closed: " << from.status();
      return false;
    }
    Frame frame;
    Io io;
    while ((io = to.Borrow(&frame)) == Io::kOk) {
      progress = true;
      if (received >= frames.size() || absl::string_view(frame.bytes.data(), frame.bytes.size()) != frames[received]) {
        ADD_FAILURE() << "frame " << received << " is not what was sent (" << frame.bytes.size() << " bytes)";
        to.Release();
        return false;
      }
      to.Release();
      ++received;
    }
    if (io == Io::kClosed) {
      ADD_FAILURE() << "closed after " << received << " of " << frames.size() << " frames: " << to.status();
      return false;
    }
    if (!progress && !SleepForEither(from, to)) {
      ADD_FAILURE() << "stuck after " << received << " of " << frames.size() << " frames";
      return false;
    }
  }
  return true;
}

bool Ready(Endpoint& end, Side side, int64_t wait_ns) {
  if (!end.Arm(side)) return true;
  std::array<pollfd, 3> fds = end.PollFds(side);
  const int ready = PollUntil(absl::MakeSpan(fds), After(wait_ns));
  end.Disarm(side);
  return ready > 0;
}

std::unique_ptr<Endpoint> AcceptOne(Listener& listener, int64_t wait_ns, const std::function<void()>& meanwhile) {
  const int64_t end = After(wait_ns);
  for (;;) {
    if (meanwhile) meanwhile();
    absl::StatusOr<std::unique_ptr<Endpoint>> accepted = listener.Accept();
    if (!accepted.ok()) {
      ADD_FAILURE() << "Accept: " << accepted.status();
      return nullptr;
    }
    if (*accepted != nullptr) return *std::move(accepted);
    pollfd readable = {listener.fd(), POLLIN, 0};
    PollUntil(absl::MakeSpan(&readable, 1), meanwhile ? std::min(end, After(kMillisecond)) : end);
    if (MonotonicNanos() > end) return nullptr;
  }
}

struct Sleeper::State {
  std::atomic<pid_t> thread{0};
  std::atomic<bool> ended{false};
};

Sleeper::Sleeper(std::function<void()> body) : state_(std::make_shared<State>()) {
  thread_ = std::thread([state = state_, run = std::move(body)] {
    state->thread = ::gettid();
    run();
    state->ended = true;
  });
}

bool Sleeper::AwaitAsleep() const {
  // Asleep twice in a row: once may be a lock on the way.
  int seen = 0;
  return Eventually([this, &seen] {
           if (state_->ended) return true;
           std::ifstream stat(absl::StrCat("/proc/self/task/", state_->thread.load(), "/stat"));
           std::string text;
           std::getline(stat, text);
           const size_t end = text.rfind(')');
           seen = end != std::string::npos && end + 2 < text.size() && text[end + 2] == 'S' ? seen + 1 : 0;
           return seen >= 3;
         }) &&
         !state_->ended;
}

bool Sleeper::AwaitEnd() const {
  return Eventually([this] { return state_->ended.load(); });
}

}  // namespace nearcall
