// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0

// Everything that is decided about one .proto file's C++: names, kinds, comments, what is refused. The printer only
// lays it out. See README.md for the naming rules.
#ifndef NEARCALL_CODEGEN_MODEL_H_
#define NEARCALL_CODEGEN_MODEL_H_

#include <array>
#include <optional>
#include <string>
#include <vector>

#include "nearcall/codegen/options.h"
#include "nearcall/codegen/protobuf_compat.h"

namespace nearcall::codegen {

enum class MethodKind { kUnary, kServerStreaming, kClientStreaming, kBidi };
enum class Idempotency { kUnknown, kNoSideEffects, kIdempotent };

// The ways to write a server. The order is that of kForms.
enum class Form { kBlocking, kAsync, kCoroutine };
inline constexpr int kFormCount = 3;

struct FormInfo {
  Form form;
  const char* class_name;      // of the class that users derive from
  const char* handler_prefix;  // of the runtime's ::nearcall::internal::BlockingUnary and so on
  const char* text;            // first line of the class's comment, after its name
};
inline constexpr FormInfo kForms[kFormCount] = {
    {Form::kBlocking, "Service", "Blocking", "in blocking style: a method returns its result."},
    {Form::kAsync, "AsyncService", "Async", "in callback style: a method answers later, from any thread, with done."},
    {Form::kCoroutine, "CoroutineService", "Coroutine", "in coroutine style: a method co_returns its result."},
};

struct MethodModel {
  std::string rpc_name;   // as in the .proto
  std::string full_name;  // hello.v1.Greeter.SayHello
  std::string path;       // /hello.v1.Greeter/SayHello
  MethodKind kind = MethodKind::kUnary;
  Idempotency idempotency = Idempotency::kUnknown;
  std::string request;  // C++ type from "::" on
  std::string reply;
  bool deprecated = false;
  std::vector<std::string> comment;
  std::string stub_name;                             // of the member function of Stub
  std::array<std::string, kFormCount> handler_name;  // of the member function of each form's class
};

struct ServiceModel {
  std::string full_name;   // hello.v1.Greeter, what goes over the wire
  std::string class_name;  // Greeter
  std::string qualified;   // ::hello::v1::Greeter
  bool deprecated = false;
  std::vector<std::string> comment;
  std::vector<MethodModel> methods;
  std::string channel_member;                          // of Stub
  std::string methods_array;                           // kMethods_Greeter: in the source's unnamed namespace
  std::array<std::string, kFormCount> handlers_array;  // kBlocking_Greeter ...
};

struct FileModel {
  std::string proto_name;  // hello/v1/greeter.proto
  std::string header_name;
  std::string source_name;
  std::string message_header;  // hello/v1/greeter.pb.h
  std::string include_guard;
  std::vector<std::string> namespaces;  // hello v1
  std::string cpp_namespace;            // ::hello::v1
  bool has_deprecated = false;
  std::vector<ServiceModel> services;
};

// Nothing, with a text for the user in `error` (which protoc prints after the file's name), if this file's services
// can't be generated. A file without services is refused for its name only.
std::optional<FileModel> BuildModel(const pb::FileDescriptor& file, const Options& options, std::string& error);

}  // namespace nearcall::codegen

#endif  // NEARCALL_CODEGEN_MODEL_H_
