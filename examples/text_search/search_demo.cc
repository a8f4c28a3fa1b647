// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// The search's part of `./dev demo`: the same searches over each transport, checked against grep, and measured.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "nearcall/examples/demo_process/process.h"
#include "nearcall/examples/demo_process/result.h"
#include "nearcall/examples/text_search/arguments.h"
#include "nearcall/examples/text_search/patterns.h"
#include "nearcall/examples/text_search/service.h"
#include "nearcall/examples/text_search/tree.h"
#include "text_search.nearcall.h"

namespace text_search {
namespace {

using v1::Match;
using v1::SearchRequest;
using v1::StatsRequest;
using Stub = v1::TextSearch::Stub;

constexpr char kUsage[] = R"(usage: search_demo PROGRAMS DIRECTORY ROOT [--time TIME] [--result FILE]

Searches the tree ROOT over each transport and checks what is found against grep. PROGRAMS: the folder of
text_search_server. DIRECTORY: an empty one for the sockets. ./dev demo does this.

  --time TIME     how long each transport is measured (default 600ms)
  --result FILE   write the last line to FILE as well
)";

// ---- over what

enum class ServerIs {
  kHere,              // in this process, listening at the address
  kProcess,           // a process of its own, which listens at the address and says where that is
  kStartedByAddress,  // a process that the client's address starts
};

struct Way {
  const char* transport;
  ServerIs server;
  const char* address;  // {dir} is the private directory, {server} the server's program, {root} the tree
};

// A further transport is a further line.
constexpr Way kWays[] = {
    {"inproc", ServerIs::kHere, "inproc:search"},
    {"unix", ServerIs::kProcess, "unix:{dir}/unix"},
    {"shm", ServerIs::kProcess, "shm:{dir}/shm"},
    {"local", ServerIs::kProcess, "local:{dir}/local"},
    {"mmap", ServerIs::kProcess, "mmap:{dir}/mmap"},
    {"mq", ServerIs::kProcess, "mq:{dir}/mq"},
    {"fifo", ServerIs::kProcess, "fifo:{dir}/fifo"},
    {"tcp", ServerIs::kProcess, "tcp:127.0.0.1:0"},
    {"exec", ServerIs::kStartedByAddress, "exec:{server} --root {root} pipe:"},
};

// No call waits for ever, whatever is broken.
constexpr absl::Duration kLimit = absl::Minutes(2);

nearcall::CallOptions Limited() { return nearcall::CallOptions().set_timeout(kLimit); }

std::string Line(const absl::Status& status) { return status.ToString(absl::StatusToStringMode::kWithNoExtraData); }

// ---- what grep finds

struct Expected {
  Pattern pattern;
  std::vector<std::string> lines;  // "path:line:text", sorted
};

// What grep, another program that reads the same files, prints for the pattern.
absl::StatusOr<std::vector<std::string>> Grep(const std::string& root, const std::string& pattern) {
  Process grep("grep", "/usr/bin/env", {"-C", root, "LC_ALL=C", "grep", "-rnIF", "--exclude-dir=.git", "-e", pattern},
               Process::Echo::kNothing);
  std::string output;
  const int code = grep.ReadToEnd(output, kLimit);
  // 2: a file could not be read, which it has said; the others have been searched.
  if (code < 0 || code > 2) return absl::InternalError(absl::StrCat("grep ended with exit code ", code));
  std::vector<std::string> lines = absl::StrSplit(output, '\n');
  lines.pop_back();  // nothing follows the last line's end
  std::sort(lines.begin(), lines.end());
  return lines;
}

// ---- what is measured

template <class T>
T Median(std::vector<T> samples) {
  std::sort(samples.begin(), samples.end());
  return samples[samples.size() / 2];
}

struct Row {
  std::string transport;
  size_t matches = 0;
  bool equal = true;
  absl::Duration first;  // from the start of a search to its first match
  absl::Duration whole;  // to its end
  double stream_mib_per_s = 0;
  absl::Duration unary;  // the median of one call there and back
  double unary_per_s = 0;
};

// One client of one server.
class Client {
 public:
  explicit Client(nearcall::Channel channel) : channel_(std::move(channel)), stub_(channel_) {}

