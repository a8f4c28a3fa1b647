// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0

#ifndef NEARCALL_CODEGEN_GENERATOR_H_
#define NEARCALL_CODEGEN_GENERATOR_H_

#include <cstdint>
#include <string>

#include "nearcall/codegen/protobuf_compat.h"

namespace nearcall::codegen {

// The plugin as protoc sees it: for each F.proto, F.nearcall.h and F.nearcall.cc.
class Generator final : public pb::compiler::CodeGenerator {
 public:
  bool Generate(const pb::FileDescriptor* file, const std::string& parameter, pb::compiler::GeneratorContext* context,
                std::string* error) const override;
  uint64_t GetSupportedFeatures() const override { return FEATURE_PROTO3_OPTIONAL; }
};

}  // namespace nearcall::codegen

#endif  // NEARCALL_CODEGEN_GENERATOR_H_
