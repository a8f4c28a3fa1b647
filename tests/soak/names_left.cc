// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
#include "nearcall/tests/soak/names_left.h"

#include <algorithm>
#include <filesystem>
#include <iterator>
#include <system_error>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "nearcall/tests/soak/soak_process.h"
#include "nearcall/transports/message_queue/queue.h"
#include "nearcall/transports/rendezvous/place.h"

namespace nearcall {
namespace {

constexpr int kQueueLimitMs = 1000;

std::vector<std::string> QueuesLeft() {
  std::vector<std::string> left = internal::QueueNamesInUse();
  static_cast<void>(Eventually(
      [&left] {
        const std::vector<std::string> now = internal::QueueNamesInUse();
        std::vector<std::string> still;
        std::set_intersection(left.begin(), left.end(), now.begin(), now.end(), std::back_inserter(still));
        left = std::move(still);
        return left.empty();
      },
      kQueueLimitMs));
  return left;
}

}  // namespace

absl::Status NamesLeft::Check() const {
  std::vector<std::string> left = QueuesLeft();
  for (const std::string& file : Files()) {
    if (before_.count(file) == 0) left.push_back(file);
  }
  if (left.empty()) return absl::OkStatus();
  return absl::DataLossError(absl::StrCat("left over after the next bind: ", absl::StrJoin(left, ", ")));
}

std::set<std::string> NamesLeft::Files() const {
  std::set<std::string> files;
  for (const std::string& directory : {folder_, internal::NamesDirectory()}) {
    std::error_code error;
    for (std::filesystem::recursive_directory_iterator at(directory, error), end; !error && at != end;
         at.increment(error)) {
      files.insert(at->path().string());
    }
  }
  return files;
}

}  // namespace nearcall
