// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0

// Runs the plugin's code in this process, on .proto texts that are only in memory.
#ifndef NEARCALL_TESTS_CODEGEN_GENERATE_H_
#define NEARCALL_TESTS_CODEGEN_GENERATE_H_

#include <map>
#include <memory>
#include <string>

#include "nearcall/codegen/protobuf_compat.h"

namespace nearcall::codegen {

using Files = std::map<std::string, std::string>;  // name -> content

// Parsed .proto files, which may import one another.
class Protos {
 public:
  explicit Protos(Files files);
  ~Protos();

  // Null, with errors() filled, if the file is not a valid .proto.
  const pb::FileDescriptor* Find(const std::string& name);
  const std::string& errors() const;

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

// What protoc would be given for one file: its outputs, or why there are none.
struct Generated {
  bool ok = false;
  std::string error;
  Files files;
};
Generated Generate(const pb::FileDescriptor& file, const std::string& parameter = "");

// The same for one text alone, called "test.proto".
Generated GenerateText(const std::string& proto, const std::string& parameter = "");

}  // namespace nearcall::codegen

#endif  // NEARCALL_TESTS_CODEGEN_GENERATE_H_
