// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// LeakAudit: compares what this process holds (and what lies in a directory) before and after a test.
//
//   LeakAudit audit({.directory = directory});
//   ...                                     // the test; everything it made is gone again
//   EXPECT_EQ(audit.Compare(), "");
//
// Counted: descriptors (by what they refer to), threads, shared mappings, all mappings (with a tolerance, as thread
// stacks and malloc arenas are kept), child processes, file names below the directory.
// Thread safety: none. Lifetime: a value. Errors: what cannot be read counts as empty.
#ifndef NEARCALL_TRANSPORTS_CONFORMANCE_LEAK_AUDIT_H_
#define NEARCALL_TRANSPORTS_CONFORMANCE_LEAK_AUDIT_H_

#include <map>
#include <string>
#include <vector>

namespace nearcall {

class LeakAudit {
 public:
  struct Options {
    std::string directory = {};   // empty: files are not looked at
    std::string may_remain = {};  // file names with this ending are not looked at; empty: none
    int mapping_tolerance = 64;   // of all mappings; sanitizers, which map at will, switch this count off
    int thread_tolerance = 0;     // of threads: a pool that keeps spare ones
    int wait_ms = 3000;           // for what ends by itself: threads being joined, children being reaped
  };

  explicit LeakAudit(Options options);

  // Empty as soon as nothing is left over; after wait_ms a list of what is, one per line.
  std::string Compare() const;

 private:
  struct Picture {
    std::map<std::string, int> descriptors;  // what it refers to -> how many
    std::map<std::string, int> shared_mappings;
    std::vector<std::string> files;
    int threads = 0;
    int mappings = 0;
    int children = 0;
  };
  Picture Take() const;
  std::string Difference(const Picture& now) const;

  const Options options_;
  const Picture before_;
};

}  // namespace nearcall

#endif  // NEARCALL_TRANSPORTS_CONFORMANCE_LEAK_AUDIT_H_
