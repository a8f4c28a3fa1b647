// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
#include <string>
#include <vector>

#include "nearcall/tests/fuzz/session_conversations.h"
#include "nearcall/tests/fuzz/session_mutator.h"
#include "nearcall/tests/soak/soak.h"

namespace nearcall {

using internal::Conversation;
using internal::FuzzProgram;

// Each input: a valid conversation, or now and then one that was mutated before, with one to six changes.
bool SoakSessionMutations(const SoakOptions& options, SoakReport* report) {
  const uint64_t count = options.count != 0 ? options.count : 10'000'000;
  const std::vector<Conversation> valid = internal::Conversations();
  std::vector<FuzzProgram> kept;  // mutants that are mutated again
  internal::SessionCoverage coverage;
  internal::SessionMutator mutator(options.seed);
  uint64_t random = options.seed;
  const auto next = [&random] { return (random = random * 6364136223846793005u + 1442695040888963407u) >> 33; };
  uint64_t done = 0, findings = 0;
  for (; done < count && findings < 10; ++done) {
    if (done % 256 == 0) {
      report->Progress(done, count);
      if (options.minutes > 0 && report->Seconds() > options.minutes * 60) break;
    }
    const bool again = kept.size() == 1000 && next() % 3 == 0;
    FuzzProgram program = again ? kept[next() % kept.size()] : valid[next() % valid.size()].program;
    mutator.Mutate(&program, valid[next() % valid.size()].program);
    const std::string failure = RunProgram(program, &coverage);
    if (!failure.empty()) {
      ++findings;
      report->Finding(failure + "\n" + CorpusText("finding of the soak", program));
    }
    if (kept.size() < 1000) {
      kept.push_back(std::move(program));
    } else if (next() % 64 == 0) {
      kept[next() % kept.size()] = std::move(program);
    }
  }
  std::string missing;
  report->Say(coverage.Table(&missing));
  if (!missing.empty()) report->Finding("never reached:\n" + missing);
  report->Figure("inputs", static_cast<double>(done));
  report->Figure("inputs_per_second", static_cast<double>(done) / report->Seconds());
  report->Figure("findings", static_cast<double>(findings));
  if (done < count) report->Say("session-mutations: the time was over before the count was reached\n");
  return findings == 0 && missing.empty();
}

}  // namespace nearcall
