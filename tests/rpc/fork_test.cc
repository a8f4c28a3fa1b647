// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// fork() after use: in the child everything says FAILED_PRECONDITION and nothing hangs; the parent notices nothing.
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "nearcall/tests/rpc/rpc_test_util.h"

namespace nearcall::test {
namespace {

using Code = absl::StatusCode;

constexpr int kLimitMs = 20'000;  // for a child; then it hangs

// What a forked child found wrong, told by its exit code and stderr: gtest's own state is the parent's.
class Verdict {
 public:
  void Check(bool good, const char* what) {
    if (good) return;
    failed_ = true;
    std::fprintf(stderr, "in the forked child: %s\n", what);
  }
  int code() const { return failed_ ? 7 : 0; }

 private:
  bool failed_ = false;
};
#define CHECK_IN_CHILD(verdict, condition) (verdict).Check((condition), #condition)

bool Refused(const absl::Status& status) { return status.code() == Code::kFailedPrecondition; }

pid_t ForkChild(const std::function<int()>& body) {
  const pid_t child = ::fork();
  if (child != 0) return child;
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  ::_exit(body());
}

// The wait status; -1: it hung and was killed.
int AwaitChild(pid_t child, int limit_ms = kLimitMs) {
  int status = 0;
  if (Eventually([&] { return ::waitpid(child, &status, WNOHANG) == child; }, limit_ms)) return status;
  ::kill(child, SIGKILL);
  ::waitpid(child, &status, 0);
  return -1;
}
void ExpectGood(pid_t child) { EXPECT_EQ(AwaitChild(child), 0) << "a forked child failed or hung"; }

class ForkTest : public EachTransport {
 protected:
  void SetUp() override {
    server_ = Serve(service_, Address());
    channel_.emplace(Dial(Address()));
    stub_.emplace(*channel_);
    ASSERT_TRUE(stub_->Unary(Text("before")).Wait().ok());
  }
  void TearDown() override {
    EXPECT_TRUE(stub_->Unary(Text("after")).Wait().ok()) << "the parent was harmed";
    EXPECT_TRUE(ProbeStub(Dial(Address())).Unary(Text("anew")).Wait().ok());
  }

