// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// Trace: writes down, on stdout, when a call begins and how it ends, if the caller asked for that with the metadata
// "trace". It shows what a handler knows about its call: who makes it, how long it may take, whether it is still
// wanted.
#ifndef NEARCALL_EXAMPLES_GREETER_TRACE_H_
#define NEARCALL_EXAMPLES_GREETER_TRACE_H_

#include <cstdio>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "nearcall/rpc/nearcall.h"

class Trace {
 public:
  Trace(nearcall::ServerContext& context, std::string method)
      : context_(context), name_(context.metadata().Get("trace")), method_(std::move(method)) {
    if (!name_.has_value()) return;
    // The kernel vouches for the caller; over inproc: there is nobody else to name.
    const std::optional<nearcall::Credentials>& caller = context.peer().credentials;
    const std::string who =
        caller.has_value() ? absl::StrCat("pid ", caller->pid, ", uid ", caller->uid) : "this process";
    const std::string left =
        context.deadline() == absl::InfiniteFuture() ? "no deadline" : Ms(context.time_left()) + " left";
    std::printf("[%s] %s begins: called by %s; %s\n", name_->c_str(), method_.c_str(), who.c_str(), left.c_str());
  }
  ~Trace() {
    if (!name_.has_value()) return;
    const char* how = context_.time_left() <= absl::ZeroDuration() ? "its deadline has passed"
                      : context_.IsCancelled()                     ? "cancelled, as the caller wants it no more"
                                                                   : "done";
    std::printf("[%s] %s ends after %s: %s\n", name_->c_str(), method_.c_str(), Ms(absl::Now() - start_).c_str(), how);
  }
  Trace(const Trace&) = delete;
  Trace& operator=(const Trace&) = delete;

 private:
  static std::string Ms(absl::Duration duration) {
    char text[32];
    std::snprintf(text, sizeof(text), "%.1f ms", absl::ToDoubleMilliseconds(duration));
    return text;
  }

  nearcall::ServerContext& context_;
  const std::optional<std::string> name_;
  const std::string method_;
  const absl::Time start_ = absl::Now();
};

#endif  // NEARCALL_EXAMPLES_GREETER_TRACE_H_
