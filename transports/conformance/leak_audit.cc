// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0

#include "nearcall/transports/conformance/leak_audit.h"

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <system_error>
#include <thread>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "nearcall/transports/api/clock.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define NEARCALL_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || __has_feature(memory_sanitizer)
#define NEARCALL_SANITIZED 1
#endif
#endif

namespace nearcall {
namespace {

namespace fs = std::filesystem;

bool IsNumber(const std::string& text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](unsigned char c) { return std::isdigit(c) != 0; });
}

std::vector<std::string> Names(const std::string& directory) {
  std::vector<std::string> names;
  std::error_code error;
  for (fs::directory_iterator at(directory, error), end; !error && at != end; at.increment(error)) {
    names.push_back(at->path().filename().string());
  }
  return names;
}

std::map<std::string, int> Descriptors() {
  std::map<std::string, int> result;
  for (const std::string& name : Names("/proc/self/fd")) {
    std::error_code error;
    const fs::path target = fs::read_symlink("/proc/self/fd/" + name, error);
    // The directory being read has a descriptor of its own, which is gone by now.
    if (!error) ++result[target.string()];
  }
  return result;
}

void Mappings(std::map<std::string, int>* shared, int* all) {
  std::ifstream maps("/proc/self/maps");
  for (std::string line; std::getline(maps, line);) {
    ++*all;
    std::istringstream words(line);
    std::string range, permissions, offset, device, inode, path;
    words >> range >> permissions >> offset >> device >> inode;
    std::getline(words, path);
    if (permissions.size() == 4 && permissions[3] == 's') ++(*shared)[absl::StrCat(inode, path)];
  }
}

int Children() {
  int count = 0;
  const std::string self = std::to_string(::getpid());
  for (const std::string& name : Names("/proc")) {
    if (!IsNumber(name)) continue;
    std::ifstream stat("/proc/" + name + "/stat");
    std::string text;
    std::getline(stat, text);
    // "pid (name) state ppid ...": the name may hold anything, so look from its end.
    const size_t end = text.rfind(')');
    if (end == std::string::npos) continue;
    std::istringstream words(text.substr(end + 1));
    std::string state, parent;
    words >> state >> parent;
    if (parent == self) ++count;
  }
  return count;
}

// A sanitizer's own thread is started with the first of the program's: that is not the test's doing.
void StartSanitizersThread() {
#ifdef NEARCALL_SANITIZED
  static const bool started = [] {
    std::thread([] {}).join();
    return true;
  }();
  static_cast<void>(started);
#endif
}

void More(const std::map<std::string, int>& before, const std::map<std::string, int>& now, const char* what,
          std::string* out) {
  for (const auto& [name, count] : now) {
    const auto found = before.find(name);
    const int had = found == before.end() ? 0 : found->second;
    if (count > had) absl::StrAppend(out, count - had, " more ", what, ": ", name, "\n");
  }
}

}  // namespace

LeakAudit::LeakAudit(Options options) : options_(std::move(options)), before_(Take()) {}

LeakAudit::Picture LeakAudit::Take() const {
  StartSanitizersThread();
  Picture picture;
  picture.descriptors = Descriptors();
  Mappings(&picture.shared_mappings, &picture.mappings);
  picture.threads = static_cast<int>(Names("/proc/self/task").size());
  picture.children = Children();
  if (options_.directory.empty()) return picture;
  std::error_code error;
  for (fs::recursive_directory_iterator at(options_.directory, error), end; !error && at != end; at.increment(error)) {
    const std::string path = at->path().string();
    if (options_.may_remain.empty() || !absl::EndsWith(path, options_.may_remain)) picture.files.push_back(path);
  }
  return picture;
}

std::string LeakAudit::Difference(const Picture& now) const {
  std::string out;
  More(before_.descriptors, now.descriptors, "descriptors", &out);
  More(before_.shared_mappings, now.shared_mappings, "shared mappings", &out);
  for (const std::string& file : now.files) {
    if (std::count(before_.files.begin(), before_.files.end(), file) == 0) absl::StrAppend(&out, "file ", file, "\n");
  }
  if (now.threads > before_.threads + options_.thread_tolerance)
    absl::StrAppend(&out, now.threads - before_.threads, " more threads\n");
  if (now.children > before_.children) absl::StrAppend(&out, now.children - before_.children, " more children\n");
#ifndef NEARCALL_SANITIZED
  if (now.mappings > before_.mappings + options_.mapping_tolerance) {
    absl::StrAppend(&out, now.mappings - before_.mappings, " more mappings\n");
  }
#endif
  return out;
}

std::string LeakAudit::Compare() const {
  const int64_t end = MonotonicNanos() + int64_t{options_.wait_ms} * 1'000'000;
  for (;;) {
    std::string difference = Difference(Take());
    if (difference.empty() || MonotonicNanos() > end) return difference;
    ::poll(nullptr, 0, 5);
  }
}

}  // namespace nearcall
