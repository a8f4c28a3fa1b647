// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0

#include <string>
#include <vector>

#include "nearcall/codegen/model.h"
#include "nearcall/codegen/printer.h"
#include "nearcall/codegen/signatures.h"
#include "nearcall/codegen/text.h"

namespace nearcall::codegen {
namespace {

// What the runtime calls each kind: in MethodKind::kUnary, StartUnary, BlockingUnary.
std::string KindName(MethodKind kind) {
  switch (kind) {
    case MethodKind::kUnary:
      return "Unary";
    case MethodKind::kServerStreaming:
      return "ServerStreaming";
    case MethodKind::kClientStreaming:
      return "ClientStreaming";
    case MethodKind::kBidi:
      break;
  }
  return "Bidi";
}

std::string IdempotencyName(Idempotency idempotency) {
  switch (idempotency) {
    case Idempotency::kNoSideEffects:
      return "kNoSideEffects";
    case Idempotency::kIdempotent:
      return "kIdempotent";
    case Idempotency::kUnknown:
      break;
  }
  return "kUnknown";
}

// ::hello::v1::kMethods_Greeter[2]
std::string MethodInfo(const FileModel& file, const ServiceModel& service, size_t index) {
  return file.cpp_namespace + "::" + service.methods_array + "[" + std::to_string(index) + "]";
}

void AddTables(const FileModel& file, const ServiceModel& service, Text& out) {
  out.Add("\nnamespace {\n\nconstexpr ::nearcall::internal::MethodInfo $array$[] = {\n",
          {{"array", service.methods_array}});
  for (const MethodModel& method : service.methods) {
    out.Add(
        "    {\"$path$\", ::nearcall::internal::MethodKind::k$kind$,\n"
        "     ::nearcall::internal::Idempotency::$idempotency$},\n",
        {{"path", method.path}, {"kind", KindName(method.kind)}, {"idempotency", IdempotencyName(method.idempotency)}});
  }
  out.Add("};\n");
  for (int form = 0; form < kFormCount; ++form) {
    out.Add("\nconstexpr ::nearcall::internal::MethodHandler $array$[] = {\n",
            {{"array", service.handlers_array[form]}});
    for (size_t i = 0; i < service.methods.size(); ++i) {
      const MethodModel& method = service.methods[i];
      std::string form_class = service.qualified + "::" + kForms[form].class_name;
      out.Add(
          "    ::nearcall::internal::$prefix$$kind$<\n"
          "        $class$, $request$, $reply$,\n"
          "        &$class$::$name$>($info$),\n",
          {{"prefix", kForms[form].handler_prefix},
           {"kind", KindName(method.kind)},
           {"class", form_class},
           {"request", method.request},
           {"reply", method.reply},
           {"name", method.handler_name[form]},
           {"info", MethodInfo(file, service, i)}});
    }
    out.Add("};\n");
  }
  out.Add("\n}  // namespace\n");
}

void AddStub(const FileModel& file, const ServiceModel& service, Text& out) {
  out.Add("\n$class$::Stub::Stub(::nearcall::Channel channel) : $member$(::std::move(channel)) {}\n",
          {{"class", service.class_name}, {"member", service.channel_member}});
  for (size_t i = 0; i < service.methods.size(); ++i) {
    const MethodModel& method = service.methods[i];
    Signature signature = StubSignature(method);
    std::vector<std::string> parameters;
    for (const Parameter& p : signature.parameters) parameters.push_back(p.type + " " + p.name);
    parameters.push_back("const ::nearcall::CallOptions& options");
    out.Add("\n");
    out.AddParameters(signature.result + " " + service.class_name + "::Stub::" + method.stub_name + "(", parameters,
                      ") const {");
    bool streams_requests = signature.parameters.empty();
    std::string types = streams_requests ? method.request + ", " + method.reply : method.reply;
    out.Add(
        "  return ::nearcall::internal::Start$kind$<$types$>(\n"
        "      $member$, $info$, $request$options);\n"
        "}\n",
        {{"kind", KindName(method.kind)},
         {"types", types},
         {"member", service.channel_member},
         {"info", MethodInfo(file, service, i)},
         {"request", streams_requests ? "" : "request, "}});
  }
}

// The body that answers UNIMPLEMENTED.
void AddDefaultBody(const MethodModel& method, Form form, Text& out) {
  const char* line = form == Form::kBlocking ? "  return $status$;\n"
                     : form == Form::kAsync  ? "  done($status$);\n"
                                             : "  co_return $status$;\n";
  out.Add(line, {{"status", "::absl::UnimplementedError(\"" + method.path + " is not implemented\")"}});
}

void AddForm(const ServiceModel& service, int index, Text& out) {
  const FormInfo& form = kForms[index];
  std::string count = std::to_string(service.methods.size());
  out.Add(
      "\n$class$::$form$::$form$()\n"
      "    : ::nearcall::ServiceBase(::nearcall::internal::ServiceTable{\n"
      "          $qualified$::kServiceName, $handlers$, $count$}) {}\n"
      "\n$class$::$form$::~$form$() = default;\n",
      {{"class", service.class_name},
       {"form", form.class_name},
       {"qualified", service.qualified},
       {"handlers", service.methods.empty()
                        ? "nullptr"
                        : service.qualified.substr(0, service.qualified.size() - service.class_name.size()) +
                              service.handlers_array[index]},
       {"count", count}});
  for (const MethodModel& method : service.methods) {
    Signature signature = HandlerSignature(method, form.form);
    std::vector<std::string> parameters;
    for (const Parameter& p : signature.parameters) {
      // The default uses none of the others.
      parameters.push_back(p.name == "done" ? p.type + " done" : p.type);
    }
    const std::string scope = service.class_name + "::" + form.class_name + "::";
    out.Add("\n");
    out.AddParameters(signature.result + " " + scope + method.handler_name[index] + "(", parameters, ") {");
    AddDefaultBody(method, form.form, out);
    out.Add("}\n");
  }
}

}  // namespace

std::string PrintSource(const FileModel& file) {
  Text out;
  out.Add("// Generated by protoc-gen-nearcall from $proto$. Do not edit.\n", {{"proto", file.proto_name}});
  out.Add("#include \"$header$\"\n", {{"header", file.header_name}});
  if (file.services.empty()) return out.str();

  out.Add("\n#include <utility>\n\n");
  if (file.has_deprecated) {
    out.Add("#pragma GCC diagnostic ignored \"-Wdeprecated-declarations\"  // what is deprecated is defined here\n\n");
  }
  std::string name = file.cpp_namespace.empty() ? "" : file.cpp_namespace.substr(2);
  if (!name.empty()) out.Add("namespace $name$ {\n", {{"name", name}});
  for (const ServiceModel& service : file.services) {
    if (!service.methods.empty()) AddTables(file, service, out);
    AddStub(file, service, out);
    for (int form = 0; form < kFormCount; ++form) AddForm(service, form, out);
  }
  if (!name.empty()) out.Add("\n}  // namespace $name$\n", {{"name", name}});
  return out.str();
}

}  // namespace nearcall::codegen