  ProbeService service_;
  std::unique_ptr<Server> server_;
  std::optional<Channel> channel_;
  std::optional<ProbeStub> stub_;
};
NEARCALL_EACH_TRANSPORT(ForkTest);

TEST_P(ForkTest, NewUseIsRefused) {
  ExpectGood(ForkChild([&] {
    Verdict verdict;
    CHECK_IN_CHILD(verdict, Refused(stub_->Unary(Text("x")).Wait().status()));
    CHECK_IN_CHILD(verdict, Refused(stub_->Unary(Text("x"), CallOptions().set_wait_for_ready(true)).Wait().status()));
    Event called;
    stub_->Unary(Text("x")).Then([&](absl::StatusOr<Message> reply) {
      CHECK_IN_CHILD(verdict, Refused(reply.status()));
      called.Set();
    });
    CHECK_IN_CHILD(verdict, called.Wait());
    Message message;
    auto duplex = stub_->Duplex();
    CHECK_IN_CHILD(verdict, !duplex.Write(message) && !duplex.Read(message) && !duplex.WritesDone());
    CHECK_IN_CHILD(verdict, !duplex.Next().Wait().has_value() && !duplex.Send(message).Wait());
    CHECK_IN_CHILD(verdict, Refused(duplex.Finish()));
    CHECK_IN_CHILD(verdict, Refused(stub_->Output(message).Finish()));
    CHECK_IN_CHILD(verdict, Refused(stub_->Input().Finish().status()));
    CHECK_IN_CHILD(verdict, Refused(Connect(Address()).status()));
    CHECK_IN_CHILD(verdict, channel_->transport().empty() && !channel_->WaitForConnected(absl::Seconds(1)));
    Server server;
    server.AddService(&service_);
    CHECK_IN_CHILD(verdict, Refused(server.Listen(Address("other"))));
    server.Run();
    return verdict.code();
  }));
}

// What was under way, and the ends of everything.
TEST_P(ForkTest, TheParentsCallsStayTheParents) {
  Event release;
  ProbeService slow;
  slow.unary = [&](ServerContext&, const Message& request) {
    EXPECT_TRUE(release.Wait());
    return request;
  };
  auto server = Serve(slow, Address("slow"));
  auto channel = std::make_unique<Channel>(Dial(Address("slow")));
  auto stub = std::make_unique<ProbeStub>(*channel);
  std::optional<Call<Message>> waits(stub->Unary(Text("1"))), then(stub->Unary(Text("2"))),
      dropped(stub->Unary(Text("3")));
  std::optional<ClientReaderWriter<Message, Message>> duplex(stub->Duplex());
  Message message;
  ASSERT_TRUE(duplex->Write(Number(1)) && duplex->Read(message));
  ExpectGood(ForkChild([&] {
    Verdict verdict;
    waits->Cancel();
    CHECK_IN_CHILD(verdict, Refused(waits->Wait().status()));
    Event called;
    then->Then([&](absl::StatusOr<Message> reply) {
      CHECK_IN_CHILD(verdict, Refused(reply.status()));
      called.Set();
    });
    CHECK_IN_CHILD(verdict, called.Wait());
    dropped.reset();
    CHECK_IN_CHILD(verdict, !duplex->Write(message) && !duplex->Read(message));
    CHECK_IN_CHILD(verdict, duplex->initial_metadata().entries().empty());
    duplex->Cancel();
    CHECK_IN_CHILD(verdict, Refused(duplex->Finish()));
    duplex.reset();
    stub.reset();
    channel.reset();
    server->Shutdown();
    server.reset();
    return verdict.code();
  }));
  release.Set();
  EXPECT_EQ(waits->Wait().value_or(Message()).text(), "1");
  EXPECT_EQ(then->Wait().value_or(Message()).text(), "2");
  EXPECT_EQ(dropped->Wait().value_or(Message()).text(), "3");
  EXPECT_TRUE(duplex->Write(Number(2)) && duplex->Read(message));
  EXPECT_EQ(duplex->Finish(), absl::OkStatus());
}

// Locks are held by other threads at any moment.
TEST_P(ForkTest, UnderLoad) {
  std::atomic<bool> stop{false};
  std::atomic<int> calls{0}, failures{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 3; ++t) {
    threads.emplace_back([&, t] {
      for (int64_t i = 0; !stop; ++i, ++calls) {
        const int64_t number = i * 10 + t;
        if (t == 0) {
          Event done;
          stub_->Unary(Number(number)).Then([&](absl::StatusOr<Message> reply) {
            failures += reply.value_or(Message()).number() != number;
            done.Set();
          });
          failures += !done.Wait();
        } else {
          failures += stub_->Unary(Number(number)).Wait().value_or(Message()).number() != number;
        }
      }
    });
  }
  for (int i = 0; i < 60 && !HasFailure(); ++i) {
    const int before = calls;
    ExpectGood(ForkChild([&] {
      Verdict verdict;
      CHECK_IN_CHILD(verdict, Refused(stub_->Unary(Text("x")).Wait().status()));
      CHECK_IN_CHILD(verdict, Refused(Connect(Address()).status()));
      stub_.reset();
      channel_.reset();
      server_.reset();
      return verdict.code();
    }));
    EXPECT_TRUE(Eventually([&] { return calls > before; })) << "the parent's calls stand still";
  }
  stop = true;
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(failures, 0);
}

// A handler and a callback that fork, and whose child comes back.
TEST_P(ForkTest, AChildThatReturnsToALibraryThreadEnds) {
  std::atomic<pid_t> forked{0};
  ProbeService forks;
  forks.unary = [&](ServerContext&, const Message& request) -> absl::StatusOr<Message> {
    if (const pid_t child = ::fork(); child != 0) forked = child;
    return request;
  };
  auto server = Serve(forks, Address("forks"));
  const ProbeStub stub(Dial(Address("forks")));
  EXPECT_EQ(stub.Unary(Text("from a handler")).Wait().value_or(Message()).text(), "from a handler");
  int status = AwaitChild(forked);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == EXIT_FAILURE) << status;
  Event done;
  stub_->Unary(Text("x")).Then([&](absl::StatusOr<Message> reply) {
    EXPECT_TRUE(reply.ok());
    if (const pid_t child = ::fork(); child != 0) {
      forked = child;
      done.Set();
    }
  });
  ASSERT_TRUE(done.Wait());
  status = AwaitChild(forked);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == EXIT_FAILURE) << status;
  EXPECT_TRUE(stub.Unary(Text("again")).Wait().ok());
}

// The parent's server has taken SIGTERM over; in the child it has its default action.
TEST_P(ForkTest, SignalsOfTheChildAreItsOwn) {
  std::thread runs([&] { server_->Run(); });
  struct sigaction action {};
  ASSERT_TRUE(Eventually([&] { return ::sigaction(SIGTERM, nullptr, &action) == 0 && action.sa_handler != SIG_DFL; }));
  const pid_t child = ForkChild([] {
    ::raise(SIGTERM);
    return 0;
  });
  const int status = AwaitChild(child);
  EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM) << status;
  EXPECT_TRUE(stub_->Unary(Text("still there")).Wait().ok());
  server_->Shutdown(absl::ZeroDuration());
  runs.join();
  server_ = Serve(service_, Address());
}

}  // namespace
}  // namespace nearcall::test
