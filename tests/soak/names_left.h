// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// NamesLeft: what killed processes may leave by name: files beside the address and in the directory of names (FIFOs,
// tokens, locks), and message queues.
//
//   NamesLeft names(folder);
//   names.Begin();                   // a server has bound: what is there now belongs
//   ... kills, the next bind ...
//   absl::Status none = names.Check();
//
// Thread safety: none. Errors: DATA_LOSS with what is left over.
#ifndef NEARCALL_TESTS_SOAK_NAMES_LEFT_H_
#define NEARCALL_TESTS_SOAK_NAMES_LEFT_H_

#include <set>
#include <string>
#include <utility>

#include "absl/status/status.h"

namespace nearcall {

class NamesLeft {
 public:
  explicit NamesLeft(std::string folder) : folder_(std::move(folder)) {}
  void Begin() { before_ = Files(); }
  // A queue's name that comes and goes is another program's, which may run beside this one.
  absl::Status Check() const;

 private:
  std::set<std::string> Files() const;

  const std::string folder_;
  std::set<std::string> before_;
};

}  // namespace nearcall

#endif  // NEARCALL_TESTS_SOAK_NAMES_LEFT_H_
