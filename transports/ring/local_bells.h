// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// LocalBells: how one role of an endpoint wakes the other, within this process. A wake-up comes as a byte on the one
// socket that both roles poll; a role that takes a byte off which was meant for the other hands it on.
//
//   bells.Arm(Side::kSend); poll(bells.fd(Side::kSend)); bells.Disarm(Side::kSend);    // the sender
//   bells.Ring(Side::kSend);                                                           // the receiver
//
// The descriptors never leave the process: a peer that shared them could make reading and writing them block.
//
// Thread safety: Arm() and Disarm() of a side by its role, Ring() from any thread. Lifetime: as the endpoint's. Errors:
// status().
#ifndef NEARCALL_TRANSPORTS_RING_LOCAL_BELLS_H_
#define NEARCALL_TRANSPORTS_RING_LOCAL_BELLS_H_

#include <errno.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cstdint>

#include "absl/status/status.h"
#include "nearcall/transports/api/endpoint.h"
#include "nearcall/transports/api/errno_status.h"
#include "nearcall/transports/api/unique_fd.h"

namespace nearcall::internal {

class LocalBells {
 public:
  LocalBells() {
    for (Bell& bell : bells_) {
      bell.fd.Reset(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
      if (!bell.fd.valid()) status_ = ErrnoStatus(errno, "no descriptor to wake sleepers with (eventfd)");
    }
  }

  const absl::Status& status() const { return status_; }
  int fd(Side side) const { return At(side).fd.get(); }

  void Arm(Side side) { At(side).armed.store(true); }
  void Disarm(Side side) {
    Bell& bell = At(side);
    bell.armed.store(false);
    uint64_t value;
    if (bell.rung.exchange(false)) static_cast<void>(::read(bell.fd.get(), &value, sizeof(value)) < 0);
  }
  // Only a side that is armed is woken: one that is not looks again before it sleeps.
  void Ring(Side side) {
    Bell& bell = At(side);
    if (!bell.armed.load()) return;
    const uint64_t one = 1;
    static_cast<void>(::write(bell.fd.get(), &one, sizeof(one)) < 0);  // full: readable anyway
    bell.rung.store(true);  // after: who finds it true finds the bell readable
  }

 private:
  struct Bell {
    UniqueFd fd;
    std::atomic<bool> armed{false};
    std::atomic<bool> rung{false};
  };
  Bell& At(Side side) { return bells_[side == Side::kSend ? 0 : 1]; }
  const Bell& At(Side side) const { return bells_[side == Side::kSend ? 0 : 1]; }

  std::array<Bell, 2> bells_;
  absl::Status status_;
};

inline Side OtherSide(Side side) { return side == Side::kSend ? Side::kReceive : Side::kSend; }

}  // namespace nearcall::internal

#endif  // NEARCALL_TRANSPORTS_RING_LOCAL_BELLS_H_
