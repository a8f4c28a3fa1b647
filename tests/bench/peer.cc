// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
#include "nearcall/tests/bench/peer.h"

#include <signal.h>
#include <unistd.h>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/strip.h"
#include "nearcall/tests/bench/allocations.h"
#include "nearcall/tests/bench/floors.h"
#include "nearcall/tests/bench/nearcall_peer.h"

namespace nearcall::bench {
namespace {

constexpr char kReady[] = "ready ";

std::string Escaped(const std::string& text) { return absl::StrReplaceAll(text, {{"%", "%25"}, {"?", "%3F"}}); }

// exec: splits its command at blanks.
std::string ExecAddress(const std::vector<std::string>& command) {
  std::string address = "exec:";
  for (const std::string& word : command)
    absl::StrAppend(&address, absl::StrReplaceAll(Escaped(word), {{" ", "%20"}}), " ");
  address.pop_back();
  return address;
}

// Where the server listens; of one that a link starts, the address that does.
std::string AddressOf(const PeerKind& kind, const ScratchFolder& folder) {
  const std::string name = absl::StrReplaceAll(kind.ToString(), {{" ", "-"}, {"/", "-"}});
  if (kind.is_floor()) return folder.Path(name);
  if (kind.one_process()) return absl::StrCat(kind.transport, ":bench-", ::getpid(), "-", name);
  if (kind.served_by_link()) {
    return ExecAddress({SelfPath(), "--serve", kind.ToString(), "--address", "pipe:"});
  }
  const std::string path = Escaped(folder.Path(name));
  if (kind.transport == "tcp") return absl::StrCat("tcp:127.0.0.1:0?token_file=", path);
  return absl::StrCat(kind.transport, ":", path);
}

}  // namespace

PeerKind PeerKind::Parse(const std::string& text) {
  const size_t slash = text.rfind('/');
  return slash == std::string::npos ? PeerKind{text, ""} : PeerKind{text.substr(0, slash), text.substr(slash + 1)};
}

absl::Status EchoLink::EchoThen() { return absl::UnimplementedError("this peer has no callbacks"); }
absl::StatusOr<std::unique_ptr<EchoLink::SlowStream>> EchoLink::ReadSlowly() {
  return absl::UnimplementedError("this peer has no streams");
}

absl::StatusOr<std::unique_ptr<EchoServer>> ServeEcho(const PeerKind& kind, const std::string& address) {
  return kind.is_floor() ? ServeFloor(address) : ServeNearcall(kind, address);
}

absl::StatusOr<std::unique_ptr<EchoLink>> OpenEcho(const PeerKind& kind, const std::string& address, size_t payload,
                                                   int outstanding) {
  return kind.is_floor() ? OpenFloor(kind, address, payload, outstanding)
                         : OpenNearcall(kind, address, payload, outstanding);
}

absl::StatusOr<std::unique_ptr<Peer>> Peer::Start(const PeerKind& kind, const ScratchFolder& folder,
                                                  const std::vector<std::string>& wrapper) {
  std::unique_ptr<Peer> peer(new Peer(kind));
  peer->address_ = AddressOf(kind, folder);
  if (kind.served_by_link()) return peer;
  if (kind.one_process()) {
    absl::StatusOr<std::unique_ptr<EchoServer>> server = ServeEcho(kind, peer->address_);
    if (!server.ok()) return server.status();
    peer->server_ = *std::move(server);
    return peer;
  }
  std::vector<std::string> command = wrapper;
  command.insert(command.end(), {SelfPath(), "--serve", kind.ToString(), "--address", peer->address_});
  absl::StatusOr<std::unique_ptr<ChildProcess>> process = ChildProcess::Start(command);
  if (!process.ok()) return process.status();
  absl::StatusOr<std::string> ready = (*process)->Hear(absl::Seconds(60));
  if (!ready.ok()) return ready.status();
  absl::string_view address = *ready;
  if (!absl::ConsumePrefix(&address, kReady)) {
    return absl::InternalError(absl::StrCat("the server at ", peer->address_, " says: ", *ready));
  }
  peer->address_ = std::string(address);  // with its port
  peer->process_ = *std::move(process);
  return peer;
}

absl::StatusOr<std::unique_ptr<EchoLink>> Peer::Open(size_t payload, int outstanding) const {
  if (kind_.served_by_link()) UnpinThisProcess();
  return OpenEcho(kind_, address_, payload, outstanding);
}

pid_t Peer::ServerPid(const EchoLink& link) const {
  if (kind_.served_by_link()) return link.server_pid();
  return process_ == nullptr ? 0 : process_->pid();
}

void Peer::Pin(const EchoLink& link, int client_cpu, int server_cpu) const {
  if (kind_.one_process()) {
    PinProcess(::getpid(), server_cpu);
    PinThisThread(client_cpu);
    return;
  }
  PinProcess(::getpid(), client_cpu);
  PinProcess(ServerPid(link), server_cpu);
}

int64_t Peer::CpuNanos(const EchoLink& link) const {
  return bench::CpuNanos(::getpid()) + (kind_.one_process() ? 0 : bench::CpuNanos(ServerPid(link)));
}

absl::Status Peer::StartCountingAllocations() const {
  if (process_ != nullptr) {
    absl::StatusOr<std::string> answer = process_->Ask("start");
    if (!answer.ok()) return answer.status();
  }
  bench::StartCountingAllocations();
  return absl::OkStatus();
}

absl::StatusOr<int64_t> Peer::StopCountingAllocations() const {
  int64_t total = bench::StopCountingAllocations();
  if (process_ == nullptr) return total;
  absl::StatusOr<std::string> answer = process_->Ask("stop");
  if (!answer.ok()) return answer.status();
  int64_t of_server;
  if (!absl::SimpleAtoi(*answer, &of_server)) {
    return absl::InternalError(absl::StrCat("the server at ", address_, " says: ", *answer));
  }
  return total + of_server;
}

absl::Status Peer::End() {
  server_.reset();
  return process_ == nullptr ? absl::OkStatus() : process_->End(absl::Seconds(30));
}

absl::Status RunServer(const PeerKind& kind, const std::string& address) {
  absl::StatusOr<std::unique_ptr<EchoServer>> server = ServeEcho(kind, address);
  if (kind.served_by_link()) {  // stdin and stdout are the benchmark's own
    if (!server.ok()) return server.status();
    ::signal(SIGINT, SIG_IGN);  // Ctrl-C reaches it too; the benchmark ends its links in good order
    (*server)->Run();
    return absl::OkStatus();
  }
  if (!server.ok()) {
    SayLine(server.status().ToString());
    return server.status();
  }
  SayLine(absl::StrCat(kReady, (*server)->address()));
  for (std::string line; HearLine(line);) {
    if (line == "start") {
      SayLine("counting");
      StartCountingAllocations();
    } else {
      SayLine(absl::StrCat(StopCountingAllocations()));
    }
  }
  return absl::OkStatus();
}

absl::Status RunClient(const PeerKind& kind, const std::string& address, size_t payload, int64_t calls) {
  std::unique_ptr<EchoServer> own;
  if (kind.one_process()) {
    absl::StatusOr<std::unique_ptr<EchoServer>> server = ServeEcho(kind, address);
    if (!server.ok()) return server.status();
    own = *std::move(server);
  }
  absl::StatusOr<std::unique_ptr<EchoLink>> link = OpenEcho(kind, address, payload, 1);
  if (!link.ok()) return link.status();
  for (int64_t i = 0; i < calls; ++i) {
    if (absl::Status status = (*link)->Echo(); !status.ok()) return status;
  }
  SayLine("done");
  return absl::OkStatus();
}

}  // namespace nearcall::bench
