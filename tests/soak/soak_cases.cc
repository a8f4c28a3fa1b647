// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
#include "nearcall/tests/soak/soak.h"

namespace nearcall {

const std::vector<SoakCase>& AllSoakCases() {
  static const std::vector<SoakCase>* const cases = new std::vector<SoakCase>{
      {"session-mutations", "10 million mutated conversations through two sessions",
       "Valid conversations between two sessions are changed in one to six places and played.\n"
       "--count: conversations. Goals: no finding, every frame kind and session state reached.\n",
       &SoakSessionMutations},
      {"session-libfuzzer", "the same with libFuzzer's coverage feedback (clang 16), a fiftieth with sanitizers",
       "--count: inputs. Goals: as of session-mutations.\n", &SoakSessionLibFuzzer},
      {"server-kills",
       "1,000 SIGKILLs of a server with a call in flight, timed; also when busy, and with a forked child",
       "From just before kill(2) to the delivery of UNAVAILABLE to a thread in Wait(), or in turn to a Then() "
       "callback:\n"
       "on a quiet machine; with a busy process for each core; with a forked child of the server that holds its\n"
       "descriptors. Beside it the end of a bare process's socket, which is what the machine gives. --count: kills "
       "for\n"
       "each of these and each scheme.\n"
       "Goals (times --slack): p50 at most 1 ms, p99 at most 25 ms, none over 100 ms.\n",
       &SoakServerKills},
      {"idle", "no thread wakes in 10 s of idleness: 1 connection, 100 of them, a call pending",
       "Context switches of all threads of both processes, from /proc. --count: milliseconds of idleness (10,000).\n"
       "Goal: none.\n",
       &SoakIdle},
      {"stopped-peer", "deadlines while the server is stopped (SIGSTOP), and calls that go on after SIGCONT",
       "Calls with deadlines of 5 to 100 ms from several threads, on a channel that is connected and on new ones.\n"
       "--count: calls for each scheme. Goals (times --slack): none early, p99 at most 5 ms late, none over 50 ms; a\n"
       "call and a stream that were under way go on after SIGCONT and end with OK.\n",
       &SoakStoppedPeer},
  };
  return *cases;
}

const std::vector<SoakRole>& AllSoakRoles() {
  static const std::vector<SoakRole>* const roles = new std::vector<SoakRole>{
      {"server", &RunServer},
      {"bare", &RunBare},
      {"busy", &RunBusy},
      {"idle-client", &RunIdleClient},
  };
  return *roles;
}

}  // namespace nearcall