  std::string transport() const { return channel_.transport(); }

  absl::StatusOr<std::vector<std::string>> Search(const std::string& pattern) const {
    std::vector<std::string> lines;
    auto matches = Start(pattern);
    for (Match match; matches.Read(match);) {
      lines.push_back(absl::StrCat(match.path(), ":", match.line(), ":", match.text()));
    }
    if (absl::Status status = matches.Finish(); !status.ok()) return status;
    std::sort(lines.begin(), lines.end());
    return lines;
  }

  // The pattern's search, again and again: how soon and how fast its matches come.
  absl::Status MeasureStream(const std::string& pattern, absl::Duration time, Row& row) const {
    std::vector<absl::Duration> firsts, wholes;
    size_t bytes = 0;
    const absl::Time begun = absl::Now();
    absl::Duration took;
    do {
      const absl::Time start = absl::Now();
      auto matches = Start(pattern);
      absl::Time first = absl::InfinitePast();
      for (Match match; matches.Read(match);) {
        if (first == absl::InfinitePast()) first = absl::Now();
        bytes += match.ByteSizeLong();
      }
      if (absl::Status status = matches.Finish(); !status.ok()) return status;
      wholes.push_back(absl::Now() - start);
      firsts.push_back(first == absl::InfinitePast() ? wholes.back() : first - start);
      took = absl::Now() - begun;
    } while (took < time);
    row.first = Median(firsts);
    row.whole = Median(wholes);
    row.stream_mib_per_s = static_cast<double>(bytes) / (1 << 20) / absl::ToDoubleSeconds(took);
    return absl::OkStatus();
  }

  absl::Status MeasureUnary(absl::Duration time, Row& row) const {
    std::vector<absl::Duration> samples;
    const absl::Time begun = absl::Now();
    absl::Time now = begun;
    do {
      const absl::Time start = now;
      if (absl::Status status = stub_.Stats(StatsRequest(), Limited()).Wait().status(); !status.ok()) return status;
      now = absl::Now();
      samples.push_back(now - start);
    } while (now - begun < time);
    row.unary = Median(samples);
    row.unary_per_s = static_cast<double>(samples.size()) / absl::ToDoubleSeconds(now - begun);
    return absl::OkStatus();
  }

 private:
  nearcall::ClientReader<Match> Start(const std::string& pattern) const {
    SearchRequest request;
    request.set_pattern(pattern);
    return stub_.Search(request, Limited());
  }

  const nearcall::Channel channel_;
  const Stub stub_;
};

// ---- the demo

class Demo {
 public:
  Demo(std::string programs, std::string directory, std::string root, absl::Duration time)
      : server_(programs + "/text_search_server"),
        directory_(std::move(directory)),
        root_(std::move(root)),
        time_(time) {}

  int Run(const std::string& result_file) {
    if (absl::Status status = Prepare(); !status.ok()) return nearcall::ExitWith(status);
    std::printf("\n%-14s %9s  %-7s %9s %9s %9s %10s %9s\n%-14s %9s  %-7s %9s %9s %9s %10s %9s\n", "", "", "same",
                "first", "whole", "stream", "unary call", "unary", "transport", "matches", "as grep", "match ms",
                "search ms", "MiB/s", "p50 us", "calls/s");
    size_t same = 0;
    for (const Way& way : kWays) {
      absl::StatusOr<Row> row = Try(way);
      if (!row.ok()) {
        std::printf("%-14s %s\n", way.transport, Line(row.status()).c_str());
      } else {
        Print(*row);
        same += row->equal ? 1 : 0;
      }
    }
    std::printf(
        "\nmatch, search and stream: those of the pattern with the most matches; all of it measured in this run\n");
    for (const std::string& text : wrong_) std::printf("WRONG: %s\n", text.c_str());
    const size_t all = std::size(kWays);
    return EndWith(same == all && wrong_.empty(),
                   absl::StrFormat("%d of %d transports gave the same as grep", same, all), result_file);
  }

