// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// CallLog: a line for each call: method, peer, status, duration, bytes. The same class is an interceptor of both sides,
// because what it watches with, the observer of one call, is the same on both.
#ifndef NEARCALL_EXAMPLES_INTERCEPTORS_CALL_LOG_H_
#define NEARCALL_EXAMPLES_INTERCEPTORS_CALL_LOG_H_

#include <chrono>
#include <cstdio>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "google/protobuf/message_lite.h"
#include "nearcall/rpc/nearcall.h"

class CallLog final : public nearcall::ClientInterceptor, public nearcall::ServerInterceptor {
 public:
  explicit CallLog(FILE* file) : file_(file) {}

  absl::StatusOr<std::unique_ptr<nearcall::CallObserver>> OnStart(nearcall::OutgoingCall& call) override {
    return std::make_unique<Line>(file_, absl::StrCat(call.method(), " to ", call.address()));
  }
  absl::StatusOr<std::unique_ptr<nearcall::CallObserver>> OnStart(absl::string_view method,
                                                                  nearcall::ServerContext& context) override {
    const std::optional<nearcall::Credentials>& caller = context.peer().credentials;
    return std::make_unique<Line>(
        file_,
        absl::StrCat(method, " of ",
                     caller.has_value() ? absl::StrCat("pid ", caller->pid, ", uid ", caller->uid) : "a stranger"));
  }

 private:
  // One call. Requests and replies may come on two threads, each kind one at a time, and the end comes after them all:
  // so two counters need no lock.
  class Line final : public nearcall::CallObserver {
   public:
    Line(FILE* file, std::string what) : file_(file), what_(std::move(what)) {}

   private:
    absl::Status OnRequest(const google::protobuf::MessageLite& request) override {
      request_bytes_ += request.ByteSizeLong();
      return absl::OkStatus();
    }
    absl::Status OnReply(const google::protobuf::MessageLite& reply) override {
      reply_bytes_ += reply.ByteSizeLong();
      return absl::OkStatus();
    }
    void OnEnd(const absl::Status& status, const nearcall::Metadata&) override {
      const std::chrono::duration<double, std::milli> took = std::chrono::steady_clock::now() - start_;
      std::fprintf(file_, "%s: %s after %.1f ms, requests %zu bytes, replies %zu bytes\n", what_.c_str(),
                   absl::StatusCodeToString(status.code()).c_str(), took.count(), request_bytes_, reply_bytes_);
    }

    FILE* const file_;
    const std::string what_;
    const std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
    size_t request_bytes_ = 0;
    size_t reply_bytes_ = 0;
  };

  FILE* const file_;
};

#endif  // NEARCALL_EXAMPLES_INTERCEPTORS_CALL_LOG_H_
