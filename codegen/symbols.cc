// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0

#include "nearcall/codegen/symbols.h"

#include <set>
#include <string>

#include "nearcall/codegen/names.h"

namespace nearcall::codegen {
namespace {

class Collector {
 public:
  Collector(const std::string& cpp_namespace, Symbols& symbols) : namespace_(cpp_namespace), symbols_(symbols) {}

  void AddFileAndImports(const pb::FileDescriptor& file) {
    if (!seen_.insert(&file).second) return;
    AddNamespaceBelow(file);
    if (Namespace(Package(file)) == namespace_) AddFile(file);
    for (int i = 0; i < file.dependency_count(); ++i) AddFileAndImports(*file.dependency(i));
  }

 private:
  void Add(const std::string& name, const char* what, const std::string& full_name, const pb::FileDescriptor& file) {
    symbols_.emplace(name, std::string(what) + " " + full_name + " of " + Name(file));
  }

  // Package a.b.c puts a namespace b into ::a.
  void AddNamespaceBelow(const pb::FileDescriptor& file) {
    std::string parent;
    for (const std::string& part : SplitPackage(Package(file))) {
      if (parent == namespace_) Add(part, "package", Package(file), file);
      parent += "::" + part;
    }
  }

  void AddFile(const pb::FileDescriptor& file) {
    for (int i = 0; i < file.message_type_count(); ++i) AddMessage(*file.message_type(i));
    for (int i = 0; i < file.enum_type_count(); ++i) AddEnum(*file.enum_type(i));
    for (int i = 0; i < file.extension_count(); ++i) {
      Add(Name(*file.extension(i)), "extension", FullName(*file.extension(i)), file);
    }
    for (int i = 0; file.options().cc_generic_services() && i < file.service_count(); ++i) {
      Add(Name(*file.service(i)), "generic service", FullName(*file.service(i)), file);
      Add(Name(*file.service(i)) + "_Stub", "generic service", FullName(*file.service(i)), file);
    }
  }

  void AddMessage(const pb::Descriptor& message) {
    Add(ClassName(message), "message", FullName(message), *message.file());
    for (int i = 0; i < message.nested_type_count(); ++i) AddMessage(*message.nested_type(i));
    for (int i = 0; i < message.enum_type_count(); ++i) AddEnum(*message.enum_type(i));
  }

  void AddEnum(const pb::EnumDescriptor& enumeration) {
    std::string name = ClassName(enumeration);
    for (const char* end : {"", "_Name", "_Parse", "_IsValid", "_descriptor", "_MIN", "_MAX", "_ARRAYSIZE"}) {
      Add(name + end, "enum", FullName(enumeration), *enumeration.file());
    }
    std::string prefix =
        enumeration.containing_type() == nullptr ? "" : ClassName(*enumeration.containing_type()) + "_";
    for (int i = 0; i < enumeration.value_count(); ++i) {
      std::string value = prefix + Name(*enumeration.value(i));
      if (IsEscapedByProtobuf(value)) value += "_";
      Add(value, "enum value", FullName(*enumeration.value(i)), *enumeration.file());
    }
  }

  const std::string& namespace_;
  Symbols& symbols_;
  std::set<const pb::FileDescriptor*> seen_;
};

}  // namespace

Symbols SymbolsOf(const pb::FileDescriptor& file, const std::string& cpp_namespace) {
  Symbols symbols;
  Collector(cpp_namespace, symbols).AddFileAndImports(file);
  return symbols;
}

}  // namespace nearcall::codegen