 private:
  // Reads the tree, chooses what to look for, and asks grep.
  absl::Status Prepare() {
    const absl::Time begun = absl::Now();
    absl::StatusOr<Tree> tree = LoadTree(root_, TreeLimits());
    if (!tree.ok()) return tree.status();
    absl::PrintF(
        "\nThe search: a server reads the tree %s: %d files, %d lines, %.1f MiB, %d different trigrams, in %.0f ms\n",
        std::filesystem::canonical(root_).string(), tree->index.files(), tree->index.lines(),
        static_cast<double>(tree->index.bytes()) / (1 << 20), tree->index.trigrams(),
        absl::ToDoubleMilliseconds(absl::Now() - begun));
    const LeftOut& out = tree->left_out;
    absl::PrintF("left out: %d binary, %d .git, %d links, %d special, %d too large, %d unreadable\n\n", out.binary,
                 out.git_folders, out.symlinks, out.special, out.too_large.count, out.unreadable.count);
    std::printf("%-14s %9s  %s\n", "pattern", "lines", "what grep -rnIF --exclude-dir=.git finds");
    for (Pattern& pattern : ChoosePatterns(tree->index)) {
      absl::StatusOr<std::vector<std::string>> lines = Grep(root_, pattern.text);
      if (!lines.ok()) return lines.status();
      absl::PrintF("%-14s %9d  \"%s\"\n", pattern.kind, lines->size(), absl::CHexEscape(pattern.text));
      expected_.push_back({std::move(pattern), *std::move(lines)});
    }
    const auto fewer = [](const Expected& a, const Expected& b) { return a.lines.size() < b.lines.size(); };
    most_ = std::max_element(expected_.begin(), expected_.end(), fewer)->pattern.text;
    service_ = std::make_unique<SearchService>(*std::move(tree));
    return absl::OkStatus();
  }

  // All of one transport, from the server's start to its end.
  absl::StatusOr<Row> Try(const Way& way) {
    std::string address = Filled(way);
    nearcall::Server here;
    std::optional<Process> process;
    if (way.server == ServerIs::kHere) {
      here.AddService(service_.get());
      if (absl::Status status = here.Listen(address); !status.ok()) return status;
      address = here.addresses()[0];
    } else if (way.server == ServerIs::kProcess) {
      process.emplace("server", server_, std::vector<std::string>{"--root", root_, address}, Process::Echo::kNothing);
      constexpr char kListening[] = "listening on ";
      const std::optional<std::string> line = process->AwaitLine(kListening, kLimit);
      if (!line.has_value()) return absl::UnavailableError(absl::StrCat("the server for ", address, " did not start"));
      address = line->substr(line->find(kListening) + sizeof(kListening) - 1);
    }
    absl::StatusOr<Row> row = AskOver(way, address);
    if (process.has_value() && process->Terminate() != 0) {
      wrong_.push_back(absl::StrCat(way.transport, ": the server did not end in order by SIGTERM"));
    }
    CheckNothingIsLeft(way);
    return row;
  }

  absl::StatusOr<Row> AskOver(const Way& way, const std::string& address) {
    // A message is a line, and a line may be as long as a file.
    nearcall::ChannelOptions options;
    options.set_max_receive_message_size(kLargestFile + (size_t{1} << 20));
    absl::StatusOr<nearcall::Channel> channel = nearcall::Connect(address, options);
    if (!channel.ok()) return channel.status();
    const Client client(*std::move(channel));
    Row row;
    for (const Expected& expected : expected_) {
      absl::StatusOr<std::vector<std::string>> lines = client.Search(expected.pattern.text);
      if (!lines.ok()) return lines.status();
      row.matches += lines->size();
      if (*lines == expected.lines) continue;
      row.equal = false;
      wrong_.push_back(absl::StrCat(way.transport, ", ", Difference(expected, *lines)));
    }
    if (absl::Status status = client.MeasureStream(most_, time_ / 2, row); !status.ok()) return status;
    if (absl::Status status = client.MeasureUnary(time_ / 2, row); !status.ok()) return status;
    // What a local: or other choosing address has chosen.
    row.transport = way.transport;
    if (client.transport() != way.transport) absl::StrAppend(&row.transport, " (", client.transport(), ")");
    return row;
  }

