// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
#include "nearcall/rpc/server.h"

#include <cstdio>

#include "nearcall/rpc/runtime/blocking.h"
#include "nearcall/rpc/runtime/process.h"
#include "nearcall/rpc/runtime/server_core.h"

namespace nearcall {

Server::Server() : Server(ServerOptions()) {}
Server::Server(const ServerOptions& options) : core_(std::make_shared<internal::ServerCore>(options)) {}
Server::~Server() { core_->Stop(); }

void Server::AddService(ServiceBase* service) { core_->AddService(service); }
absl::Status Server::Listen(absl::string_view address) { return core_->Listen(address); }
std::vector<std::string> Server::addresses() const { return core_->addresses(); }

void Server::Run() {
  const std::string errors = core_->ServiceErrors();
  if (!errors.empty()) std::fprintf(stderr, "nearcall: %s\n", errors.c_str());
  internal::Process::Get().AddSignalled(core_);
  core_->WaitUntilDone();
  internal::Process::Get().RemoveSignalled(core_.get());
}

void Server::Shutdown(absl::Duration drain) { core_->Shutdown(drain); }

}  // namespace nearcall
