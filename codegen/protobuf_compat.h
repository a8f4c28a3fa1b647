// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0

// The one place that touches what changes between protobuf releases. With 3.21 descriptor names are std::string and
// versions are one number; later releases return string views from descriptors and know editions.
#ifndef NEARCALL_CODEGEN_PROTOBUF_COMPAT_H_
#define NEARCALL_CODEGEN_PROTOBUF_COMPAT_H_

#include <google/protobuf/compiler/code_generator.h>
#include <google/protobuf/descriptor.h>
#include <google/protobuf/descriptor.pb.h>
#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream.h>

#include <memory>
#include <string>

namespace nearcall::codegen {

namespace pb = ::google::protobuf;

// The full text of a name, whatever string type this protobuf gives.
template <class Text>
std::string Str(const Text& text) {
  return std::string(text.data(), text.size());
}

template <class AnyDescriptor>
std::string Name(const AnyDescriptor& descriptor) {
  return Str(descriptor.name());
}

template <class AnyDescriptor>
std::string FullName(const AnyDescriptor& descriptor) {
  return Str(descriptor.full_name());
}

inline std::string Package(const pb::FileDescriptor& file) { return Str(file.package()); }

// Writes one output file. False: protoc could not take it.
inline bool WriteFile(pb::compiler::GeneratorContext& context, const std::string& name, const std::string& content) {
  std::unique_ptr<pb::io::ZeroCopyOutputStream> stream(context.Open(name));
  pb::io::CodedOutputStream out(stream.get());
  out.WriteRaw(content.data(), static_cast<int>(content.size()));
  out.Trim();
  return !out.HadError();
}

}  // namespace nearcall::codegen

#endif  // NEARCALL_CODEGEN_PROTOBUF_COMPAT_H_
