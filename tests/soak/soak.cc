// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// The soak program: ./dev soak, or directly. Exit code 0: no finding; 1: findings; 2: wrong use.
#include "nearcall/tests/soak/soak.h"

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <memory>

#include "nearcall/tests/bench/process.h"

namespace nearcall {

namespace {

void Usage(std::FILE* out) {
  std::fputs(
      "usage: soak [--case NAME]... [--count N] [--minutes M] [--seed S] [--json FILE] [--list] [--help]\n"
      "  --case NAME   only this case; may be given again (default: all of --list); with --help: what it does\n"
      "  --address-scheme S  only over this transport, for cases with processes; may be given again (default: unix "
      "local,\n"
      "                of interop and client-and-server-kills nearly all there are)\n"
      "  --count N     inputs, kills, calls... of each case, instead of its own count\n"
      "  --minutes M   at most so long for all cases together; a count that was not reached is said\n"
      "  --seed S      of what is random (default 1)\n"
      "  --slack X     goals of time are multiplied by it, for a machine with other work (default 1)\n"
      "  --json FILE   one line of JSON for each case\n"
      "Exit code 0: all goals are met and nothing was found; 1: not so; 2: wrong use.\n",
      out);
}

struct Flags {
  SoakOptions options;
  std::vector<const SoakCase*> cases;
  std::vector<std::string> schemes;
  std::string json;
  bool list = false, help = false;
};

const SoakCase* FindCase(const char* name) {
  for (const SoakCase& soak_case : AllSoakCases()) {
    if (std::strcmp(soak_case.name, name) == 0) return &soak_case;
  }
  return nullptr;
}

bool ParseFlags(int argc, char** argv, Flags* flags) {
  for (int i = 1; i < argc; ++i) {
    const std::string flag = argv[i];
    if (flag == "--list" || flag == "--help" || flag == "-h") {
      (flag == "--list" ? flags->list : flags->help) = true;
      continue;
    }
    const char* value = i + 1 < argc ? argv[++i] : nullptr;
    char* end = nullptr;
    if (value == nullptr) {
      std::fprintf(stderr, "soak: %s: not a flag, or its value is missing\n", flag.c_str());
      return false;
    }
    if (flag == "--case") {
      flags->cases.push_back(FindCase(value));
      if (flags->cases.back() != nullptr) continue;
      std::fprintf(stderr, "soak: no case '%s'; --list has them\n", value);
      return false;
    }
    if (flag == "--json") {
      flags->json = value;
      continue;
    }
    if (flag == "--address-scheme") {
      flags->schemes.push_back(value);
      continue;
    }
    if (flag == "--count") {
      flags->options.count = std::strtoull(value, &end, 10);
    } else if (flag == "--seed") {
      flags->options.seed = std::strtoull(value, &end, 10);
    } else if (flag == "--slack") {
      flags->options.slack = std::strtod(value, &end);
    } else if (flag == "--minutes") {
      flags->options.minutes = std::strtod(value, &end);
    }
    if (end == nullptr || *end != '\0' || end == value || *value == '-') {
      std::fprintf(stderr, "soak: %s %s: not a flag, or not a number\n", flag.c_str(), value);
      return false;
    }
  }
  return true;
}

void Help(const Flags& flags) {
  if (flags.cases.empty()) Usage(stdout);
  for (const SoakCase* soak_case : flags.cases) {
    std::printf("%s: %s\n%s", soak_case->name, soak_case->what, soak_case->help);
  }
}

int RunRole(int argc, char** argv) {
  for (const SoakRole& role : AllSoakRoles()) {
    if (std::strcmp(role.name, argv[0]) == 0) return role.run(std::vector<std::string>(argv + 1, argv + argc));
  }
  std::fprintf(stderr, "soak: no role '%s'\n", argv[0]);
  return 2;
}

int Main(int argc, char** argv) {
  if (argc > 2 && std::strcmp(argv[1], "--role") == 0) return RunRole(argc - 2, argv + 2);
  Flags flags;
  if (!ParseFlags(argc, argv, &flags)) {
    Usage(stderr);
    return 2;
  }
  if (flags.help) {
    Help(flags);
    return 0;
  }
  if (flags.list) {
    for (const SoakCase& soak_case : AllSoakCases()) std::printf("%-24s %s\n", soak_case.name, soak_case.what);
    return 0;
  }
  if (flags.cases.empty()) {
    for (const SoakCase& soak_case : AllSoakCases()) flags.cases.push_back(&soak_case);
  }
  // What lies in the directory of names is this run's own.
  absl::StatusOr<std::unique_ptr<bench::ScratchFolder>> names = bench::ScratchFolder::Make("names");
  if (!names.ok() || ::setenv("XDG_RUNTIME_DIR", (*names)->path().c_str(), 1) != 0) {
    std::fprintf(stderr, "soak: no directory of names: %s\n", names.status().ToString().c_str());
    return 2;
  }
  std::ofstream json;
  if (!flags.json.empty()) {
    json.open(flags.json);
    if (!json) {
      std::fprintf(stderr, "soak: cannot write %s\n", flags.json.c_str());
      return 2;
    }
  }
  flags.options.minutes /= static_cast<double>(flags.cases.size());
  size_t failed = 0;
  for (const SoakCase* soak_case : flags.cases) {
    std::printf("== %s: %s\n", soak_case->name, soak_case->what);
    std::fflush(stdout);
    SoakReport report(soak_case->name);
    flags.options.schemes = flags.schemes.empty() ? soak_case->schemes : flags.schemes;
    const bool ok = soak_case->run(flags.options, &report);
    std::printf("%s: %s after %.0f s\n", soak_case->name, ok ? "passed" : "FAILED", report.Seconds());
    if (json.is_open()) json << report.Json(ok) << std::endl;
    failed += ok ? 0 : 1;
  }
  std::printf("soak: %zu passed, %zu failed\n", flags.cases.size() - failed, failed);
  return failed == 0 ? 0 : 1;
}

}  // namespace
}  // namespace nearcall

int main(int argc, char** argv) { return nearcall::Main(argc, argv); }
