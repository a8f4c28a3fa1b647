// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0

// How things of a .proto are called in C++. Names of messages are protobuf's and are computed as it computes them
// (its own helpers.h can't be included: a header it needs is not shipped); names of services and methods are ours.
#ifndef NEARCALL_CODEGEN_NAMES_H_
#define NEARCALL_CODEGEN_NAMES_H_

#include <string>
#include <unordered_set>
#include <vector>

#include "nearcall/codegen/protobuf_compat.h"

namespace nearcall::codegen {

bool IsIdentifier(const std::string& name);

// C++20's keywords and alternative tokens, and macros that the C library's headers define: no class or function may be
// called so.
bool IsReservedWord(const std::string& name);

// Keywords to which protobuf appends an underscore; the rest of C++20's it prints as they are, and its own output
// fails.
bool IsEscapedByProtobuf(const std::string& name);

// "foo/bar.proto" -> "foo/bar", as protoc does for .pb.h.
std::string StripProto(const std::string& file_name);

std::vector<std::string> SplitPackage(const std::string& package);

// "hello.v1" -> "::hello::v1"; no package -> "".
std::string Namespace(const std::string& package);

// Protobuf's class of a message or enum, without namespace: Outer_Inner.
std::string ClassName(const pb::Descriptor& message);
std::string ClassName(const pb::EnumDescriptor& enumeration);

// From "::" on.
std::string QualifiedClassName(const pb::Descriptor& message);

// A macro name that no other file name gives: whatever is not a letter or digit becomes _ and its hex code.
std::string IncludeGuard(const std::string& file_name, const std::string& nested_namespace);

// Names of one scope. Claim() appends "_" until the name is free, and takes it.
class Scope {
 public:
  void Reserve(const std::string& name) { taken_.insert(name); }
  bool Has(const std::string& name) const { return taken_.count(name) != 0; }
  bool CanKeep(const std::string& name) const { return !Has(name) && !IsReservedWord(name); }
  std::string Claim(std::string name);

 private:
  std::unordered_set<std::string> taken_;
};

// Claims all of `wanted` (which are distinct). Those that can stay as they are do, whatever their order; then the
// others get theirs.
std::vector<std::string> ClaimAll(const std::vector<std::string>& wanted, Scope& scope);

// Names that C++ libraries hold in `cpp_namespace` ("" "::nearcall" "::absl" "::std"); none for any other.
const std::vector<std::string>& LibraryNames(const std::string& cpp_namespace);

}  // namespace nearcall::codegen

#endif  // NEARCALL_CODEGEN_NAMES_H_
