// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0

// What the plugin prints, byte for byte. After a wanted change:
//   NEARCALL_UPDATE_GOLDEN=1 bazel run //tests/codegen:golden_test
// writes golden/*.golden anew in the tree; read the difference before you commit it.
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <sstream>
#include <string>

#include "nearcall/tests/codegen/generate.h"

namespace nearcall::codegen {
namespace {

constexpr char kFolder[] = "tests/codegen/golden/";

std::string Read(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  EXPECT_TRUE(in.good()) << "can't read " << path;
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

Generated GenerateFile(const std::string& name, const std::string& parameter) {
  Protos protos(Files{{name, Read(kFolder + name)}});
  const pb::FileDescriptor* file = protos.Find(name);
  EXPECT_NE(file, nullptr) << protos.errors();
  return file == nullptr ? Generated{} : Generate(*file, parameter);
}

void ExpectGolden(const std::string& name, const std::string& parameter = "") {
  Generated result = GenerateFile(name, parameter);
  ASSERT_TRUE(result.ok) << result.error;
  ASSERT_EQ(result.files.size(), 2u);
  for (const auto& [file, content] : result.files) {
    if (std::getenv("NEARCALL_UPDATE_GOLDEN") != nullptr) {
      const char* tree = std::getenv("BUILD_WORKSPACE_DIRECTORY");  // set by bazel run
      std::string path = std::string(tree != nullptr ? tree : ".") + "/" + kFolder + file + ".golden";
      std::ofstream(path, std::ios::binary) << content;
      std::printf("wrote %s\n", path.c_str());
      continue;
    }
    EXPECT_EQ(Read(kFolder + file + ".golden"), content) << "see the top of golden_test.cc";
  }
}

TEST(GoldenTest, AllKindsCommentsAndOptions) { ExpectGolden("orders.proto"); }
TEST(GoldenTest, NamesThatChange) { ExpectGolden("odd_names.proto"); }
TEST(GoldenTest, NestedNamespace) { ExpectGolden("nested_namespace.proto", "namespace=rpc"); }
TEST(GoldenTest, NoPackage) { ExpectGolden("no_package.proto"); }
TEST(GoldenTest, NoServices) { ExpectGolden("no_services.proto"); }

TEST(GoldenTest, OutputDependsOnTheFileAlone) {
  Generated first = GenerateFile("orders.proto", "");
  GenerateFile("odd_names.proto", "");
  EXPECT_EQ(GenerateFile("orders.proto", "").files, first.files);
}

TEST(GoldenTest, NoLineIsLongerThanNeeded) {
  for (const char* name : {"orders.proto", "odd_names.proto"}) {
    for (const auto& [file, content] : GenerateFile(name, "").files) {
      std::istringstream lines(content);
      for (std::string line; std::getline(lines, line);) {
        EXPECT_LE(line.size(), 120u) << file << ": " << line;
        EXPECT_TRUE(line.empty() || line.back() != ' ') << file << ": " << line;
      }
    }
  }
}

}  // namespace
}  // namespace nearcall::codegen
