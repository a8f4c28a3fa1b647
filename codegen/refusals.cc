// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0

#include "nearcall/codegen/refusals.h"

#include <set>
#include <string>

#include "nearcall/codegen/names.h"
#include "nearcall/codegen/symbols.h"

namespace nearcall::codegen {
namespace {

std::string WhyBadFileName(const std::string& name) {
  for (char c : name) {
    if (c == '"' || c == '\\' || static_cast<unsigned char>(c) < 0x20 || c == 0x7F) {
      return "the file's name has a quote, a backslash or a control character, which an #include can't hold; rename it";
    }
  }
  return "";
}

// "line 7: service a.B" or, without source information, "service a.B".
std::string At(const pb::ServiceDescriptor& service) {
  pb::SourceLocation location;
  std::string line;
  if (service.GetSourceLocation(&location)) line = "line " + std::to_string(location.start_line + 1) + ": ";
  return line + "service " + FullName(service);
}

std::string WhyBadPackage(const pb::FileDescriptor& file, const std::string& subject) {
  std::vector<std::string> parts = SplitPackage(Package(file));
  std::string package = subject + ": package " + Package(file) + " of " + Name(file);
  for (size_t i = 0; i < parts.size(); ++i) {
    if (i > 0 && parts[i] == "std") {
      return package +
             " has a part named std below the top level, and protobuf's own C++ output for it does not compile" +
             " (it spells std:: without leading colons); rename that part";
    }
    if (IsReservedWord(parts[i])) {
      return package + " has a part named " + parts[i] +
             ", a C++ keyword or macro, and protobuf's own C++ output for it does not compile; rename that part";
    }
  }
  return "";
}

std::string WhyBadMessage(const pb::Descriptor& message, const std::string& subject) {
  if (std::string why = WhyBadPackage(*message.file(), subject); !why.empty()) return why;
  std::string name = ClassName(message);
  if (!IsReservedWord(name)) return "";
  return subject + ": message " + FullName(message) + " of " + Name(*message.file()) + " becomes a C++ class named " +
         name + ", which is a keyword or macro that protobuf's own C++ output does not avoid; rename the message";
}

std::string WhyBadMethods(const pb::ServiceDescriptor& service) {
  std::set<const pb::Descriptor*> seen;
  for (int i = 0; i < service.method_count(); ++i) {
    const pb::MethodDescriptor& method = *service.method(i);
    for (const pb::Descriptor* message : {method.input_type(), method.output_type()}) {
      if (!seen.insert(message).second) continue;
      std::string subject = At(service) + ", rpc " + Name(method);
      if (std::string why = WhyBadMessage(*message, subject); !why.empty()) return why;
    }
  }
  return "";
}

bool IsPackage(const std::string& symbol) { return symbol.compare(0, 8, "package ") == 0; }

// A message that has the name of something of ::nearcall, ::absl, ::std or of the global namespace.
std::string WhyLibraryClash(const pb::FileDescriptor& file) {
  for (const char* cpp_namespace : {"", "::nearcall", "::absl", "::std"}) {
    Symbols symbols = SymbolsOf(file, cpp_namespace);
    for (const std::string& name : LibraryNames(cpp_namespace)) {
      auto found = symbols.find(name);
      if (found == symbols.end()) continue;
      bool is_namespace = *cpp_namespace == '\0' || name.find("internal") != std::string::npos;
      if (is_namespace && IsPackage(found->second)) continue;  // they share it
      return At(*file.service(0)) + ": " + found->second + " becomes " + cpp_namespace + "::" + name +
             ", which generated code needs for its own use; rename it or move it to another package";
    }
  }
  return "";
}

std::string WhyBadNestedNamespace(const pb::FileDescriptor& file, const std::string& nested) {
  if (nested.empty()) return "";
  std::string refused = "--nearcall_opt: namespace=" + nested + " can't be used: ";
  std::string parent = Namespace(Package(file));
  for (const std::string& name : LibraryNames(parent)) {
    if (name == nested) return refused + parent + "::" + nested + " is a library's; choose another";
  }
  Symbols symbols = SymbolsOf(file, parent);
  auto found = symbols.find(nested);
  if (found == symbols.end() || IsPackage(found->second)) return "";
  return refused + found->second + " has that name; choose another";
}

}  // namespace

std::string WhyRefused(const pb::FileDescriptor& file, const Options& options) {
  if (std::string why = WhyBadFileName(Name(file)); !why.empty()) return why;
  if (file.service_count() == 0) return "";
  if (file.options().cc_generic_services() && options.nested_namespace.empty()) {
    return At(*file.service(0)) +
           ": the file sets option cc_generic_services, so protobuf makes a class of the same name; remove that "
           "option, or "
           "put nearcall's classes into a namespace of their own with --nearcall_opt=namespace=rpc";
  }
  if (std::string why = WhyBadPackage(file, At(*file.service(0))); !why.empty()) return why;
  for (int i = 0; i < file.service_count(); ++i) {
    if (std::string why = WhyBadMethods(*file.service(i)); !why.empty()) return why;
  }
  for (int i = 0; i < file.message_type_count(); ++i) {
    if (std::string why = WhyBadMessage(*file.message_type(i), At(*file.service(0))); !why.empty()) return why;
  }
  if (std::string why = WhyBadNestedNamespace(file, options.nested_namespace); !why.empty()) return why;
  return WhyLibraryClash(file);
}

}  // namespace nearcall::codegen
