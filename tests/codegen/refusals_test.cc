// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0

// What can't be generated, and the texts that say so.
#include <gtest/gtest.h>

#include <string>

#include "nearcall/tests/codegen/generate.h"

namespace nearcall::codegen {
namespace {

constexpr char kPlain[] = "syntax = \"proto3\"; package p; message M {} service S { rpc A(M) returns (M); }";

void ExpectRefused(const std::string& proto, const std::string& parameter, const std::string& text) {
  Generated result = GenerateText(proto, parameter);
  EXPECT_FALSE(result.ok) << proto;
  EXPECT_EQ(result.error, text);
  EXPECT_TRUE(result.files.empty());
}

TEST(RefusalsTest, Options) {
  ExpectRefused(kPlain, "foo=1", "--nearcall_opt: unknown option \"foo\"; remove it (known options: namespace=NAME)");
  ExpectRefused(kPlain, "namespace=rpc,lite",
                "--nearcall_opt: unknown option \"lite\"; remove it (known options: namespace=NAME)");
  const std::string help = "; give one plain name, as --nearcall_opt=namespace=rpc";
  ExpectRefused(kPlain, "namespace", "--nearcall_opt: namespace= can't be used: the name is missing" + help);
  ExpectRefused(kPlain, "namespace=a::b",
                "--nearcall_opt: namespace=a::b can't be used: it is not one C++ identifier" + help);
  ExpectRefused(kPlain, "namespace=9",
                "--nearcall_opt: namespace=9 can't be used: it is not one C++ identifier" + help);
  ExpectRefused(
      kPlain, "namespace=class",
      "--nearcall_opt: namespace=class can't be used: it is a C++ keyword or a macro of the C library" + help);
  ExpectRefused(
      kPlain, "namespace=std",
      "--nearcall_opt: namespace=std can't be used: a namespace std below another breaks code that spells std:: "
      "without leading colons" +
          help);
  ExpectRefused(kPlain, "namespace=__x",
                "--nearcall_opt: namespace=__x can't be used: C++ reserves such names for the compiler" + help);
  ExpectRefused(kPlain, "namespace=a,namespace=b",
                "--nearcall_opt: namespace is given twice, as \"a\" and as \"b\"; give it once");
  ExpectRefused(kPlain, "namespace=M",
                "--nearcall_opt: namespace=M can't be used: message p.M of test.proto has that name; choose another");
  EXPECT_TRUE(GenerateText(kPlain, "").ok);
  EXPECT_TRUE(GenerateText(kPlain, "namespace=rpc,namespace=rpc").ok);
}

TEST(RefusalsTest, GenericServicesNeedANamespace) {
  const std::string proto = "syntax = \"proto3\"; package p; option cc_generic_services = true;\nservice S {}";
  ExpectRefused(
      proto, "",
      "line 2: service p.S: the file sets option cc_generic_services, so protobuf makes a class of the same name; "
      "remove that option, or put nearcall's classes into a namespace of their own with "
      "--nearcall_opt=namespace=rpc");
  EXPECT_TRUE(GenerateText(proto, "namespace=rpc").ok);
  EXPECT_TRUE(GenerateText("syntax = \"proto3\"; option cc_generic_services = true; message M {}").ok);
}

TEST(RefusalsTest, PackagesThatProtobufCantCompile) {
  ExpectRefused(
      "syntax = \"proto3\"; package a.std.b;\n\nservice S {}", "",
      "line 3: service a.std.b.S: package a.std.b of test.proto has a part named std below the top level, and "
      "protobuf's own C++ output for it does not compile (it spells std:: without leading colons); rename that "
      "part");
  ExpectRefused(
      "syntax = \"proto3\"; package a.class; service S {}", "",
      "line 1: service a.class.S: package a.class of test.proto has a part named class, a C++ keyword or macro, "
      "and protobuf's own C++ output for it does not compile; rename that part");
  EXPECT_TRUE(GenerateText("syntax = \"proto3\"; package std.a; service S {}").ok);
  EXPECT_TRUE(GenerateText("syntax = \"proto3\"; package a.std.b; message M {}").ok);

  Protos protos(
      {{"a.proto", "syntax = \"proto3\"; package x.std; message M {}"},
       {"b.proto", "syntax = \"proto3\"; import \"a.proto\";\nservice S { rpc A(x.std.M) returns (x.std.M); }"}});
  EXPECT_EQ(
      Generate(*protos.Find("b.proto")).error,
      "line 2: service S, rpc A: package x.std of a.proto has a part named std below the top level, and protobuf's "
      "own C++ output for it does not compile (it spells std:: without leading colons); rename that part");
}

TEST(RefusalsTest, MessagesThatCantBeNamed) {
  ExpectRefused(
      "syntax = \"proto3\"; package p; message concept {} service S { rpc A(concept) returns (concept); }", "",
      "line 1: service p.S, rpc A: message p.concept of test.proto becomes a C++ class named concept, which is a "
      "keyword or macro that protobuf's own C++ output does not avoid; rename the message");
  ExpectRefused("syntax = \"proto3\"; package p; message errno {} service S {}", "",
                "line 1: service p.S: message p.errno of test.proto becomes a C++ class named errno, which is a "
                "keyword or macro that protobuf's own C++ output does not avoid; rename the message");
  ExpectRefused("syntax = \"proto3\"; package nearcall; message Channel {} service S {}", "",
                "line 1: service nearcall.S: message nearcall.Channel of test.proto becomes ::nearcall::Channel, which "
                "generated code needs for its own use; rename it or move it to another package");
  ExpectRefused(
      "syntax = \"proto3\"; message absl {} service S {}", "",
      "line 1: service S: message absl of test.proto becomes ::absl, which generated code needs for its own use; "
      "rename it or move it to another package");
  EXPECT_TRUE(GenerateText("syntax = \"proto3\"; package p; message Channel {} message absl {} service S {}").ok);
}

TEST(RefusalsTest, FileNamesThatNoIncludeCanHold) {
  Protos protos(Files{{"a\"b.proto", kPlain}});
  const pb::FileDescriptor* file = protos.Find("a\"b.proto");
  ASSERT_NE(file, nullptr) << protos.errors();
  EXPECT_EQ(Generate(*file).error,
            "the file's name has a quote, a backslash or a control character, which an #include can't hold; rename it");
}

}  // namespace
}  // namespace nearcall::codegen
