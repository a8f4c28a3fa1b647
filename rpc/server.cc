// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
#include "nearcall/rpc/server.h"

#include <cstdio>

#include "nearcall/rpc/runtime/fork_guard.h"
#include "nearcall/rpc/runtime/process.h"
#include "nearcall/rpc/runtime/server_core.h"

namespace nearcall {

using internal::ForkGuard;

Server::Server() : Server(ServerOptions()) {}
Server::Server(const ServerOptions& options) : core_(internal::MakeParents<internal::ServerCore>(options)) {
  ForkGuard::Install();
}
Server::~Server() {
  if (!ForkGuard::Forked()) core_->Stop();
}

void Server::AddService(ServiceBase* service) {
  if (!ForkGuard::Forked()) core_->AddService(service);
}
absl::Status Server::Listen(absl::string_view address) {
  return ForkGuard::Forked() ? ForkGuard::Error() : core_->Listen(address);
}
std::vector<std::string> Server::addresses() const {
  return ForkGuard::Forked() ? std::vector<std::string>() : core_->addresses();
}

void Server::Run() {
  const std::string errors = ForkGuard::Forked() ? ForkGuard::Error().ToString() : core_->ServiceErrors();
  if (!errors.empty()) std::fprintf(stderr, "nearcall: %s\n", errors.c_str());
  if (ForkGuard::Forked()) return;
  internal::Process::Get().AddSignalled(core_);
  core_->Run();
  internal::Process::Get().RemoveSignalled(core_.get());
}

void Server::Shutdown(absl::Duration drain) {
  if (!ForkGuard::Forked()) core_->Shutdown(drain);
}

}  // namespace nearcall
