// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
#include "nearcall/tests/bench/instructions.h"

#include <stdio.h>

#include <algorithm>
#include <fstream>
#include <map>
#include <memory>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/strip.h"

namespace nearcall::bench {
namespace {

constexpr size_t kTop = 40;
constexpr absl::Duration kLimit = absl::Seconds(120);

using ByFunction = std::map<std::string, double>;

// The files that callgrind wrote for one run.
struct Run {
  std::string client;
  std::string server;  // empty: there is one process
};

std::vector<std::string> Callgrind(const std::string& file) {
  return {"valgrind", "-q", "--tool=callgrind", absl::StrCat("--callgrind-out-file=", file),
          absl::StrCat("--log-file=", file, ".log")};
}

absl::StatusOr<Run> RunUnderCallgrind(const PeerKind& kind, const ScratchFolder& folder, size_t payload,
                                      int64_t calls) {
  Run run;
  run.client = folder.Path(absl::StrCat("client-", calls));
  std::string address = absl::StrCat(kind.transport, ":callgrind");
  std::unique_ptr<Peer> peer;
  if (!kind.one_process()) {
    run.server = folder.Path(absl::StrCat("server-", calls));
    absl::StatusOr<std::unique_ptr<Peer>> started = Peer::Start(kind, folder, Callgrind(run.server));
    if (!started.ok()) return started.status();
    peer = *std::move(started);
    address = peer->address();
  }
  std::vector<std::string> command = Callgrind(run.client);
  command.insert(command.end(), {SelfPath(), "--call", kind.ToString(), "--address", address, "--payload",
                                 absl::StrCat(payload), "--calls", absl::StrCat(calls)});
  absl::StatusOr<std::unique_ptr<ChildProcess>> client = ChildProcess::Start(command);
  if (!client.ok()) return client.status();
  absl::StatusOr<std::string> said = (*client)->Hear(kLimit);
  if (absl::Status status = (*client)->End(kLimit); !status.ok()) return status;
  if (!said.ok()) return said.status();
  if (peer != nullptr) {
    if (absl::Status status = peer->End(); !status.ok()) return status;
  }
  return run;
}

absl::StatusOr<double> Total(const std::string& file) {
  std::ifstream in(file);
  for (std::string line; std::getline(in, line);) {
    absl::string_view rest = line;
    double total;
    if (absl::ConsumePrefix(&rest, "totals: ") && absl::SimpleAtod(rest, &total)) return total;
  }
  return absl::InternalError(absl::StrCat(file, ": callgrind wrote no totals"));
}

absl::StatusOr<double> PerCall(const std::string& once, const std::string& twice, int64_t calls) {
  if (once.empty()) return 0.0;
  absl::StatusOr<double> first = Total(once);
  if (!first.ok()) return first;
  absl::StatusOr<double> second = Total(twice);
  if (!second.ok()) return second;
  return (*second - *first) / static_cast<double>(calls);
}

// Reads callgrind_annotate's lines: "1,234 (5.67%)  file:function [object]".
ByFunction Annotate(const std::string& file, bool inclusive) {
  ByFunction found;
  const std::string command = absl::StrCat(
      "callgrind_annotate --auto=no --threshold=100 --inclusive=", inclusive ? "yes" : "no", " ", file, " 2>&1");
  FILE* const pipe = ::popen(command.c_str(), "re");
  if (pipe == nullptr) return found;
  char buffer[8192];
  while (::fgets(buffer, sizeof(buffer), pipe) != nullptr) {
    const std::string line = buffer;
    const size_t open = line.find('('), close = line.find(')');
    if (open == std::string::npos || close == std::string::npos || close < open) continue;
    double count;
    if (!absl::SimpleAtod(absl::StrReplaceAll(line.substr(0, open), {{",", ""}}), &count)) continue;
    std::string name = line.substr(line.find_first_not_of(' ', close + 1));
    if (!name.empty() && name.back() == '\n') name.pop_back();
    // Without the source file before the function's name, and with the object's last part only.
    if (const size_t colon = name.find(':'); colon != std::string::npos && name[colon + 1] != ':')
      name.erase(0, colon + 1);
    if (name == "PROGRAM TOTALS") continue;
    if (const size_t object = name.rfind('['); object != std::string::npos) {
      const size_t slash = name.rfind('/');
      if (slash != std::string::npos && slash > object) name.erase(object + 1, slash - object);
    }
    found[name] += count;
  }
  ::pclose(pipe);
  return found;
}

std::string Top(const std::string& once, const std::string& twice, int64_t calls, bool inclusive) {
  ByFunction counts = Annotate(twice, inclusive);
  for (const auto& [name, count] : Annotate(once, inclusive)) counts[name] -= count;
  std::vector<std::pair<double, std::string>> sorted;
  for (const auto& [name, count] : counts) sorted.emplace_back(count / static_cast<double>(calls), name);
  std::sort(sorted.rbegin(), sorted.rend());
  std::string out;
  for (size_t i = 0; i < std::min(kTop, sorted.size()) && sorted[i].first >= 1; ++i) {
    absl::StrAppendFormat(&out, "%10.1f  %s\n", sorted[i].first, sorted[i].second);
  }
  return out;
}

std::string Profile(const std::string& side, const std::string& once, const std::string& twice, int64_t calls) {
  if (once.empty()) return "";
  return absl::StrCat("== ", side, ": instructions per call, callees included\n", Top(once, twice, calls, true),
                      "\n== ", side, ": instructions per call, by itself\n", Top(once, twice, calls, false), "\n");
}

}  // namespace

absl::StatusOr<Instructions> CountInstructions(const PeerKind& kind, size_t payload, int64_t calls, bool profile) {
  absl::StatusOr<std::unique_ptr<ScratchFolder>> folder = ScratchFolder::Make("bench");
  if (!folder.ok()) return folder.status();
  absl::StatusOr<Run> once = RunUnderCallgrind(kind, **folder, payload, calls);
  if (!once.ok()) return once.status();
  absl::StatusOr<Run> twice = RunUnderCallgrind(kind, **folder, payload, 2 * calls);
  if (!twice.ok()) return twice.status();
  absl::StatusOr<double> client = PerCall(once->client, twice->client, calls);
  if (!client.ok()) return client.status();
  absl::StatusOr<double> server = PerCall(once->server, twice->server, calls);
  if (!server.ok()) return server.status();
  Instructions result{*client, *server, ""};
  if (profile) {
    const std::string name = absl::StrCat(kind.name, " ", kind.transport, " ", payload, " B, ");
    result.profile = Profile(name + "client", once->client, twice->client, calls) +
                     Profile(name + "server", once->server, twice->server, calls);
  }
  return result;
}

}  // namespace nearcall::bench
