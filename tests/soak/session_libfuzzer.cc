// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
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

// How one build of the fuzzer is run.
struct Build {
  const char* name;      // of its figures
  const char* variable;  // of the environment: the folder with tests/fuzz/session_libfuzzer
  uint64_t share;        // takes the count divided by this
  double time;           // and this part of the minutes
};
// Coverage feedback alone takes the count; what only AddressSanitizer sees is looked for in a fiftieth of it.
constexpr uint64_t kCount = 10'000'000;
constexpr Build kBuilds[] = {
    {"plain", "NEARCALL_FUZZERS_PLAIN", 1, 0.75},
    {"asan", "NEARCALL_FUZZERS_ASAN", 50, 0.25},
};

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

// A folder of the case's own, gone at its end.
class Folder {
 public:
  Folder() : path_((fs::temp_directory_path() / "nearcall-fuzz-XXXXXX").string()) {
    if (::mkdtemp(path_.data()) == nullptr) path_.clear();
  }
  ~Folder() {
    std::error_code ignored;
    if (!path_.empty()) fs::remove_all(path_, ignored);
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  fs::path path() const { return path_; }

 private:
  std::string path_;
};

// The valid conversations as files; what libFuzzer's -seed_inputs takes. No corpus folder: a file for each input that
// it keeps would cost more than all inputs.
std::string WriteSeeds(const fs::path& folder) {
  std::string list;
  for (const internal::Conversation& conversation : internal::Conversations()) {
    const fs::path path = folder / conversation.name;
    std::ofstream(path, std::ios::binary) << SerializeProgram(conversation.program);
    list += (list.empty() ? "" : ",") + path.string();
  }
  return list;
}

std::vector<std::string> Arguments(const Build& build, const SoakOptions& options, const std::string& fuzzer,
                                   const std::string& seeds, uint64_t count) {
  std::vector<std::string> arguments = {fuzzer,
                                        "-seed_inputs=" + seeds,
                                        "-runs=" + std::to_string(count),
                                        "-seed=" + std::to_string(options.seed),
                                        "-max_len=1500",
                                        "-timeout=10",
                                        "-rss_limit_mb=2048",
                                        "-print_final_stats=1",
                                        "-verbosity=1",
                                        "-artifact_prefix=nearcall-finding-"};
  if (options.minutes > 0) {
    const double seconds = std::max(1.0, options.minutes * 60 * build.time);
    arguments.push_back("-max_total_time=" + std::to_string(static_cast<long>(seconds)));
  }
  return arguments;
}

bool RunBuild(const Build& build, const SoakOptions& options, SoakReport* report) {
  const std::string name = build.name;
  const char* binaries = std::getenv(build.variable);
  const fs::path fuzzer = fs::path(binaries == nullptr ? "" : binaries) / "tests/fuzz/session_libfuzzer";
  const Folder folder;
  if (binaries == nullptr || !fs::exists(fuzzer) || folder.path().empty()) {
    report->Finding(std::string(build.variable) +
                    " does not name a folder with tests/fuzz/session_libfuzzer (./dev soak builds it), or no folder "
                    "can be made in " +
                    fs::temp_directory_path().string());
    return false;
  }
  const uint64_t count = std::max<uint64_t>(1, (options.count != 0 ? options.count : kCount) / build.share);
  const fs::path table_file = folder.path() / "coverage";
  ::setenv("NEARCALL_FUZZ_COVERAGE", table_file.c_str(), 1);
  const double before = report->Seconds();
  const int code = Run(Arguments(build, options, fuzzer.string(), WriteSeeds(folder.path()), count));
  const double seconds = report->Seconds() - before;
  const std::string table = ReadAll(table_file);
  report->Say("libFuzzer, " + name + ":\n" + table);
  const size_t at = table.find("inputs ");
  const uint64_t inputs = at == std::string::npos ? 0 : std::strtoull(table.c_str() + at + 7, nullptr, 10);
  report->Figure(name + "_inputs", static_cast<double>(inputs));
  report->Figure(name + "_inputs_per_second", static_cast<double>(inputs) / seconds);
  report->Figure(name + "_exit_code", code);
  const bool reached = !table.empty() && table.find("never reached") == std::string::npos;
  if (code != 0) {
    report->Finding("libFuzzer (" + name + ") ended with " + std::to_string(code) +
                    "; the input is in nearcall-finding-*");
  }
  if (!reached) report->Finding(name + ": a frame kind or a state was never reached, or there is no table");
  if (inputs < count) report->Say("session-libfuzzer: " + name + ": the time was over before the count was reached\n");
  return code == 0 && reached;
}

}  // namespace

bool SoakSessionLibFuzzer(const SoakOptions& options, SoakReport* report) {
  // Short stacks in reports, less memory that is kept from reuse: three times as many inputs in the same time.
  ::setenv("ASAN_OPTIONS", "malloc_context_size=4:quarantine_size_mb=16", /*overwrite=*/0);
  bool ok = true;
  for (const Build& build : kBuilds) ok = RunBuild(build, options, report) && ok;
  return ok;
}

}  // namespace nearcall
