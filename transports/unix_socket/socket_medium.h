// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// The simplest medium: the rendezvous's socket carries the frames itself.
//
//   ListenRendezvous(address, Names::kNotAllowed, {&TheSocketMedium()});
//
// Thread-safe, stateless, static. Errors: none of its own.
#ifndef NEARCALL_TRANSPORTS_UNIX_SOCKET_SOCKET_MEDIUM_H_
#define NEARCALL_TRANSPORTS_UNIX_SOCKET_SOCKET_MEDIUM_H_

#include <memory>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "nearcall/transports/rendezvous/medium.h"

namespace nearcall::internal {

inline constexpr uint32_t kSocketMaxFrame = 65536;

class SocketMedium : public Medium {
 public:
  MediumBit bit() const override { return kMediumSocket; }
  absl::string_view name() const override { return "unix"; }
  uint32_t max_frame() const override { return kSocketMaxFrame; }
  std::unique_ptr<Endpoint> Dial(Meeting meeting) const override;
  absl::StatusOr<std::unique_ptr<Endpoint>> Serve(Meeting& meeting) const override;
};

const SocketMedium& TheSocketMedium();

}  // namespace nearcall::internal

#endif  // NEARCALL_TRANSPORTS_UNIX_SOCKET_SOCKET_MEDIUM_H_
