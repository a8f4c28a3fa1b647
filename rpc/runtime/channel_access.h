// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// From a Channel to what it stands for, for generated code.
#ifndef NEARCALL_RPC_RUNTIME_CHANNEL_ACCESS_H_
#define NEARCALL_RPC_RUNTIME_CHANNEL_ACCESS_H_

#include <cstdint>
#include <memory>
#include <utility>

#include "nearcall/rpc/channel.h"
#include "nearcall/rpc/runtime/channel_core.h"

namespace nearcall::internal {

struct ChannelAccess {
  static const std::shared_ptr<ChannelCore>& core(const Channel& channel) { return channel.core_; }
  static Channel Make(std::shared_ptr<ChannelCore> core) { return Channel(std::move(core)); }
  static const std::vector<std::shared_ptr<Transport>>& transports(const ChannelOptions& options) {
    return options.transports_;
  }
  static void SetFirstCallId(uint32_t id, ChannelOptions* options) { options->first_call_id_ = id; }
};

}  // namespace nearcall::internal

#endif  // NEARCALL_RPC_RUNTIME_CHANNEL_ACCESS_H_
