// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "nearcall/tests/fuzz/session_conversations.h"
#include "nearcall/tests/soak/soak.h"

namespace nearcall {
namespace {

namespace fs = std::filesystem;

constexpr uint64_t kInputsPerRun = 16;  // one of libFuzzer's, and neighbours of it: session_fuzz.cc

// Waits without a deadline of its own: libFuzzer ends by its count or time.
int Run(const std::vector<std::string>& arguments) {
  std::vector<char*> argv;
  for (const std::string& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  const pid_t child = ::fork();
  if (child == 0) {
    ::execv(argv[0], argv.data());
    std::perror(argv[0]);
    ::_exit(127);
  }
  int status = 0;
  if (child < 0 || ::waitpid(child, &status, 0) != child) return -1;
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

std::string ReadAll(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

}  // namespace

bool SoakSessionLibFuzzer(const SoakOptions& options, SoakReport* report) {
  const uint64_t count = options.count != 0 ? options.count : 10'000'000;
  const char* folder = std::getenv("NEARCALL_FUZZERS");
  const fs::path fuzzer = fs::path(folder == nullptr ? "" : folder) / "tests/fuzz/session_libfuzzer";
  if (folder == nullptr || !fs::exists(fuzzer)) {
    report->Finding(
        "NEARCALL_FUZZERS does not name a folder with tests/fuzz/session_libfuzzer: run ./dev soak, which builds it");
    return false;
  }
  std::string pattern = (fs::temp_directory_path() / "nearcall-fuzz-XXXXXX").string();
  if (::mkdtemp(pattern.data()) == nullptr) {
    report->Finding("cannot make a folder " + pattern);
    return false;
  }
  const fs::path work = pattern;
  fs::create_directory(work / "corpus");
  for (const internal::Conversation& conversation : internal::Conversations()) {
    std::ofstream(work / "corpus" / conversation.name, std::ios::binary) << SerializeProgram(conversation.program);
  }
  std::vector<std::string> arguments = {fuzzer.string(),
                                        (work / "corpus").string(),
                                        "-runs=" + std::to_string((count + kInputsPerRun - 1) / kInputsPerRun),
                                        "-seed=" + std::to_string(options.seed),
                                        "-max_len=1500",
                                        "-timeout=10",
                                        "-rss_limit_mb=2048",
                                        "-print_final_stats=1",
                                        "-reload=0",
                                        "-verbosity=1",
                                        "-artifact_prefix=nearcall-finding-"};
  if (options.minutes > 0) {
    arguments.push_back("-max_total_time=" + std::to_string(static_cast<long>(options.minutes * 60)));
  }
  // Short stacks in reports, less memory that is kept from reuse: three times as many inputs in the same time.
  ::setenv("ASAN_OPTIONS", "malloc_context_size=4:quarantine_size_mb=16", /*overwrite=*/0);
  ::setenv("NEARCALL_FUZZ_COVERAGE", (work / "coverage").c_str(), 1);
  const int code = Run(arguments);
  const std::string table = ReadAll(work / "coverage");
  report->Say(table);
  std::error_code ignored;
  fs::remove_all(work, ignored);
  unsigned long long inputs = 0;
  const size_t at = table.find("inputs ");
  if (at != std::string::npos) inputs = std::strtoull(table.c_str() + at + 7, nullptr, 10);
  report->Figure("inputs", static_cast<double>(inputs));
  report->Figure("inputs_per_second", static_cast<double>(inputs) / report->Seconds());
  report->Figure("exit_code", code);
  const bool reached = !table.empty() && table.find("never reached") == std::string::npos;
  if (code != 0)
    report->Finding("libFuzzer ended with " + std::to_string(code) + "; the input is in nearcall-finding-*");
  if (!reached) report->Finding("a frame kind or a state was never reached, or there is no table");
  if (inputs < count) report->Say("session-libfuzzer: the time was over before the count was reached\n");
  return code == 0 && reached;
}

}  // namespace nearcall
