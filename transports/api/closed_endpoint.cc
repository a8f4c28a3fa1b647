// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0

#include "nearcall/transports/api/closed_endpoint.h"

#include <string>
#include <utility>

namespace nearcall {
namespace {

class ClosedEndpoint final : public Endpoint {
 public:
  ClosedEndpoint(absl::string_view transport, absl::Status why) : why_(std::move(why)) {
    info_.transport = std::string(transport);
    info_.max_frame = 4096;
  }
  const EndpointInfo& info() const override { return info_; }
  absl::Status status() const override { return why_; }
  Io Reserve(size_t, absl::Span<char>*) override { return Io::kClosed; }
  Io Commit(size_t, absl::Span<UniqueFd>) override { return Io::kClosed; }
  Io Flush() override { return Io::kClosed; }
  Io Borrow(Frame*) override { return Io::kClosed; }
  void Release() override {}
  bool Arm(Side) override { return false; }
  void Disarm(Side) override {}
  std::array<pollfd, 3> PollFds(Side) const override { return {{{-1, 0, 0}, {-1, 0, 0}, {-1, 0, 0}}}; }
  Io Wait(Side, int64_t) override { return Io::kClosed; }
  void Close(absl::Status) override {}

 private:
  EndpointInfo info_;
  const absl::Status why_;
};

}  // namespace

std::unique_ptr<Endpoint> NewClosedEndpoint(absl::string_view transport, absl::Status why) {
  return std::make_unique<ClosedEndpoint>(transport, std::move(why));
}

}  // namespace nearcall
