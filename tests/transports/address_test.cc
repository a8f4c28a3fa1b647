// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0

#include "nearcall/transports/api/address.h"

#include <string>

#include "absl/strings/match.h"
#include "gtest/gtest.h"
#include "nearcall/transports/api/closed_endpoint.h"

namespace nearcall {
namespace {

void ExpectError(absl::string_view text, absl::string_view part) {
  const absl::StatusOr<Address> address = ParseAddress(text);
  ASSERT_FALSE(address.ok()) << text;
  EXPECT_EQ(address.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_TRUE(absl::StrContains(address.status().message(), part)) << address.status();
}

TEST(AddressTest, Parses) {
  absl::StatusOr<Address> address = ParseAddress("unix:/run/greeter.sock?mode=0660&group=staff");
  ASSERT_TRUE(address.ok()) << address.status();
  EXPECT_EQ(address->scheme, "unix");
  EXPECT_EQ(address->rest, "/run/greeter.sock");
  EXPECT_EQ(address->Parameter("mode"), "0660");
  EXPECT_EQ(address->Parameter("group"), "staff");
  EXPECT_EQ(address->Parameter("other"), std::nullopt);
  EXPECT_EQ(ParseAddress("tcp:[::1]:80")->rest, "[::1]:80");
  EXPECT_EQ(ParseAddress("unix-abstract:x")->scheme, "unix-abstract");
  EXPECT_EQ(ParseAddress("local:")->rest, "");
  EXPECT_EQ(ParseAddress("exec:prog -v a=b")->rest, "prog -v a=b");
  EXPECT_EQ(ParseAddress("x:a?k=&k=2")->Parameter("k"), "") << "the first of that key";
  EXPECT_EQ(ParseAddress("x:a?k=b=c?d")->Parameter("k"), "b=c?d");
}

TEST(AddressTest, Escapes) {
  absl::StatusOr<Address> address = ParseAddress("unix:/a%3Fb%25c%20d?key=x%26y%3d");
  ASSERT_TRUE(address.ok()) << address.status();
  EXPECT_EQ(address->rest, "/a?b%c d");
  EXPECT_EQ(address->Parameter("key"), "x&y=");
  EXPECT_EQ(address->ToString(), "unix:/a%3Fb%25c d?key=x%26y=");
}

TEST(AddressTest, ToStringParsesBack) {
  std::string all;
  for (int c = 1; c < 256; ++c) all.push_back(static_cast<char>(c));
  for (const Address& address :
       {Address{"unix", all, {{"a", all}, {"b-c_d", ""}, {"a", "?&="}}}, Address{"x1-y", "", {}}}) {
    const absl::StatusOr<Address> back = ParseAddress(address.ToString());
    ASSERT_TRUE(back.ok()) << back.status();
    EXPECT_EQ(back->scheme, address.scheme);
    EXPECT_EQ(back->rest, address.rest);
    EXPECT_EQ(back->parameters, address.parameters);
  }
}

TEST(AddressTest, ErrorsSayWhatToWrite) {
  ExpectError("", "unix:/path or local:NAME");
  ExpectError("/run/greeter.sock", "unix:/run/greeter.sock");
  ExpectError("./greeter:1", "unix:./greeter:1");
  ExpectError("greeter", "no scheme");
  ExpectError(":x", "no scheme");
  ExpectError("127.0.0.1:80", "no valid scheme");
  ExpectError("Unix:/x", "no valid scheme");
  ExpectError("unix:/x%", "bad escape \"%\"");
  ExpectError("unix:/x%4", "bad escape \"%4\"");
  ExpectError("unix:/x%zz", "%25 for a per cent sign");
  ExpectError("unix:/x%00", "zero byte");
  ExpectError(absl::string_view("unix:/x\0y", 9), "zero byte");
  ExpectError("unix:/x?", "%3F");
  ExpectError("unix:/x?mode", "\"mode\" without a value");
  ExpectError("unix:/x?mode=1&", "without a value");
  ExpectError("unix:/x?=1", "named \"\"");
  ExpectError("unix:/x?Mode=1", "named \"Mode\"");
  ExpectError("unix:/x?mode=%", "bad escape");
  // Quoted so that it cannot harm a terminal or a log.
  ExpectError("\x1b[2J\n", "\\x1b[2J\\n");
}

TEST(AddressTest, CheckParametersNamesTheUnknown) {
  const Address address = *ParseAddress("unix:/x?mode=1&frob=2");
  EXPECT_TRUE(CheckParameters(address, {"mode", "frob"}).ok());
  const absl::Status status = CheckParameters(address, {"mode", "group"});
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_TRUE(absl::StrContains(status.message(), "\"frob\"")) << status;
  EXPECT_TRUE(absl::StrContains(status.message(), "mode, group")) << status;
  EXPECT_TRUE(absl::StrContains(CheckParameters(address, {}).message(), "knows none"));
}

TEST(ClosedEndpointTest, IsClosedForEver) {
  const auto end = NewClosedEndpoint("unix", absl::UnavailableError("unix:/x: nobody"));
  absl::Span<char> space;
  Frame frame;
  EXPECT_EQ(end->Reserve(1, &space), Io::kClosed);
  EXPECT_EQ(end->Borrow(&frame), Io::kClosed);
  EXPECT_EQ(end->Wait(Side::kReceive, INT64_MAX), Io::kClosed);
  EXPECT_FALSE(end->Arm(Side::kSend));
  end->Close(absl::InternalError("late"));
  EXPECT_EQ(end->status(), absl::UnavailableError("unix:/x: nobody"));
  EXPECT_EQ(end->info().transport, "unix");
}

}  // namespace
}  // namespace nearcall
