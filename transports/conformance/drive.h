// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// What tests do with endpoints: send, receive and wait, one thread or several, with a deadline on everything.
//
//   EXPECT_TRUE(Transfer(*pair.client, *pair.server, {"a", Pattern(65536, 7)}));
//   std::string frame;
//   EXPECT_EQ(ReceiveFrame(*pair.client, &frame), Io::kClosed);
//
// Thread safety: as the roles of Endpoint. Errors: Io::kWouldBlock and false mean that kPatience passed.
#ifndef NEARCALL_TRANSPORTS_CONFORMANCE_DRIVE_H_
#define NEARCALL_TRANSPORTS_CONFORMANCE_DRIVE_H_

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "nearcall/transports/api/clock.h"
#include "nearcall/transports/api/endpoint.h"

namespace nearcall {

inline constexpr int64_t kMillisecond = 1'000'000;
inline constexpr int64_t kPatience = 20'000 * kMillisecond;

inline int64_t After(int64_t ns) { return MonotonicNanos() + ns; }

// Polls `condition` until it holds; false after kPatience.
bool Eventually(const std::function<bool()>& condition);

// Bytes that differ from one seed and place to the next.
std::string Pattern(size_t size, uint64_t seed);

// Reserves, writes and commits one frame, waiting for space.
Io CommitFrame(Endpoint& end, absl::string_view frame);
Io FlushAll(Endpoint& end);
Io SendFrame(Endpoint& end, absl::string_view frame);  // both
Io ReceiveFrame(Endpoint& end, std::string* frame, int64_t deadline_ns = After(kPatience));
// Receives until the end and says how many frames came; -1: the end did not come.
int ReceiveToTheEnd(Endpoint& end);

// Sends `frames` and receives them at the other end, on this thread; false (and a gtest failure) where they do not all
// arrive whole and in order.
bool Transfer(Endpoint& from, Endpoint& to, const std::vector<std::string>& frames);

// Is something of PollFds(side) ready, now or within `wait_ns`? Arms and disarms.
bool Ready(Endpoint& end, Side side, int64_t wait_ns = 0);

// The next endpoint, or null after `wait_ns`; `meanwhile` is called between.
std::unique_ptr<Endpoint> AcceptOne(Listener& listener, int64_t wait_ns = kPatience,
                                    const std::function<void()>& meanwhile = nullptr);

// A thread that a test puts to sleep: runs `body`, and tells when the kernel has it asleep.
class Sleeper {
 public:
  explicit Sleeper(std::function<void()> body);
  ~Sleeper() { Join(); }
  bool AwaitAsleep() const;  // false after kPatience, or where it ended
  bool AwaitEnd() const;     // false after kPatience
  void Join() {
    if (thread_.joinable()) thread_.join();
  }

 private:
  struct State;
  const std::shared_ptr<State> state_;
  std::thread thread_;
};

}  // namespace nearcall

#endif  // NEARCALL_TRANSPORTS_CONFORMANCE_DRIVE_H_
