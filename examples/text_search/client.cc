// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// Asks a text_search_server for the lines that hold a pattern, and prints them as they come.
#include <cstdint>
#include <cstdio>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/time.h"
#include "nearcall/examples/text_search/arguments.h"
#include "nearcall/examples/text_search/json.h"
#include "nearcall/examples/text_search/tree.h"
#include "text_search.nearcall.h"

using namespace text_search::v1;

namespace {

constexpr char kUsage[] = R"(usage: text_search_client [OPTION...] ADDRESS PATTERN
       text_search_client [OPTION...] ADDRESS --stats

Prints each line that holds PATTERN, a fixed string, as "path:line number:text", as grep -rnF does.
ADDRESS is where a text_search_server listens, as in local:NAME or unix:/path.

  --ignore-case      ASCII letters match in either case
  --max-matches N    stop after N lines; the server is told to
  --count            print only how many lines there are
  --json             one JSON object a line: {"path":...,"line":...,"text":...}; what is not UTF-8 comes in base64,
                     as path_base64 and text_base64
  --stats            print what the server searches and has done
  --wait             wait for the server instead of failing if nobody is there
  --timeout TIME     as in 250ms or 2s; without it, a search may take for ever
  --                 what follows is no option: for patterns that begin with "-"

Exit code: 0 if a line was found, 1 if none, 2 after an error.
)";

constexpr int kFound = 0;
constexpr int kNotFound = 1;
constexpr int kError = 2;

struct Options {
  bool ignore_case = false;
  bool count = false;
  bool json = false;
  uint64_t max_matches = 0;
  nearcall::CallOptions call;
};

int Fail(const absl::Status& status) {
  nearcall::ExitWith(status);  // prints it; the exit codes here are grep's
  return kError;
}

// The end of a program that has printed what it should; a full disk is an error.
int Done(int code) {
  if (std::fflush(stdout) == 0 && std::ferror(stdout) == 0) return code;
  return Fail(absl::DataLossError("standard output cannot be written"));
}

void Print(const Match& match, bool json) {
  std::string line;
  if (json) {
    line = absl::StrCat("{", text_search::JsonField("path", match.path()), ",\"line\":", match.line(), ",",
                        text_search::JsonField("text", match.text()), "}\n");
  } else {
    line = absl::StrCat(match.path(), ":", match.line(), ":", match.text(), "\n");
  }
  std::fwrite(line.data(), 1, line.size(), stdout);
}

int Search(const TextSearch::Stub& stub, const std::string& pattern, const Options& options) {
  SearchRequest request;
  request.set_pattern(pattern);
  request.set_ignore_case(options.ignore_case);
  auto matches = stub.Search(request, options.call);
  uint64_t found = 0;
  bool enough = false;
  for (Match match; !enough && matches.Read(match);) {
    ++found;
    enough = found == options.max_matches;
    if (!options.count) Print(match, options.json);
  }
  // The server hears of it and stops: that the call then ends as cancelled is no error.
  if (enough) matches.Cancel();
  const absl::Status status = matches.Finish();
  if (!status.ok() && !enough) {
    std::fflush(stdout);
    return Fail(status);
  }
  if (options.count) std::printf("%llu\n", static_cast<unsigned long long>(found));
  return Done(found > 0 ? kFound : kNotFound);
}

void PrintNames(const Named& named) {
  for (const std::string& name : named.first()) std::printf("  %s\n", name.c_str());
}

int Stats(const TextSearch::Stub& stub, const Options& options) {
  const absl::StatusOr<StatsReply> reply = stub.Stats(StatsRequest(), options.call).Wait();
  if (!reply.ok()) return Fail(reply.status());
  const LeftOut& out = reply->left_out();
  absl::PrintF("%d files, %d lines, %d bytes, %d different trigrams\n", reply->files(), reply->lines(), reply->bytes(),
               reply->trigrams());
  absl::PrintF("left out: %d binary, %d .git, %d links, %d special, %d too large, %d unreadable\n", out.binary(),
               out.git_folders(), out.symlinks(), out.special(), out.too_large().count(), out.unreadable().count());
  PrintNames(out.too_large());
  PrintNames(out.unreadable());
  absl::PrintF("searches: %d begun, %d ended, %d of them cut short\n", reply->searches_begun(), reply->searches_ended(),
               reply->searches_cut_short());
  return Done(kFound);
}

int Run(text_search::Arguments arguments) {
  Options options;
  options.ignore_case = arguments.Flag("--ignore-case");
  options.count = arguments.Flag("--count");
  options.json = arguments.Flag("--json");
  options.max_matches = arguments.Number("--max-matches", 0);
  options.call.set_wait_for_ready(arguments.Flag("--wait"));
  if (const std::optional<std::string> text = arguments.Value("--timeout"); text.has_value()) {
    absl::Duration timeout;
    if (!absl::ParseDuration(*text, &timeout)) {
      return Fail(absl::InvalidArgumentError(absl::StrCat("--timeout: \"", *text, "\" is not a time, as 250ms or 2s")));
    }
    options.call.set_timeout(timeout);
  }
  const bool stats = arguments.Flag("--stats");
  const absl::StatusOr<std::vector<std::string>> words = arguments.Words();
  if (!words.ok()) return Fail(words.status());
  if (words->size() != (stats ? 1 : 2)) {
    std::fputs(kUsage, stderr);
    return kError;
  }

  // A message is a line, and a line may be as long as a file.
  nearcall::ChannelOptions channel_options;
  channel_options.set_max_receive_message_size(text_search::kLargestFile + (size_t{1} << 20));
  const absl::StatusOr<nearcall::Channel> channel = nearcall::Connect(words->at(0), channel_options);
  if (!channel.ok()) return Fail(channel.status());
  const TextSearch::Stub stub(*channel);
  return stats ? Stats(stub, options) : Search(stub, words->at(1), options);
}

}  // namespace

int main(int argc, char** argv) {
  text_search::Arguments arguments(argc, argv);
  if (arguments.Flag("--help")) {
    std::fputs(kUsage, stdout);
    return 0;
  }
  return Run(std::move(arguments));
}
