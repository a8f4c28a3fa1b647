// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0

// The plugin as a program, run by protoc.
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

namespace nearcall::codegen {
namespace {

struct Outcome {
  int exit_code = -1;
  std::string output;  // both streams
};

Outcome RunShell(const std::string& command) {
  Outcome outcome;
  FILE* pipe = popen((command + " 2>&1").c_str(), "r");
  if (pipe == nullptr) return outcome;
  char buffer[4096];
  while (size_t n = fread(buffer, 1, sizeof(buffer), pipe)) outcome.output.append(buffer, n);
  int status = pclose(pipe);
  outcome.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  return outcome;
}

class PluginTest : public testing::Test {
 protected:
  void SetUp() override {
    const char* given = getenv("NEARCALL_PLUGIN");
    plugin_ = given != nullptr ? given : std::filesystem::absolute("codegen/protoc-gen-nearcall").string();
    std::string folder = "/tmp/nearcall-plugin-test-XXXXXX";
    ASSERT_NE(mkdtemp(folder.data()), nullptr);
    folder_ = folder;
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  void Write(const std::string& name, const std::string& text) {
    std::filesystem::create_directories((folder_ / name).parent_path());
    std::ofstream(folder_ / name) << text;
  }
  std::string Read(const std::string& name) {
    std::ostringstream text;
    text << std::ifstream(folder_ / name).rdbuf();
    return text.str();
  }
  Outcome Protoc(const std::string& arguments) {
    return RunShell("cd " + folder_.string() + " && protoc -I. --plugin=protoc-gen-nearcall=" + plugin_ +
                    " --nearcall_out=. " + arguments);
  }

  std::string plugin_;
  std::filesystem::path folder_;
};

TEST_F(PluginTest, WritesTwoFilesBesideTheMessages) {
  Write("a/b-c.v1.proto", "syntax = \"proto3\"; package p; message M { optional int32 x = 1; } service S {}");
  Outcome outcome = Protoc("--cpp_out=. a/b-c.v1.proto");
  EXPECT_EQ(outcome.exit_code, 0) << outcome.output;
  EXPECT_EQ(outcome.output, "");
  EXPECT_NE(Read("a/b-c.v1.nearcall.h").find("#include \"a/b-c.v1.pb.h\""), std::string::npos);
  EXPECT_NE(Read("a/b-c.v1.nearcall.cc").find("#include \"a/b-c.v1.nearcall.h\""), std::string::npos);
}

TEST_F(PluginTest, OutputIsTheSameAloneAndAmongOthers) {
  Write("a.proto", "syntax = \"proto3\"; package p; message M {} service A { rpc Get(M) returns (M); }");
  Write("b.proto", "syntax = \"proto3\"; package p; import \"a.proto\"; service B { rpc Get(M) returns (M); }");
  ASSERT_EQ(Protoc("a.proto").exit_code, 0);
  std::string alone = Read("a.nearcall.h") + Read("a.nearcall.cc");
  ASSERT_EQ(Protoc("b.proto a.proto").exit_code, 0);
  EXPECT_EQ(Read("a.nearcall.h") + Read("a.nearcall.cc"), alone);
}

TEST_F(PluginTest, ErrorsNameTheFileAndWhatToDo) {
  Write("a.proto", "syntax = \"proto3\"; package p; option cc_generic_services = true;\nservice S {}");
  Outcome outcome = Protoc("a.proto");
  EXPECT_NE(outcome.exit_code, 0);
  EXPECT_EQ(
      outcome.output,
      "--nearcall_out: a.proto: line 2: service p.S: the file sets option cc_generic_services, so protobuf makes a "
      "class of the same name; remove that option, or put nearcall's classes into a namespace of their own with "
      "--nearcall_opt=namespace=rpc\n");
  EXPECT_FALSE(std::filesystem::exists(folder_ / "a.nearcall.h"));

  outcome = Protoc("--nearcall_opt=namespace=rpc,color=red a.proto");
  EXPECT_NE(outcome.exit_code, 0);
  EXPECT_EQ(
      outcome.output,
      "--nearcall_out: a.proto: --nearcall_opt: unknown option \"color\"; remove it (known options: namespace=NAME)\n");
  EXPECT_EQ(Protoc("--nearcall_opt=namespace=rpc a.proto").exit_code, 0);
}

TEST_F(PluginTest, SaysWhatItIsWhenRunByHand) {
  Outcome outcome = RunShell(plugin_ + " --help");
  EXPECT_EQ(outcome.exit_code, 0);
  EXPECT_NE(outcome.output.find("protoc --cpp_out=DIR --nearcall_out=DIR"), std::string::npos);
  EXPECT_NE(RunShell(plugin_ + " --nonsense").exit_code, 0);
}

// The goal is 2 s for the whole run; the figure is printed, not asserted.
TEST_F(PluginTest, AThousandServices) {
  std::string text = "syntax = \"proto3\"; package big.v1; message M {}\n";
  for (int i = 0; i < 1000; ++i) {
    text += "// Service number " + std::to_string(i) + ".\nservice Service" + std::to_string(i) + " {\n" +
            "  // Gets.\n  rpc Get(M) returns (M);\n  rpc List(M) returns (stream M);\n" +
            "  rpc Put(stream M) returns (M);\n  rpc Chat(stream M) returns (stream M);\n}\n";
  }
  Write("big.proto", text);
  auto begin = std::chrono::steady_clock::now();
  Outcome outcome = Protoc("big.proto");
  auto took = std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - begin);
  EXPECT_EQ(outcome.exit_code, 0) << outcome.output;
  std::string header = Read("big.nearcall.h");
  EXPECT_NE(header.find("class Service999 final {"), std::string::npos);
  std::printf("1,000 services: %d ms, %zu bytes of header, %zu bytes of source\n", static_cast<int>(took.count()),
              header.size(), Read("big.nearcall.cc").size());
}

}  // namespace
}  // namespace nearcall::codegen
