// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0

#include "nearcall/tests/codegen/generate.h"

#include <google/protobuf/compiler/importer.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>

#include <memory>
#include <string>
#include <utility>

#include "nearcall/codegen/generator.h"

namespace nearcall::codegen {
namespace {

class MemoryTree final : public pb::compiler::SourceTree {
 public:
  explicit MemoryTree(const Files& files) : files_(files) {}
  pb::io::ZeroCopyInputStream* Open(const std::string& name) override {
    auto found = files_.find(name);
    if (found == files_.end()) return nullptr;
    return new pb::io::ArrayInputStream(found->second.data(), static_cast<int>(found->second.size()));
  }

 private:
  const Files& files_;
};

class Errors final : public pb::compiler::MultiFileErrorCollector {
 public:
  void AddError(const std::string& file, int line, int, const std::string& message) override {
    text += file + ":" + std::to_string(line + 1) + ": " + message + "\n";
  }
  std::string text;
};

class MemoryContext final : public pb::compiler::GeneratorContext {
 public:
  explicit MemoryContext(Files& files) : files_(files) {}
  pb::io::ZeroCopyOutputStream* Open(const std::string& name) override {
    return new pb::io::StringOutputStream(&files_[name]);
  }

 private:
  Files& files_;
};

}  // namespace

struct Protos::Parts {
  explicit Parts(Files f) : files(std::move(f)), tree(files), importer(&tree, &errors) {}
  Files files;
  MemoryTree tree;
  Errors errors;
  pb::compiler::Importer importer;
};

Protos::Protos(Files files) : parts_(std::make_unique<Parts>(std::move(files))) {}
Protos::~Protos() = default;
const pb::FileDescriptor* Protos::Find(const std::string& name) { return parts_->importer.Import(name); }
const std::string& Protos::errors() const { return parts_->errors.text; }

Generated Generate(const pb::FileDescriptor& file, const std::string& parameter) {
  Generated result;
  MemoryContext context(result.files);
  result.ok = Generator().Generate(&file, parameter, &context, &result.error);
  return result;
}

Generated GenerateText(const std::string& proto, const std::string& parameter) {
  Protos protos(Files{{"test.proto", proto}});
  const pb::FileDescriptor* file = protos.Find("test.proto");
  if (file == nullptr) return {false, "not a valid .proto: " + protos.errors(), {}};
  return Generate(*file, parameter);
}

}  // namespace nearcall::codegen
