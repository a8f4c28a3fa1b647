// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "nearcall/tests/soak/soak.h"

namespace nearcall {
namespace {

// Between two lines of progress; where nobody watches, a log should stay short.
double ProgressSeconds() { return ::isatty(STDOUT_FILENO) != 0 ? 5 : 60; }

std::string Number(double value, int digits) {
  return absl::StrFormat("%.*f", value == std::floor(value) ? 0 : digits, value);
}

}  // namespace

double SoakReport::Seconds() const {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - started_).count();
}

bool SoakReport::TimeIsUp(const SoakOptions& options) {
  if (options.minutes <= 0 || Seconds() <= options.minutes * 60) return false;
  if (!std::exchange(time_was_up_, true)) Say(name_ + ": the time was over before the count was reached\n");
  return true;
}

void SoakReport::Progress(uint64_t done, uint64_t count) {
  const double seconds = Seconds();
  if (seconds - last_progress_ < ProgressSeconds()) return;
  last_progress_ = seconds;
  Say(absl::StrFormat("%s: %d of %d, %.0f s\n", name_, done, count, seconds));
}

void SoakReport::Say(const std::string& text) {
  std::fputs(text.c_str(), stdout);
  std::fflush(stdout);
}

void SoakReport::Finding(const std::string& text) {
  ++findings_;
  Say(absl::StrCat(name_, ": FINDING: ", text, "\n"));
}

void SoakReport::Figure(const std::string& key, double value) {
  Say(absl::StrFormat("%-56s %16s\n", name_ + " " + key, Number(value, 2)));
  figures_.emplace_back(key, value);
}

void SoakReport::Goal(const std::string& key, double value, double at_most) {
  Figure(key, value);
  if (!(value <= at_most)) {
    Finding(absl::StrCat("goal missed: ", key, " is ", Number(value, 3), ", above ", Number(at_most, 3)));
  }
}

std::string SoakReport::Json(bool ok) const {
  std::string line = absl::StrCat("{\"case\":\"", name_, "\",\"ok\":", ok ? "true" : "false");
  for (const auto& [key, value] : figures_) absl::StrAppend(&line, ",\"", key, "\":", Number(value, 3));
  return absl::StrCat(line, absl::StrFormat(",\"seconds\":%.1f}", Seconds()));
}

std::string SoakTable::Text() const {
  std::vector<size_t> widths;
  for (const auto& row : rows_) {
    widths.resize(std::max(widths.size(), row.size()));
    for (size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  }
  std::string text;
  for (const auto& row : rows_) {
    for (size_t i = 0; i < row.size(); ++i) {
      const std::string space(widths[i] - row[i].size(), ' ');
      absl::StrAppend(&text, i == 0 ? "" : "  ", i == 0 ? row[i] + space : space + row[i]);
    }
    absl::StrAppend(&text, "\n");
  }
  return text;
}

}  // namespace nearcall
