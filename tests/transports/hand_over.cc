// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// A child for tests of exec: that does one thing, by its first argument:
//   hand_over /PATH           hands its two pipes to the listener of handed_pipes.h, and ends when its parent's end
//   does hand_over exit N TEXT     writes TEXT to stderr and exits with N hand_over kill TEXT       writes TEXT to
//   stderr and kills itself hand_over stay FILE       writes its pid to FILE, ignores SIGTERM and stays hand_over echo
//   ...        writes its arguments to stderr, a line each, and exits with 0
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <string>

#include "nearcall/tests/transports/handed_pipes.h"

namespace {

int HandPipesOver(const char* path) {
  int pid = 0, in = -1, out = -1;
  const char* const text = ::getenv("NEARCALL_PIPE");
  if (text == nullptr || std::sscanf(text, "%d,%d,%d", &pid, &in, &out) != 3 || pid != ::getpid()) return 2;
  if (!nearcall::HandOver(path, in, out)) return 3;
  ::close(out);
  pollfd parent = {in, 0, 0};  // POLLHUP is always told
  while (::poll(&parent, 1, -1) < 1) {
  }
  return 0;
}

int Stay(const char* path) {
  ::signal(SIGTERM, SIG_IGN);
  if (std::FILE* const file = std::fopen(path, "w")) {
    std::fprintf(file, "%d\n", ::getpid());
    std::fclose(file);
  }
  for (;;) ::pause();
}

}  // namespace

int main(int argc, char** argv) {
  const std::string what = argc > 1 ? argv[1] : "";
  if (!what.empty() && what[0] == '/') return HandPipesOver(argv[1]);
  if (what == "echo") {
    for (int i = 2; i < argc; ++i) std::fprintf(stderr, "%s\n", argv[i]);
    return 0;
  }
  if (what == "exit" && argc == 4) {
    std::fprintf(stderr, "%s\n", argv[3]);
    return std::atoi(argv[2]);
  }
  if (what == "kill" && argc == 3) {
    std::fprintf(stderr, "%s\n", argv[2]);
    ::kill(::getpid(), SIGKILL);
  }
  if (what == "stay" && argc == 3) return Stay(argv[2]);
  return 64;
}
