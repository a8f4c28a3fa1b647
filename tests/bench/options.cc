// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
#include "nearcall/tests/bench/options.h"

#include <algorithm>
#include <functional>
#include <map>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "nearcall/tests/bench/figures.h"
#include "nearcall/tests/bench/plan.h"

namespace nearcall::bench {
namespace {

const char* const kTransports[] = {"unix", "shm", "local", "inproc", "mmap", "mq", "exec", "fifo", "tcp"};

absl::Status Bad(const std::string& flag, const std::string& value, const std::string& wants) {
  return absl::InvalidArgumentError(absl::StrCat("--", flag, " '", value, "': it takes ", wants, "; see --help"));
}

// Takes the value of a flag; what it says is what the flag takes where it does not like the value.
using Take = std::function<std::string(const std::string& value)>;

template <class T>
Take IntoNumber(T& into, T least, T most) {
  return [&into, least, most](const std::string& value) -> std::string {
    double number;
    if (!absl::SimpleAtod(value, &number) || number < static_cast<double>(least) ||
        number > static_cast<double>(most)) {
      return absl::StrCat("a number from ", least, " to ", most);
    }
    into = static_cast<T>(number);
    return "";
  };
}

Take IntoString(std::string& into) {
  return [&into](const std::string& value) -> std::string {
    into = value;
    return value.empty() ? "a text" : "";
  };
}

Take IntoPayloads(std::vector<size_t>& into) {
  return [&into](const std::string& value) -> std::string {
    into.clear();
    for (absl::string_view part : absl::StrSplit(value, ',')) {
      uint32_t payload;
      // nearcall's receive limit is 4 MiB by default.
      if (!absl::SimpleAtoi(part, &payload) || payload == 0 || payload > (4 << 20) - 64) return "bytes, as 64,65536";
      into.push_back(payload);
    }
    return "";
  };
}

std::map<std::string, Take> Flags(Options& options) {
  return {
      {"transport",
       [&options](const std::string& value) -> std::string {
         options.transports = absl::StrSplit(value, ',');
         for (const std::string& transport : options.transports) {
           if (std::count(std::begin(kTransports), std::end(kTransports), transport) == 0)
             return absl::StrCat("some of ", absl::StrJoin(kTransports, ","));
         }
         return "";
       }},
      {"payload", IntoPayloads(options.payloads)},
      {"only",
       [&options](const std::string& value) -> std::string {
         options.only = absl::StrSplit(value, ',');
         return "";
       }},
      {"rounds", IntoNumber(options.rounds.rounds, 1, 1000)},
      {"seconds", IntoNumber(options.rounds.seconds, 0.001, 60.0)},
      {"quiet", IntoNumber(options.rounds.quiet_seconds, 0.0, 3600.0)},
      {"calls", IntoNumber(options.calls, int64_t{1}, int64_t{100'000'000})},
      {"json", IntoString(options.json)},
      {"profile", IntoString(options.profile)},
      {"update", IntoString(options.update)},
      {"serve", IntoString(options.serve)},
      {"call", IntoString(options.call)},
      {"address", IntoString(options.address)},
  };
}

std::map<std::string, std::function<void()>> Switches(Options& options) {
  return {
      {"help", [&options] { options.help = true; }},
      {"load", [&options] { options.load = true; }},
      {"instructions", [&options] { options.only_instructions = true; }},
      {"no-instructions", [&options] { options.count_instructions = false; }},
  };
}

void ChooseTransports(Options& options) {
  if (!options.transports.empty()) return;
  if (options.load) {
    options.transports = {"shm", "unix"};
    return;
  }
  options.transports = {"unix", "shm", "inproc"};  // local: is shm: here
  std::vector<std::string>& others = options.update.empty() ? options.briefly : options.transports;
  others.insert(others.end(), {"mmap", "mq", "exec", "fifo", "tcp"});
}

}  // namespace

absl::StatusOr<Options> ParseOptions(int argc, char** argv) {
  Options options;
  const std::map<std::string, Take> flags = Flags(options);
  const std::map<std::string, std::function<void()>> switches = Switches(options);
  const std::vector<std::string> words(argv + 1, argv + argc);
  for (size_t i = 0; i < words.size(); ++i) {
    const std::string& word = words[i] == "-h" ? "--help" : words[i];
    if (word.rfind("--", 0) != 0)
      return absl::InvalidArgumentError(absl::StrCat("'", word, "' is not a flag; see --help"));
    const size_t equals = word.find('=');
    const std::string name = word.substr(2, equals == std::string::npos ? equals : equals - 2);
    if (const auto it = switches.find(name); it != switches.end() && equals == std::string::npos) {
      it->second();
      continue;
    }
    const auto it = flags.find(name);
    if (it == flags.end()) return absl::InvalidArgumentError(absl::StrCat("'", word, "' is not a flag; see --help"));
    if (equals == std::string::npos && i + 1 == words.size()) return Bad(name, "", "a value");
    const std::string value = equals == std::string::npos ? words[++i] : word.substr(equals + 1);
    if (const std::string wants = it->second(value); !wants.empty()) return Bad(name, value, wants);
  }
  ChooseTransports(options);
  if (!options.profile.empty()) options.only_instructions = true;
  if (!options.update.empty()) options.payloads = {kSmallPayload, kLargePayload};
  return options;
}

std::string HelpText() {
  return R"(bench: what a nearcall call costs, beside the same bytes with no framework.

  bench                                   all rows of unix, shm and inproc, short calls of the others; five minutes
  bench --load                            CPU time against load, for each SpinMode (shm and unix); two minutes
  bench --transport unix --payload 64     some rows (lists: unix,shm,local,inproc,mmap,mq,exec,fifo,tcp; bytes)
  bench --only one-core,64-outstanding    rows whose "workload/transport" has one of these in it
  bench --json FILE                       also as JSON lines
  bench --rounds 21 --seconds 0.5         more rounds, longer slots (9 and 0.15 s)
  bench --quiet 30                        on a machine that others use: up to 30 s per workload are spent on measuring
                                          again what others disturbed (more than a tenth of the cores)
  bench --instructions                    only instructions per call (callgrind), for each payload, client and server
  bench --profile FILE                    that, and the functions they are spent in, into FILE
  bench --no-instructions                 leaves them out
  bench --update docs/transports.md       only what its table of figures needs, of all transports, and puts it there;
                                          three minutes
  bench --calls N                         for the counted things (10000 for allocations, 1000 for instructions)

Peers: "nearcall" never spins (SpinMode::kNever), so both sides sleep between calls; "nearcall adaptive" is the default,
SpinMode::kAdaptive. Each is measured beside its own floor, which is the row above it: a Unix socket or shared memory
with a futex, and of both one that polls for up to 60 us before it sleeps ("-spin"), beside which the adaptive are on
two cores. Over shared memory a floor's call is three copies: into the memory, from slot to slot, out of it. That of
mmap is shm's; mq, fifo, tcp and exec (pipe: at the server's end) have blocking calls on two message queues, two FIFOs,
a connection over 127.0.0.1 and two pipes, beside which their adaptive are, too.

Workloads: "unary": one call at a time; "64-outstanding": calls begun by the callbacks of earlier ones, all beside a raw
Unix socket that reads and writes in batches. "two-cores": client on the first core, server on the second; "one-core":
both on the first, where the framework's own cost shows best, and where nobody should spin.

On two cores, beside one call at a time on the same channel: "64-threads", each in Wait(); "slow-stream", calls beside
a stream that is read slowly. "then" has the allocations of a call whose reply a callback takes.

Reading the table: times are of all slots of a row. A ratio "1.43 [1.38 1.50]" is the median and the quartiles over all
rounds of a slot against the floor's slots right before and after it; a goal is met when its upper quartile meets it.
CPU us/call, instructions and allocations are client and server together; allocations are those beyond what protobuf
alone makes. Of exec, whose server the client's address starts, only CPU is counted. "others %" is the share of all cores that other processes used meanwhile: above 10, don't trust times.
The "machine" rows show what a cache line and a wake-up cost here; compare them before comparing runs. While more
threads want to run than there are cores nobody adaptive spins, so on a busy machine those rows show sleeping.
More: README.md.
)";
}

}  // namespace nearcall::bench
