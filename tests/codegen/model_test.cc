// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0

#include "nearcall/codegen/model.h"

#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <vector>

#include "nearcall/tests/codegen/generate.h"

namespace nearcall::codegen {
namespace {

using Names = std::vector<std::string>;

FileModel Build(const Files& files, const std::string& name, const Options& options = {}) {
  Protos protos(files);
  const pb::FileDescriptor* file = protos.Find(name);
  std::string error = "not a valid .proto: " + protos.errors();
  std::optional<FileModel> model;
  if (file != nullptr) model = BuildModel(*file, options, error);
  EXPECT_TRUE(model.has_value()) << error;
  return model.value_or(FileModel{});
}

FileModel Build(const std::string& text, const Options& options = {}) {
  return Build({{"test.proto", "syntax = \"proto3\"; " + text}}, "test.proto", options);
}

Names Classes(const FileModel& model) {
  Names names;
  for (const ServiceModel& service : model.services) names.push_back(service.class_name);
  return names;
}

// One service with these rpcs; the names in class "Stub" or one of the forms'.
Names Methods(const Names& rpcs, const std::string& class_name) {
  std::string text = "package p; message M {} service S {";
  for (const std::string& rpc : rpcs) text += " rpc " + rpc + "(.p.M) returns (.p.M);";
  FileModel model = Build(text + "}");
  Names names;
  for (const MethodModel& method : model.services.at(0).methods) {
    if (class_name == "Stub") names.push_back(method.stub_name);
    for (int form = 0; form < kFormCount; ++form) {
      if (class_name == kForms[form].class_name) names.push_back(method.handler_name[form]);
    }
  }
  return names;
}

TEST(ModelTest, MethodNames) {
  struct Row {
    Names rpcs;
    std::string class_name;
    Names expected;
  };
  const Row rows[] = {
      {{"SayHello", "say_hello", "X9"}, "Stub", {"SayHello", "say_hello", "X9"}},
      {{"class", "delete", "co_await"}, "Stub", {"class_", "delete_", "co_await_"}},
      {{"class", "class_"}, "Service", {"class__", "class_"}},
      {{"Wait", "Then", "Cancel"}, "Stub", {"Wait", "Then", "Cancel"}},
      {{"S", "M"}, "Stub", {"S", "M"}},
      {{"Stub", "Service", "AsyncService", "CoroutineService"},
       "Stub",
       {"Stub_", "Service", "AsyncService", "CoroutineService"}},
      {{"Stub", "Service", "AsyncService", "CoroutineService"},
       "Service",
       {"Stub", "Service_", "AsyncService", "CoroutineService"}},
      {{"Stub", "Service", "AsyncService", "CoroutineService"},
       "AsyncService",
       {"Stub", "Service", "AsyncService_", "CoroutineService"}},
      {{"Stub", "Service", "AsyncService", "CoroutineService"},
       "CoroutineService",
       {"Stub", "Service", "AsyncService", "CoroutineService_"}},
      {{"Stub", "Stub_", "Stub__"}, "Stub", {"Stub___", "Stub_", "Stub__"}},
      {{"channel_", "kServiceName", "ServiceBase"}, "Stub", {"channel_", "kServiceName", "ServiceBase"}},
  };
  for (const Row& row : rows) EXPECT_EQ(Methods(row.rpcs, row.class_name), row.expected) << row.class_name;
}

TEST(ModelTest, ServiceNames) {
  struct Row {
    std::string text;
    Names expected;
  };
  const Row rows[] = {
      {"package p; service Greeter {} service greeter {}", {"Greeter", "greeter"}},
      {"package p; service class {} service class_ {}", {"class__", "class_"}},
      {"package p; service Stub {} service Service {} service kServiceName {}", {"Stub_", "Service_", "kServiceName_"}},
      {"package p; service Stub {} message Stub_ {}", {"Stub__"}},
      {"package p; message A { message B {} enum C { Z = 0; } } service A_B {} service A_C {} service A_Z {}",
       {"A_B_", "A_C_", "A_Z_"}},
      {"package p; enum E { Z = 0; } service E_Name {} service E_Parse {}", {"E_Name_", "E_Parse_"}},
      {"service nearcall {} service absl {} service std {} service google {}",
       {"nearcall_", "absl_", "std_", "google_"}},
      {"package p; service nearcall {} service absl {} service std {}", {"nearcall", "absl", "std"}},
      {"package nearcall; service Channel {} service Greeter {}", {"Channel_", "Greeter"}},
      {"package nearcall.v1; service Channel {}", {"Channel"}},
      {"package absl; service Status {}", {"Status_"}},
  };
  for (const Row& row : rows) EXPECT_EQ(Classes(Build(row.text)), row.expected) << row.text;
}

TEST(ModelTest, ImportedNamesOfTheSamePackageAreAvoided) {
  FileModel model = Build({{"a.proto", "syntax = \"proto3\"; package p; message Outer { message Inner {} }"},
                           {"b.proto", "syntax = \"proto3\"; package p.q; import \"a.proto\"; message class_ {}"},
                           {"c.proto",
                            "syntax = \"proto3\"; package p; import \"b.proto\";"
                            "service Outer_Inner {} service class {}"}},
                          "c.proto");
  EXPECT_EQ(Classes(model), (Names{"Outer_Inner_", "class_"}));
}

TEST(ModelTest, NestedNamespace) {
  Options options;
  options.nested_namespace = "rpc";
  FileModel model = Build("package p.v1; message M {} service S { rpc Get(M) returns (M); }", options);
  EXPECT_EQ(model.cpp_namespace, "::p::v1::rpc");
  EXPECT_EQ(model.services[0].qualified, "::p::v1::rpc::S");
  EXPECT_EQ(model.services[0].methods[0].request, "::p::v1::M");
  EXPECT_EQ(model.services[0].full_name, "p.v1.S");
  EXPECT_EQ(model.services[0].methods[0].path, "/p.v1.S/Get");

  // Nothing of p is in p::rpc, so nothing has to be avoided.
  EXPECT_EQ(Classes(Build("package p; message A { message B {} } service A_B {}", options)), Names{"A_B"});
  EXPECT_EQ(Build("service S {}", options).services[0].qualified, "::rpc::S");
}

TEST(ModelTest, KindsPathsAndOptions) {
  FileModel model = Build(R"(package p; message M {}
    service S {
      rpc A(M) returns (M);
      rpc B(M) returns (stream M) { option idempotency_level = NO_SIDE_EFFECTS; }
      rpc C(stream M) returns (M) { option idempotency_level = IDEMPOTENT; option deprecated = true; }
      rpc class(stream M) returns (stream M);
    })");
  const std::vector<MethodModel>& methods = model.services[0].methods;
  EXPECT_EQ(methods[0].kind, MethodKind::kUnary);
  EXPECT_EQ(methods[1].kind, MethodKind::kServerStreaming);
  EXPECT_EQ(methods[2].kind, MethodKind::kClientStreaming);
  EXPECT_EQ(methods[3].kind, MethodKind::kBidi);
  EXPECT_EQ(methods[0].idempotency, Idempotency::kUnknown);
  EXPECT_EQ(methods[1].idempotency, Idempotency::kNoSideEffects);
  EXPECT_EQ(methods[2].idempotency, Idempotency::kIdempotent);
  EXPECT_FALSE(methods[0].deprecated);
  EXPECT_TRUE(methods[2].deprecated);
  EXPECT_TRUE(model.has_deprecated);
  EXPECT_FALSE(model.services[0].deprecated);
  EXPECT_EQ(methods[3].path, "/p.S/class");
  EXPECT_EQ(Build("message M {} service S { rpc A(M) returns (M); }").services[0].methods[0].path, "/S/A");
}

TEST(ModelTest, AFileThatIsDeprecatedDeprecatesItsServices) {
  EXPECT_TRUE(Build("option deprecated = true; service S {}").services[0].deprecated);
  EXPECT_TRUE(Build("service S { option deprecated = true; }").services[0].deprecated);
  EXPECT_FALSE(Build("service S {}").has_deprecated);
}

TEST(ModelTest, CommentsOfServicesAndMethods) {
  FileModel model = Build(R"(package p;
message M {}

// Detached.

// Leading.
service S {  // On the brace.
  /* Of A. */
  rpc A(M) returns (M);
  rpc B(M) returns (M);  // Behind B.

  rpc C(M) returns (M);
})");
  EXPECT_EQ(model.services[0].comment, (Names{"Leading.", "", "On the brace."}));
  EXPECT_EQ(model.services[0].methods[0].comment, Names{"Of A."});
  EXPECT_EQ(model.services[0].methods[1].comment, Names{"Behind B."});
  EXPECT_EQ(model.services[0].methods[2].comment, Names{});
}

TEST(ModelTest, PrivateNamesMeetNoOther) {
  FileModel model = Build(R"(package p; message M {} message kMethods_S {}
    service S { rpc channel_(M) returns (M); rpc channel__(M) returns (M); } service kBlocking_S {})");
  EXPECT_EQ(model.services[0].channel_member, "channel___");
  EXPECT_EQ(model.services[0].methods_array, "kMethods_S_");
  EXPECT_EQ(model.services[0].handlers_array[0], "kBlocking_S_");
  EXPECT_EQ(model.services[0].handlers_array[1], "kAsync_S");
}

}  // namespace
}  // namespace nearcall::codegen
