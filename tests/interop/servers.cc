// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
#include "nearcall/tests/interop/servers.h"

#include <signal.h>

#include <cstdlib>
#include <filesystem>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "nearcall/tests/interop/services.h"

namespace nearcall::interop {
namespace {

constexpr char kPipe[] = "pipe:";
constexpr char kReady[] = "ready ";
constexpr absl::Duration kStartLimit = absl::Seconds(20);
// For a server that exec: started to see the end of its pipes: before its keeper would send it a signal.
constexpr absl::Duration kEndLimit = absl::Seconds(4);

std::vector<std::string> With(std::vector<std::string> command, const std::vector<std::string>& more) {
  command.insert(command.end(), more.begin(), more.end());
  return command;
}

}  // namespace

std::vector<FormPair> MatchingPairs() {
  return {{"blocking", "blocking"}, {"callback", "async"}, {"coroutine", "coroutine"}};
}

std::vector<FormPair> AllPairs() {
  std::vector<FormPair> pairs;
  for (const FormPair& client : MatchingPairs()) {
    for (const FormPair& server : MatchingPairs()) pairs.push_back({client.client, server.server});
  }
  return pairs;
}

std::string TransportText(const std::string& transport) {
  return transport == "exec" ? "exec (server: pipe)" : transport;
}

absl::StatusOr<std::unique_ptr<InteropServers>> InteropServers::Start(const std::string& transport,
                                                                      const std::vector<std::string>& command) {
  absl::StatusOr<std::unique_ptr<bench::ScratchFolder>> folder = bench::ScratchFolder::Make("interop");
  if (!folder.ok()) return folder.status();
  std::unique_ptr<InteropServers> servers(new InteropServers(transport, *std::move(folder)));
  for (const FormPair& pair : MatchingPairs()) {
    if (absl::Status status = servers->StartForm(pair.server, command); !status.ok()) {
      return absl::Status(status.code(),
                          absl::StrCat("the ", pair.server, " server over ", transport, ": ", status.message()));
    }
  }
  return servers;
}

absl::Status InteropServers::StartForm(const std::string& form, const std::vector<std::string>& command) {
  if (transport_ == "inproc") return ListenHere(form);
  if (transport_ != "exec") return StartProcess(form, command);
  addresses_[form] = bench::ExecAddress(With(command, {form, kPipe, folder_->path()}));
  return absl::OkStatus();
}

absl::Status InteropServers::ListenHere(const std::string& form) {
  addresses_[form] = absl::StrCat("inproc:interop-", form);
  services_.push_back(NewTestService(form));
  servers_.push_back(std::make_unique<Server>());
  servers_.back()->AddService(services_.back().get());
  return servers_.back()->Listen(addresses_[form]);
}

absl::Status InteropServers::StartProcess(const std::string& form, const std::vector<std::string>& command) {
  const std::string address =
      transport_ == "tcp" ? "tcp:127.0.0.1:0" : absl::StrCat(transport_, ":", folder_->Path(form));
  auto process = bench::ChildProcess::Start(With(command, {form, address, folder_->path()}));
  if (!process.ok()) return process.status();
  const absl::StatusOr<std::string> line = (*process)->Hear(kStartLimit);
  if (!line.ok()) return line.status();
  absl::string_view bound = *line;
  if (!absl::ConsumePrefix(&bound, kReady)) return absl::InternalError(*line);
  addresses_[form] = std::string(bound);
  processes_[form] = *std::move(process);
  return absl::OkStatus();
}

absl::Status InteropServers::Stop() {
  servers_.clear();
  absl::Status result;
  for (const auto& [form, process] : processes_) {
    ::kill(process->pid(), SIGTERM);
    absl::Status ended = process->End(absl::Seconds(10));
    if (!ended.ok()) {
      result.Update(
          absl::Status(ended.code(), absl::StrCat("the ", form, " server over ", transport_, ": ", ended.message())));
    }
  }
  processes_.clear();
  result.Update(CheckNothingLeft());
  return result;
}

absl::Status InteropServers::CheckNothingLeft() const {
  std::vector<std::string> left;
  for (const auto& entry : std::filesystem::directory_iterator(folder_->path())) left.push_back(entry.path().string());
  for (const pid_t pid : bench::AwaitEndOfThoseNaming(folder_->path(), kEndLimit)) {
    left.push_back(absl::StrCat("process ", pid));
  }
  if (left.empty()) return absl::OkStatus();
  return absl::DataLossError(absl::StrCat("left of the servers over ", transport_, ": ", absl::StrJoin(left, ", ")));
}

int ServeInterop(const std::vector<std::string>& arguments) {
  if (arguments.size() != 3) return 2;
  const std::unique_ptr<ServiceBase> service = NewTestService(arguments[0]);
  if (service == nullptr) return 2;
  Server server;
  server.AddService(service.get());
  if (absl::Status status = server.Listen(arguments[1]); !status.ok()) return ExitWith(status);
  if (arguments[1] != kPipe) bench::SayLine(absl::StrCat(kReady, server.addresses().front()));
  server.Run();
  return EXIT_SUCCESS;
}

}  // namespace nearcall::interop
