// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// The servers of one transport, one for each form of service, and the forms.
//
//   auto servers = InteropServers::Start("mq", {SelfPath(), "--serve"});
//   RunCase(Cases()[0], "callback", (*servers)->address("async"));
//   absl::Status ended = (*servers)->Stop();
//
// Each server is a process of its own: `command` with FORM ADDRESS FOLDER behind it, which calls ServeInterop(). Over
// inproc: all are here. Over exec: each channel starts its own, which listens at pipe:.
//
// Thread safety: none. Lifetime: the servers end with Stop() or the destructor. Errors name the transport and the form;
// Stop(): a server did not end well, or something is left of it.
#ifndef NEARCALL_TESTS_INTEROP_SERVERS_H_
#define NEARCALL_TESTS_INTEROP_SERVERS_H_

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "nearcall/rpc/nearcall.h"
#include "nearcall/tests/bench/process.h"

namespace nearcall::interop {

struct FormPair {
  std::string client;
  std::string server;
};
// Blocking with blocking, callback with async, coroutine with coroutine.
std::vector<FormPair> MatchingPairs();
std::vector<FormPair> AllPairs();

// As a table names it: exec: is pipe: at the end of the server.
std::string TransportText(const std::string& transport);

class InteropServers {
 public:
  static absl::StatusOr<std::unique_ptr<InteropServers>> Start(const std::string& transport,
                                                               const std::vector<std::string>& command);
  const std::string& address(const std::string& form) const { return addresses_.at(form); }
  absl::Status Stop();

 private:
  InteropServers(std::string transport, std::unique_ptr<bench::ScratchFolder> folder)
      : transport_(std::move(transport)), folder_(std::move(folder)) {}
  absl::Status StartForm(const std::string& form, const std::vector<std::string>& command);
  absl::Status ListenHere(const std::string& form);
  absl::Status StartProcess(const std::string& form, const std::vector<std::string>& command);
  absl::Status CheckNothingLeft() const;

  const std::string transport_;
  const std::unique_ptr<bench::ScratchFolder> folder_;
  std::map<std::string, std::string> addresses_;
  std::map<std::string, std::unique_ptr<bench::ChildProcess>> processes_;
  std::vector<std::unique_ptr<ServiceBase>> services_;
  std::vector<std::unique_ptr<Server>> servers_;  // of services_
};

// FORM ADDRESS FOLDER: serves there until SIGTERM; at pipe:, until the connection ends. Says "ready ADDRESS" on stdout,
// but at pipe:. The folder only shows whose this process is.
int ServeInterop(const std::vector<std::string>& arguments);

}  // namespace nearcall::interop

#endif  // NEARCALL_TESTS_INTEROP_SERVERS_H_
