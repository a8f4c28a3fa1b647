// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// exec: as a program uses it: the server is the client's own child, from its first call to the channel's end.
#include <signal.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "nearcall/tests/contract/program.h"
#include "nearcall/tests/rpc/rpc_test_util.h"

namespace nearcall::test {
namespace {

using Code = absl::StatusCode;
using ::testing::AllOf;

class ExecTest : public RpcTest {
 protected:
  // By a name of its own, so that its processes are told from others.
  ExecTest() : program_(directory().path() + "/server") {
    std::filesystem::create_symlink(ProgramPath("probe_server"), program_);
  }
  ~ExecTest() override { std::filesystem::remove(program_); }
  std::string Address(const std::string& argument = "pipe:") const { return "exec:" + program_ + " " + argument; }

  std::vector<pid_t> Children() const {
    std::vector<pid_t> found;
    for (const auto& process : std::filesystem::directory_iterator("/proc")) {
      std::string first;
      std::getline(std::ifstream(process.path() / "cmdline"), first, '\0');
      if (first == program_) found.push_back(std::stoi(process.path().filename().string()));
    }
    return found;
  }

  const std::string program_;
};

TEST_F(ExecTest, TheFirstCallStartsItAndItEndsWithTheChannel) {
  {
    const Channel channel = Dial(Address());
    EXPECT_TRUE(Children().empty()) << "nobody has called yet";
    for (int i = 0; i < 3; ++i) EXPECT_TRUE(ProbeStub(channel).Unary(Text("x")).Wait().ok());
    EXPECT_EQ(channel.transport(), "exec");
    EXPECT_EQ(Children().size(), 1u);
    auto who = ProbeStub(channel).Unary(Text("who")).Wait();
    ASSERT_TRUE(who.ok()) << who.status();
    EXPECT_EQ(static_cast<int32_t>(who->number()), -1) << "a pipe has no identity";
  }
  EXPECT_TRUE(Eventually([&] { return Children().empty(); }));
}

TEST_F(ExecTest, AKilledChildIsSeenAndTheNextCallStartsAnother) {
  const Channel channel = Dial(Address());
  const ProbeStub stub(channel);
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(stub.Unary(Text("x")).Wait().ok());
    const std::vector<pid_t> children = Children();
    ASSERT_EQ(children.size(), 1u);
    Call<Message> pending = stub.Unary(Text("hold"));
    ASSERT_TRUE(stub.Unary(Text("x")).Wait().ok());
    ASSERT_EQ(::kill(children[0], SIGKILL), 0);
    EXPECT_THAT(pending.Wait().status(), AllOf(HasCode(Code::kUnavailable), Says("was killed by signal 9 (SIGKILL)")));
  }
}

TEST_F(ExecTest, WhyItDidNotServeIsInTheError) {
  const Channel channel = Dial(Address("unix:/nowhere/at/all"));
  const absl::Status status = ProbeStub(channel).Unary(Text("x")).Wait().status();
  EXPECT_THAT(status, AllOf(HasCode(Code::kUnavailable), Says("server exited with status"), Says("/nowhere/at/all")));
  EXPECT_TRUE(Eventually([&] { return Children().empty(); }));
}

TEST_F(ExecTest, LargeMessagesAndStreams) {
  const Channel channel = Dial(Address());
  const ProbeStub stub(channel);
  auto reply = stub.Unary(Body(3 << 20)).Wait();
  ASSERT_TRUE(reply.ok()) << reply.status();
  EXPECT_EQ(reply->body().size(), size_t{3} << 20);
  Message many = Number(5000);
  auto output = stub.Output(many);
  Message message;
  int64_t count = 0;
  for (; output.Read(message); ++count) EXPECT_EQ(message.number(), count);
  EXPECT_EQ(count, 5000);
  EXPECT_TRUE(output.Finish().ok());
}

}  // namespace
}  // namespace nearcall::test