  static void Print(const Row& row) {
    absl::PrintF("%-14s %9d  %-7s %9.2f %9.1f %9.1f %10.1f %9.0f\n", row.transport, row.matches,
                 row.equal ? "yes" : "NO", absl::ToDoubleMilliseconds(row.first), absl::ToDoubleMilliseconds(row.whole),
                 row.stream_mib_per_s, absl::ToDoubleMicroseconds(row.unary), row.unary_per_s);
  }

  // What one side alone has found; and whether the tree is still what it was.
  std::string Difference(const Expected& expected, const std::vector<std::string>& lines) const {
    std::vector<std::string> only_grep, only_search;
    std::set_difference(expected.lines.begin(), expected.lines.end(), lines.begin(), lines.end(),
                        std::back_inserter(only_grep));
    std::set_difference(lines.begin(), lines.end(), expected.lines.begin(), expected.lines.end(),
                        std::back_inserter(only_search));
    std::string text = absl::StrCat("\"", absl::CHexEscape(expected.pattern.text), "\": ", only_grep.size(),
                                    " lines that only grep has, ", only_search.size(), " that it has not");
    for (const auto* side : {&only_grep, &only_search}) {
      if (!side->empty()) absl::StrAppend(&text, "\n  as: ", absl::CHexEscape(side->front().substr(0, 200)));
    }
    const absl::StatusOr<std::vector<std::string>> again = Grep(root_, expected.pattern.text);
    if (again.ok() && *again != expected.lines) absl::StrAppend(&text, "\n  the tree has changed while this ran");
    return text;
  }

  void CheckNothingIsLeft(const Way& way) {
    std::vector<std::string> left;
    for (const auto& entry : std::filesystem::directory_iterator(directory_)) {
      left.push_back(entry.path().filename().string());
    }
    if (!left.empty()) wrong_.push_back(absl::StrCat(way.transport, " has left behind: ", absl::StrJoin(left, " ")));
  }

  // The address with the paths of this run, escaped as addresses are.
  std::string Filled(const Way& way) const {
    const auto escaped = [&](const std::string& path) {
      std::string text = absl::StrReplaceAll(path, {{"%", "%25"}, {"?", "%3F"}});
      // exec: splits its command at blanks.
      return way.server == ServerIs::kStartedByAddress ? absl::StrReplaceAll(text, {{" ", "%20"}}) : text;
    };
    return absl::StrReplaceAll(
        way.address, {{"{dir}", escaped(directory_)}, {"{server}", escaped(server_)}, {"{root}", escaped(root_)}});
  }

  const std::string server_;
  const std::string directory_;
  const std::string root_;
  const absl::Duration time_;
  std::vector<Expected> expected_;
  std::string most_;  // the pattern with the most matches
  std::unique_ptr<SearchService> service_;
  std::vector<std::string> wrong_;
};

int Main(int argc, char** argv) {
  Arguments arguments(argc, argv);
  if (arguments.Flag("--help")) {
    std::fputs(kUsage, stdout);
    return EXIT_SUCCESS;
  }
  absl::Duration time = absl::Milliseconds(600);
  if (const std::optional<std::string> text = arguments.Value("--time");
      text.has_value() && !absl::ParseDuration(*text, &time)) {
    return nearcall::ExitWith(
        absl::InvalidArgumentError(absl::StrCat("--time: \"", *text, "\" is not a time, as 300ms")));
  }
  const std::string result_file = arguments.Value("--result").value_or("");
  const absl::StatusOr<std::vector<std::string>> words = arguments.Words();
  if (!words.ok()) return nearcall::ExitWith(words.status());
  if (words->size() != 3) {
    std::fputs(kUsage, stderr);
    return EXIT_FAILURE;
  }
  std::setvbuf(stdout, nullptr, _IOLBF, 0);
  return Demo(words->at(0), words->at(1), words->at(2), time).Run(result_file);
}

}  // namespace
}  // namespace text_search

int main(int argc, char** argv) { return text_search::Main(argc, argv); }
