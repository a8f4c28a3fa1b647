// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// README.md's tour of the API, run as it stands there: the fragments are taken out of it when this is built.
#include <unistd.h>

#include <future>
#include <memory>
#include <string>
#include <thread>
#include <utility>

#include "greeter.nearcall.h"
#include "gtest/gtest.h"

namespace {

using namespace hello::v1;

#include "tests/examples/readme/tour_coroutine.inc"
#include "tests/examples/readme/tour_server.inc"

// What the client's tour needs of a server and the server's tour has not.
class AllMethods final : public Greeter::Service {
  absl::StatusOr<HelloReply> SayHello(nearcall::ServerContext& context, const HelloRequest& request) override {
    context.AddTrailingMetadata("trace", context.metadata().Get("trace").value_or("none"));
    HelloReply reply;
    reply.set_text("hello " + request.name());
    return reply;
  }
  absl::Status Countdown(nearcall::ServerContext&, const CountdownRequest& request,
                         nearcall::ServerWriter<Tick>& ticks) override {
    Tick tick;
    for (int left = request.from(); left > 0; --left) {
      tick.set_left(left);
      if (!ticks.Write(tick)) break;
    }
    return absl::OkStatus();
  }
  absl::Status Chat(nearcall::ServerContext&, nearcall::ServerReaderWriter<Note, Note>& notes) override {
    for (Note note; notes.Read(note);) {
      if (!notes.Write(note)) break;
    }
    return absl::OkStatus();
  }
};

class TourTest : public ::testing::Test {
 protected:
  Greeter::Stub Serve(nearcall::ServiceBase& service) {
    const std::string address =
        std::string("inproc:") + ::testing::UnitTest::GetInstance()->current_test_info()->name();
    server_.AddService(&service);
    const absl::Status listening = server_.Listen(address);
    EXPECT_TRUE(listening.ok()) << listening;
    absl::StatusOr<nearcall::Channel> channel = nearcall::Connect(address);
    EXPECT_TRUE(channel.ok()) << channel.status();
    return Greeter::Stub(*channel);
  }
  static absl::StatusOr<HelloReply> Hello(const Greeter::Stub& greeter, const std::string& name) {
    HelloRequest request;
    request.set_name(name);
    return greeter.SayHello(request).Wait();
  }

 private:
  nearcall::Server server_;
};

TEST_F(TourTest, Client) {
  AllMethods service;
  const Greeter::Stub greeter = Serve(service);
#include "tests/examples/readme/tour_client.inc"
  ASSERT_TRUE(reply.ok()) << reply.status();
  EXPECT_EQ(reply->text(), "hello world");
  EXPECT_EQ(metadata->trailing.Get("trace"), "7");
  EXPECT_TRUE(both);
  EXPECT_TRUE(answered.get_future().get());
  EXPECT_EQ(note.text(), "hi");
  EXPECT_TRUE(status.ok()) << status;
}

TEST_F(TourTest, ClientCoroutine) {
  AllMethods service;
  const Greeter::Stub greeter = Serve(service);
  const absl::StatusOr<int> count = nearcall::Await(Count(greeter));
  ASSERT_TRUE(count.ok()) << count.status();
  EXPECT_EQ(*count, 3);
}

TEST_F(TourTest, BlockingService) {
  Blocking service;
  const Greeter::Stub greeter = Serve(service);
  const absl::StatusOr<HelloReply> reply = Hello(greeter, "world");
  ASSERT_TRUE(reply.ok()) << reply.status();
  EXPECT_EQ(reply->text(), "hello world");
  EXPECT_TRUE(absl::IsInvalidArgument(Hello(greeter, "").status()));
  CountdownRequest request;
  EXPECT_TRUE(absl::IsUnimplemented(greeter.Countdown(request).Finish())) << "it is not overridden";
}

TEST_F(TourTest, AsyncService) {
  Async service;
  const Greeter::Stub greeter = Serve(service);
  const absl::StatusOr<HelloReply> reply = Hello(greeter, "world");
  ASSERT_TRUE(reply.ok()) << reply.status();
  EXPECT_EQ(reply->text(), "hello world");
}

TEST_F(TourTest, CoroutineService) {
  Coroutines service;
  const Greeter::Stub greeter = Serve(service);
  auto notes = greeter.Chat();
  Note note;
  note.set_text("hi");
  EXPECT_TRUE(notes.Write(note));
  EXPECT_TRUE(notes.Read(note));
  EXPECT_EQ(note.text(), "hi");
  EXPECT_TRUE(notes.WritesDone());
  EXPECT_FALSE(notes.Read(note));
  const absl::Status status = notes.Finish();
  EXPECT_TRUE(status.ok()) << status;
}

}  // namespace
