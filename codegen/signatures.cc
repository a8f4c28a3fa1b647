// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0

#include "nearcall/codegen/signatures.h"

#include <string>

namespace nearcall::codegen {
namespace {

std::string Of(const char* type, const std::string& argument) {
  return std::string("::nearcall::") + type + "<" + argument + ">";
}

std::string Of(const char* type, const std::string& first, const std::string& second) {
  return Of(type, first + ", " + second);
}

// What a handler reads from and writes to, after the context.
void AddStreams(const MethodModel& method, Signature& signature) {
  switch (method.kind) {
    case MethodKind::kUnary:
      signature.parameters.push_back({"const " + method.request + "&", "request"});
      break;
    case MethodKind::kServerStreaming:
      signature.parameters.push_back({"const " + method.request + "&", "request"});
      signature.parameters.push_back({Of("ServerWriter", method.reply) + "&", "writer"});
      break;
    case MethodKind::kClientStreaming:
      signature.parameters.push_back({Of("ServerReader", method.request) + "&", "reader"});
      break;
    case MethodKind::kBidi:
      signature.parameters.push_back({Of("ServerReaderWriter", method.request, method.reply) + "&", "stream"});
      break;
  }
}

}  // namespace

Signature StubSignature(const MethodModel& method) {
  Parameter request{"const " + method.request + "&", "request"};
  switch (method.kind) {
    case MethodKind::kUnary:
      return {Of("Call", method.reply), {request}};
    case MethodKind::kServerStreaming:
      return {Of("ClientReader", method.reply), {request}};
    case MethodKind::kClientStreaming:
      return {Of("ClientWriter", method.request, method.reply), {}};
    case MethodKind::kBidi:
      break;
  }
  return {Of("ClientReaderWriter", method.request, method.reply), {}};
}

Signature HandlerSignature(const MethodModel& method, Form form) {
  bool one_reply = method.kind == MethodKind::kUnary || method.kind == MethodKind::kClientStreaming;
  std::string outcome = one_reply ? "::absl::StatusOr<" + method.reply + ">" : "::absl::Status";
  Signature signature;
  signature.parameters.push_back({"::nearcall::ServerContext&", "context"});
  AddStreams(method, signature);
  switch (form) {
    case Form::kBlocking:
      signature.result = outcome;
      break;
    case Form::kAsync:
      signature.result = "void";
      signature.parameters.push_back({Of("Responder", one_reply ? method.reply : ""), "done"});
      break;
    case Form::kCoroutine:
      signature.result = Of("Task", outcome);
      break;
  }
  return signature;
}

}  // namespace nearcall::codegen
