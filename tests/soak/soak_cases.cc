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
      {"storm", "100,000 connect, call and close cycles, and what is left over of them",
       "Several threads, a new channel for each cycle. --count: cycles for each scheme.\n"
       "Goals: each call is OK; afterwards, in both processes, descriptors, threads, mappings, files, children and "
       "the\n"
       "heap are as before.\n",
       &SoakStorm},
      {"client-and-server-kills",
       "2,000 or 500 SIGKILLs of client or server, at least a tenth in each state of the connection",
       "--count: kills for each scheme (unix, shm, local: 2,000; others: 500), half of them of clients (more, until "
       "each\n"
       "state has its tenth). States: idle, connecting, in flight, closing. Of exec, the server is the client's "
       "child.\n"
       "Goals: a tenth in each; after each kill nothing is left over in the survivor, no process of exec is, and the\n"
       "address is usable; after each bind no file, FIFO or queue is left; calls end within 100 ms (times --slack) of\n"
       "the server's kill, or of their start after it (not of exec, where that starts a server).\n",
       &SoakClientAndServerKills,
       {"unix", "local", "mq", "mmap", "fifo", "tcp", "exec"}},
      {"random-operations", "300,000 calls of all kinds and forms, cancelled and killed at random, and their history",
       "Calls of four kinds in three forms from several processes, with deadlines, cancelled at random points, while "
       "the\n"
       "server is killed or drained and started again. What each call is, --seed says; when it runs, nobody.\n"
       "--count: calls for each scheme. Goals: at most one execution and exactly one status for each call, streams in\n"
       "order, no reply to the wrong call, and each kind of call in each form ends in each way.\n",
       &SoakRandomOperations},
      {"idle", "no thread wakes in 10 s of idleness: 1 connection, 100 of them, a call pending",
       "Context switches of all threads of both processes, from /proc. --count: milliseconds of idleness (10,000).\n"
       "Goal: none.\n",
       &SoakIdle},
      {"stopped-peer", "deadlines while the server is stopped (SIGSTOP), and calls that go on after SIGCONT",
       "Calls with deadlines of 5 to 100 ms from several threads, on a channel that is connected and on new ones; "
       "beside\n"
       "them threads that only sleep as long, which is what the machine gives.\n"
       "--count: calls for each scheme. Goals (times --slack): none early, p99 at most 5 ms late, none over 50 ms; a\n"
       "call and a stream that were under way go on after SIGCONT and end with OK.\n",
       &SoakStoppedPeer},
      {"interop",
       "gRPC's interop cases over every transport, each form of client with each of server",
       "The cases of tests/interop, by transport and pair of forms; exec is pipe: at the server's end, a process for "
       "each\n"
       "channel. --count: rounds (1); the first is whole, whatever --minutes says.\n"
       "Goals: every case passes, and no cell of the table is empty.\n",
       &SoakInterop,
       {"unix", "shm", "local", "mq", "mmap", "fifo", "exec", "tcp", "inproc"}},
  };
  return *cases;
}

const std::vector<SoakRole>& AllSoakRoles() {
  static const std::vector<SoakRole>* const roles = new std::vector<SoakRole>{
      {"server", &RunServer},
      {"bare", &RunBare},
      {"busy", &RunBusy},
      {"storm-client", &RunStormClient},
      {"cycle-client", &RunCycleClient},
      {"cycle-server", &RunCycleServer},
      {"history-client", &RunHistoryClient},
      {"idle-client", &RunIdleClient},
      {"interop-server", &RunInteropServer},
  };
  return *roles;
}

}  // namespace nearcall
