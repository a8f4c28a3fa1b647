// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// Reads a directory tree into memory, then searches it for clients, at as many addresses as it is given.
#include <cstdio>
#include <cstdlib>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/clock.h"
#include "nearcall/examples/text_search/arguments.h"
#include "nearcall/examples/text_search/service.h"
#include "nearcall/examples/text_search/tree.h"
#include "text_search.nearcall.h"

namespace {

using text_search::LeftOut;
using text_search::NamedCount;
using text_search::Tree;
using text_search::TreeLimits;

constexpr char kUsage[] = R"(usage: text_search_server --root DIR [OPTION...] ADDRESS...

Reads the text files under DIR into memory, then serves text_search.v1.TextSearch (text_search.proto) at each ADDRESS,
until SIGINT or SIGTERM. Says "listening on ADDRESS" for each, with a port that was 0 filled in.
  local:NAME, local:/path   for processes of this host, over the best transport there is
  unix:/path, shm:/path     over this one and nothing else

Files with a NUL byte, links and folders named .git are left out, as by grep -rI --exclude-dir=.git. Later changes of
the files do not show.

  --root DIR         the tree; without it, the folder in which the server was started
  --max-file SIZE    a larger file is left out (default 16M, at most 64M)
  --max-total SIZE   of a larger tree the server says so and ends (default 512M)
  --max-files N      so it does if there are more files than that (default 500000)
)";

void Name(const char* what, const NamedCount& files) {
  if (files.count == 0) return;
  std::string text = absl::StrFormat("text_search_server: %d %s\n", files.count, what);
  for (const std::string& file : files.first) absl::StrAppend(&text, "  ", file, "\n");
  if (files.count > files.first.size()) absl::StrAppend(&text, "  and ", files.count - files.first.size(), " more\n");
  std::fputs(text.c_str(), stderr);
}

std::string Describe(const Tree& tree, absl::Duration took) {
  const LeftOut& out = tree.left_out;
  return absl::StrFormat(
      "%d files, %d lines, %d bytes, %d different trigrams, read in %.0f ms\n"
      "left out: %d binary, %d .git, %d links, %d special, %d too large, %d unreadable\n",
      tree.index.files(), tree.index.lines(), tree.index.bytes(), tree.index.trigrams(),
      absl::ToDoubleMilliseconds(took), out.binary, out.git_folders, out.symlinks, out.special, out.too_large.count,
      out.unreadable.count);
}

// Says where it listens, then `about`; but nothing for pipe:, whose client, which has started this program, shares its
// standard output with it.
void Announce(const std::vector<std::string>& addresses, const std::string& about) {
  bool said = false;
  for (const std::string& address : addresses) {
    if (absl::StartsWith(address, "pipe:")) continue;
    std::printf("listening on %s\n", address.c_str());
    said = true;
  }
  if (said) std::fputs(about.c_str(), stdout);
}

absl::Status Serve(const std::string& root, const TreeLimits& limits, const std::vector<std::string>& addresses) {
  const absl::Time begun = absl::Now();
  absl::StatusOr<Tree> tree = text_search::LoadTree(root, limits);
  if (!tree.ok()) return tree.status();
  const std::string about = Describe(*tree, absl::Now() - begun);
  Name("too large (--max-file) and left out:", tree->left_out.too_large);
  Name("cannot be read and left out:", tree->left_out.unreadable);

  text_search::SearchService search(*std::move(tree));
  nearcall::Server server;
  server.AddService(&search);
  for (const std::string& address : addresses) {
    if (absl::Status status = server.Listen(address); !status.ok()) return status;
  }
  Announce(server.addresses(), about);
  server.Run();
  return absl::OkStatus();
}

}  // namespace

int main(int argc, char** argv) {
  text_search::Arguments arguments(argc, argv);
  if (arguments.Flag("--help")) {
    std::fputs(kUsage, stdout);
    return EXIT_SUCCESS;
  }
  const std::string root = arguments.Value("--root").value_or(".");
  TreeLimits limits;
  limits.file_bytes = arguments.Number("--max-file", limits.file_bytes, true, text_search::kLargestFile);
  limits.total_bytes = arguments.Number("--max-total", limits.total_bytes, true);
  limits.files = arguments.Number("--max-files", limits.files);
  const absl::StatusOr<std::vector<std::string>> addresses = arguments.Words();
  if (!addresses.ok()) return nearcall::ExitWith(addresses.status());
  if (addresses->empty()) {
    std::fputs(kUsage, stderr);
    return EXIT_FAILURE;
  }
  std::setvbuf(stdout, nullptr, _IOLBF, 0);
  return nearcall::ExitWith(Serve(root, limits, *addresses));
}
