// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0

#include "nearcall/codegen/names.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "nearcall/tests/codegen/generate.h"

namespace nearcall::codegen {
namespace {

TEST(NamesTest, IdentifiersAndReservedWords) {
  for (const char* name : {"a", "_a", "A9", "a_b"}) EXPECT_TRUE(IsIdentifier(name)) << name;
  for (const char* name : {"", "9a", "a-b", "a.b", "a::b", "\xc3\xa4"}) EXPECT_FALSE(IsIdentifier(name)) << name;
  for (const char* name : {"class", "delete", "concept", "co_await", "char8_t", "requires", "xor", "NULL", "errno"}) {
    EXPECT_TRUE(IsReservedWord(name)) << name;
  }
  for (const char* name : {"Class", "Wait", "Stub", "final", "override", "import", "string"}) {
    EXPECT_FALSE(IsReservedWord(name)) << name;
  }
}

TEST(NamesTest, PackagesAndFiles) {
  EXPECT_EQ(Namespace(""), "");
  EXPECT_EQ(Namespace("hello"), "::hello");
  EXPECT_EQ(Namespace("hello.v1"), "::hello::v1");
  EXPECT_EQ(StripProto("a/b.c.proto"), "a/b.c");
  EXPECT_EQ(StripProto("a.protodevel"), "a");
  EXPECT_EQ(StripProto("a.txt"), "a.txt");
}

TEST(NamesTest, IncludeGuardsOfDifferentFilesDiffer) {
  EXPECT_EQ(IncludeGuard("a/b-c.proto", ""), "NEARCALL_GENERATED_a_2fb_2dc_2eproto");
  const std::vector<std::string> names = {"a-b.proto", "a_b.proto", "a.b.proto",
                                          "a/b.proto", "A_b.proto", "\xc3\xa4.proto"};
  for (const std::string& one : names) {
    EXPECT_TRUE(IsIdentifier(IncludeGuard(one, ""))) << one;
    EXPECT_NE(IncludeGuard(one, ""), IncludeGuard(one, "rpc"));
    for (const std::string& other : names) {
      EXPECT_EQ(one == other, IncludeGuard(one, "") == IncludeGuard(other, "")) << one << " " << other;
    }
  }
}

TEST(NamesTest, MessagesAreCalledWhatProtobufCallsThem) {
  Protos protos(Files{{"test.proto", R"(syntax = "proto3"; package a.b;
      message Outer { message Inner { message delete {} } map<string, Outer> m = 1; enum Kind { ZERO = 0; } }
      message class { message Inner {} } message NULL {} message final {})"}});
  const pb::FileDescriptor* file = protos.Find("test.proto");
  ASSERT_NE(file, nullptr) << protos.errors();
  auto name = [&](const char* message) { return QualifiedClassName(*file->pool()->FindMessageTypeByName(message)); };
  EXPECT_EQ(name("a.b.Outer"), "::a::b::Outer");
  EXPECT_EQ(name("a.b.Outer.Inner"), "::a::b::Outer_Inner");
  EXPECT_EQ(name("a.b.Outer.Inner.delete"), "::a::b::Outer_Inner_delete");
  EXPECT_EQ(name("a.b.Outer.MEntry"), "::a::b::Outer_MEntry_DoNotUse");
  EXPECT_EQ(name("a.b.class"), "::a::b::class_");
  EXPECT_EQ(name("a.b.class.Inner"), "::a::b::class__Inner");
  EXPECT_EQ(name("a.b.NULL"), "::a::b::NULL_");
  EXPECT_EQ(name("a.b.final"), "::a::b::final");
  EXPECT_EQ(ClassName(*file->pool()->FindEnumTypeByName("a.b.Outer.Kind")), "Outer_Kind");
}

TEST(NamesTest, ClaimAllLeavesNamesThatCanStay) {
  struct Row {
    std::vector<std::string> reserved, wanted, expected;
  };
  const Row rows[] = {
      {{}, {"Get", "Put"}, {"Get", "Put"}},
      {{}, {"class", "Get"}, {"class_", "Get"}},
      {{}, {"class", "class_"}, {"class__", "class_"}},
      {{}, {"class_", "class", "class__"}, {"class_", "class___", "class__"}},
      {{"Stub"}, {"Stub", "Service"}, {"Stub_", "Service"}},
      {{"Stub"}, {"Stub", "Stub_"}, {"Stub__", "Stub_"}},
      {{"Stub", "Stub_"}, {"Stub"}, {"Stub__"}},
      {{}, {"get", "Get", "GET"}, {"get", "Get", "GET"}},
  };
  for (const Row& row : rows) {
    Scope scope;
    for (const std::string& name : row.reserved) scope.Reserve(name);
    EXPECT_EQ(ClaimAll(row.wanted, scope), row.expected);
  }
}

}  // namespace
}  // namespace nearcall::codegen
