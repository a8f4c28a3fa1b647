// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0

// A service class that overrides nothing answers UNIMPLEMENTED, naming the method, for every kind.
#include <gtest/gtest.h>

#include <string>

#include "tests/codegen/defaults.nearcall.h"

namespace defaults::v1 {
namespace {

nearcall::CallOptions Limited() { return nearcall::CallOptions().set_timeout(absl::Seconds(20)); }

void ExpectUnimplemented(const absl::Status& status, const char* method) {
  EXPECT_EQ(status.code(), absl::StatusCode::kUnimplemented) << status;
  EXPECT_EQ(status.message(), std::string("/defaults.v1.Nothing/") + method + " is not implemented");
}

template <class Service>
class DefaultsTest : public testing::Test {};

using Forms = testing::Types<Nothing::Service, Nothing::AsyncService, Nothing::CoroutineService>;
TYPED_TEST_SUITE(DefaultsTest, Forms);

TYPED_TEST(DefaultsTest, AnswersUnimplemented) {
  TypeParam nothing;
  nearcall::Server server;
  server.AddService(&nothing);
  absl::Status listening = server.Listen("inproc:codegen-defaults-test");
  ASSERT_TRUE(listening.ok()) << listening;
  absl::StatusOr<nearcall::Channel> channel = nearcall::Connect("inproc:codegen-defaults-test");
  ASSERT_TRUE(channel.ok()) << channel.status();
  Nothing::Stub stub(*channel);

  ExpectUnimplemented(stub.Unary(Request(), Limited()).Wait().status(), "Unary");
  ExpectUnimplemented(stub.ServerStreaming(Request(), Limited()).Finish(), "ServerStreaming");
  ExpectUnimplemented(stub.ClientStreaming(Limited()).Finish().status(), "ClientStreaming");
  ExpectUnimplemented(stub.Bidi(Limited()).Finish(), "Bidi");
}

TEST(EmptyServiceTest, IsServedAndHasNoMethods) {
  Empty::Service empty;
  nearcall::Server server;
  server.AddService(&empty);
  EXPECT_TRUE(server.Listen("inproc:codegen-empty-test").ok());
  EXPECT_STREQ(Empty::kServiceName, "defaults.v1.Empty");
}

}  // namespace
}  // namespace defaults::v1
