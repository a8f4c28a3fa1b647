// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0

#include "nearcall/codegen/model.h"

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "nearcall/codegen/comments.h"
#include "nearcall/codegen/names.h"
#include "nearcall/codegen/refusals.h"
#include "nearcall/codegen/symbols.h"

namespace nearcall::codegen {
namespace {

// Members of every service's class: a service of that name is renamed, so that these stay what they are.
constexpr const char* kFixedMembers[] = {"Stub", "Service", "AsyncService", "CoroutineService", "kServiceName"};

template <class AnyDescriptor>
std::vector<std::string> CommentOf(const AnyDescriptor& descriptor) {
  pb::SourceLocation location;
  if (!descriptor.GetSourceLocation(&location)) return {};
  std::vector<std::string> lines = CommentLines(location.leading_comments);
  std::vector<std::string> trailing = CommentLines(location.trailing_comments);
  if (!lines.empty() && !trailing.empty()) lines.push_back("");
  lines.insert(lines.end(), trailing.begin(), trailing.end());
  return lines;
}

MethodKind KindOf(const pb::MethodDescriptor& method) {
  if (method.client_streaming()) return method.server_streaming() ? MethodKind::kBidi : MethodKind::kClientStreaming;
  return method.server_streaming() ? MethodKind::kServerStreaming : MethodKind::kUnary;
}

Idempotency IdempotencyOf(const pb::MethodDescriptor& method) {
  switch (method.options().idempotency_level()) {
    case pb::MethodOptions::NO_SIDE_EFFECTS:
      return Idempotency::kNoSideEffects;
    case pb::MethodOptions::IDEMPOTENT:
      return Idempotency::kIdempotent;
    case pb::MethodOptions::IDEMPOTENCY_UNKNOWN:
      break;
  }
  return Idempotency::kUnknown;
}

// Names of the methods in a class called `class_name`, in their order.
std::vector<std::string> MemberNames(const ServiceModel& service, const char* class_name) {
  Scope scope;
  scope.Reserve(class_name);
  std::vector<std::string> wanted;
  for (const MethodModel& method : service.methods) wanted.push_back(method.rpc_name);
  return ClaimAll(wanted, scope);
}

void NameMembers(ServiceModel& service) {
  std::vector<std::string> names = MemberNames(service, "Stub");
  Scope stub_scope;
  for (size_t i = 0; i < names.size(); ++i) {
    service.methods[i].stub_name = names[i];
    stub_scope.Reserve(names[i]);
  }
  service.channel_member = stub_scope.Claim("channel_");

  // ::nearcall::ServiceBase has no members that a method could disturb: it must stay so.
  for (int form = 0; form < kFormCount; ++form) {
    names = MemberNames(service, kForms[form].class_name);
    for (size_t i = 0; i < names.size(); ++i) service.methods[i].handler_name[form] = names[i];
  }
}

MethodModel BuildMethod(const pb::MethodDescriptor& descriptor) {
  MethodModel method;
  method.rpc_name = Name(descriptor);
  method.full_name = FullName(descriptor);
  method.path = "/" + FullName(*descriptor.service()) + "/" + method.rpc_name;
  method.kind = KindOf(descriptor);
  method.idempotency = IdempotencyOf(descriptor);
  method.request = QualifiedClassName(*descriptor.input_type());
  method.reply = QualifiedClassName(*descriptor.output_type());
  method.deprecated = descriptor.options().deprecated();
  method.comment = CommentOf(descriptor);
  return method;
}

ServiceModel BuildService(const pb::ServiceDescriptor& descriptor) {
  ServiceModel service;
  service.full_name = FullName(descriptor);
  service.deprecated = descriptor.options().deprecated() || descriptor.file()->options().deprecated();
  service.comment = CommentOf(descriptor);
  for (int i = 0; i < descriptor.method_count(); ++i) service.methods.push_back(BuildMethod(*descriptor.method(i)));
  NameMembers(service);
  return service;
}

// Classes of services, and the constants beside them, in the file's namespace.
void NameServices(const pb::FileDescriptor& file, FileModel& model) {
  Scope scope;
  for (const auto& [name, what] : SymbolsOf(file, model.cpp_namespace)) scope.Reserve(name);
  for (const std::string& name : LibraryNames(model.cpp_namespace)) scope.Reserve(name);
  for (const char* name : kFixedMembers) scope.Reserve(name);

  std::vector<std::string> wanted;
  for (int i = 0; i < file.service_count(); ++i) wanted.push_back(Name(*file.service(i)));
  std::vector<std::string> names = ClaimAll(wanted, scope);
  for (size_t i = 0; i < names.size(); ++i) {
    ServiceModel& service = model.services[i];
    service.class_name = names[i];
    service.qualified = model.cpp_namespace + "::" + names[i];
  }
  for (ServiceModel& service : model.services) {
    service.methods_array = scope.Claim("kMethods_" + service.class_name);
    for (int form = 0; form < kFormCount; ++form) {
      service.handlers_array[form] =
          scope.Claim("k" + std::string(kForms[form].handler_prefix) + "_" + service.class_name);
    }
  }
}

bool HasDeprecated(const FileModel& model) {
  for (const ServiceModel& service : model.services) {
    if (service.deprecated) return true;
    for (const MethodModel& method : service.methods) {
      if (method.deprecated) return true;
    }
  }
  return false;
}

}  // namespace

std::optional<FileModel> BuildModel(const pb::FileDescriptor& file, const Options& options, std::string& error) {
  error = WhyRefused(file, options);
  if (!error.empty()) return std::nullopt;

  FileModel model;
  model.proto_name = Name(file);
  std::string base = StripProto(model.proto_name);
  model.header_name = base + ".nearcall.h";
  model.source_name = base + ".nearcall.cc";
  model.message_header = base + ".pb.h";
  model.include_guard = IncludeGuard(model.proto_name, options.nested_namespace);
  model.namespaces = SplitPackage(Package(file));
  model.cpp_namespace = Namespace(Package(file));
  if (!options.nested_namespace.empty()) {
    model.namespaces.push_back(options.nested_namespace);
    model.cpp_namespace += "::" + options.nested_namespace;
  }
  for (int i = 0; i < file.service_count(); ++i) model.services.push_back(BuildService(*file.service(i)));
  NameServices(file, model);
  model.has_deprecated = HasDeprecated(model);
  return model;
}

}  // namespace nearcall::codegen
