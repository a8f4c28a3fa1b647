// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// Every declaration of the contract's api.h (user/api.h) holds in the real headers: that this file compiles is the
// test.
#include <coroutine>
#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "greeter.nearcall.h"
#include "gtest/gtest.h"

namespace {

using ::hello::v1::HelloReply;
using ::hello::v1::Note;
using ::hello::v1::Number;
using ::hello::v1::Tick;
using ::hello::v1::Total;
using ::nearcall::Op;

// CLASS has a member NAME of exactly this type (a member function pointer).
#define HAS(CLASS, NAME, ...) \
  static_assert(              \
      requires { static_cast<__VA_ARGS__>(&CLASS::NAME); }, #CLASS "::" #NAME " as " #__VA_ARGS__)
#define HAS_FUNCTION(NAME, ...) \
  static_assert(                \
      requires { static_cast<__VA_ARGS__>(&NAME); }, #NAME " as " #__VA_ARGS__)

template <class T>
constexpr bool kMoveOnly = std::is_nothrow_move_constructible_v<T> && !std::is_copy_constructible_v<T>;
template <class T>
constexpr bool kValue = std::is_copy_constructible_v<T>&& std::is_copy_assignable_v<T>&&
    std::is_nothrow_move_constructible_v<T>&& std::is_nothrow_move_assignable_v<T>;

// Metadata
using M = ::nearcall::Metadata;
static_assert(std::is_class_v<::nearcall::ServerContext> && std::is_class_v<::nearcall::ServiceBase>);
static_assert(std::is_default_constructible_v<M> && std::is_copy_constructible_v<M>);
HAS(M, Add, void (M::*)(absl::string_view, absl::string_view));
HAS(M, Get, std::optional<std::string> (M::*)(absl::string_view) const);
HAS(M, GetAll, std::vector<std::string> (M::*)(absl::string_view) const);
HAS(M, entries, const std::vector<std::pair<std::string, std::string>>& (M::*)() const);
static_assert(std::is_same_v<decltype(::nearcall::ResponseMetadata::initial), M>);
static_assert(std::is_same_v<decltype(::nearcall::ResponseMetadata::trailing), M>);
static_assert(std::is_aggregate_v<::nearcall::ResponseMetadata>);

// CallOptions
using CO = ::nearcall::CallOptions;
static_assert(std::is_default_constructible_v<CO> && std::is_copy_constructible_v<CO> && !std::is_aggregate_v<CO>);
HAS(CO, set_timeout, CO& (CO::*)(absl::Duration));
HAS(CO, set_deadline, CO& (CO::*)(absl::Time));
HAS(CO, add_metadata, CO& (CO::*)(absl::string_view, absl::string_view));
HAS(CO, set_wait_for_ready, CO& (CO::*)(bool));
HAS(CO, set_parent, CO& (CO::*)(const ::nearcall::ServerContext&));
HAS(CO, set_response_metadata, CO& (CO::*)(std::shared_ptr<::nearcall::ResponseMetadata>));

// Op, Call
template <class R>
constexpr bool OpAsDeclared() {
  using O = Op<R>;
  static_assert(kMoveOnly<O> && std::is_nothrow_move_assignable_v<O> && !std::is_copy_assignable_v<O>);
  HAS(O, Wait, R(O::*)());
  HAS(O, Then, void(O::*)(absl::AnyInvocable<void(R) &&>));
  HAS(O, Cancel, void(O::*)());
  HAS(O, await_ready, bool(O::*)() const noexcept);
  HAS(O, await_suspend, bool(O::*)(std::coroutine_handle<>));
  HAS(O, await_resume, R(O::*)());
  return true;
}
static_assert(OpAsDeclared<absl::StatusOr<HelloReply>>());
static_assert(OpAsDeclared<std::optional<Tick>>());
static_assert(OpAsDeclared<absl::Status>());
static_assert(OpAsDeclared<bool>());
static_assert(std::is_same_v<::nearcall::Call<HelloReply>, Op<absl::StatusOr<HelloReply>>>);

// Client streams
using CR = ::nearcall::ClientReader<Tick>;
HAS(CR, Read, bool (CR::*)(Tick&));
HAS(CR, Next, Op<std::optional<Tick>> (CR::*)());
HAS(CR, Finish, absl::Status (CR::*)());
HAS(CR, Finished, Op<absl::Status> (CR::*)());
HAS(CR, Cancel, void (CR::*)());
HAS(CR, initial_metadata, const M& (CR::*)());
HAS(CR, trailing_metadata, const M& (CR::*)());

using CW = ::nearcall::ClientWriter<Number, Total>;
HAS(CW, Write, bool (CW::*)(const Number&));
HAS(CW, Send, Op<bool> (CW::*)(const Number&));
HAS(CW, Finish, absl::StatusOr<Total> (CW::*)());
HAS(CW, Finished, ::nearcall::Call<Total> (CW::*)());
HAS(CW, Cancel, void (CW::*)());
HAS(CW, initial_metadata, const M& (CW::*)());
HAS(CW, trailing_metadata, const M& (CW::*)());

using CRW = ::nearcall::ClientReaderWriter<Number, Tick>;  // <Request, Reply>, in this order
HAS(CRW, Write, bool (CRW::*)(const Number&));
HAS(CRW, Send, Op<bool> (CRW::*)(const Number&));
HAS(CRW, WritesDone, bool (CRW::*)());
HAS(CRW, Read, bool (CRW::*)(Tick&));
HAS(CRW, Next, Op<std::optional<Tick>> (CRW::*)());
HAS(CRW, Finish, absl::Status (CRW::*)());
HAS(CRW, Finished, Op<absl::Status> (CRW::*)());
HAS(CRW, Cancel, void (CRW::*)());
HAS(CRW, initial_metadata, const M& (CRW::*)());
HAS(CRW, trailing_metadata, const M& (CRW::*)());

// Server streams
using SR = ::nearcall::ServerReader<Number>;
HAS(SR, Read, bool (SR::*)(Number&));
HAS(SR, Next, Op<std::optional<Number>> (SR::*)());
using SW = ::nearcall::ServerWriter<Tick>;
HAS(SW, Write, bool (SW::*)(const Tick&));
HAS(SW, Send, Op<bool> (SW::*)(const Tick&));
using SRW = ::nearcall::ServerReaderWriter<Number, Tick>;
HAS(SRW, Read, bool (SRW::*)(Number&));
HAS(SRW, Next, Op<std::optional<Number>> (SRW::*)());
HAS(SRW, Write, bool (SRW::*)(const Tick&));
HAS(SRW, Send, Op<bool> (SRW::*)(const Tick&));

// Peer, ServerContext
static_assert(std::is_same_v<decltype(::nearcall::Credentials::uid), uid_t>);
static_assert(std::is_same_v<decltype(::nearcall::Credentials::gid), gid_t>);
static_assert(std::is_same_v<decltype(::nearcall::Credentials::pid), pid_t>);
static_assert(std::is_same_v<decltype(::nearcall::Peer::transport), std::string>);
static_assert(std::is_same_v<decltype(::nearcall::Peer::address), std::string>);
static_assert(std::is_same_v<decltype(::nearcall::Peer::credentials), std::optional<::nearcall::Credentials>>);

using SC = ::nearcall::ServerContext;
HAS(SC, deadline, absl::Time (SC::*)() const);
HAS(SC, time_left, absl::Duration (SC::*)() const);
HAS(SC, IsCancelled, bool (SC::*)() const);
HAS(SC, OnCancel, void (SC::*)(absl::AnyInvocable<void() &&>));
HAS(SC, peer, const ::nearcall::Peer& (SC::*)() const);
HAS(SC, metadata, const M& (SC::*)() const);
HAS(SC, AddInitialMetadata, void (SC::*)(absl::string_view, absl::string_view));
HAS(SC, AddTrailingMetadata, void (SC::*)(absl::string_view, absl::string_view));

// Responder
using R1 = ::nearcall::Responder<HelloReply>;
static_assert(kMoveOnly<R1>);
HAS(R1, operator(), void (R1::*)(absl::StatusOr<HelloReply>));
using R0 = ::nearcall::Responder<>;
static_assert(std::is_same_v<R0, ::nearcall::Responder<void>> && kMoveOnly<R0>);
HAS(R0, operator(), void (R0::*)(absl::Status));

// Task
static_assert(std::is_same_v<::nearcall::Task<>, ::nearcall::Task<void>>);
static_assert(kMoveOnly<::nearcall::Task<int>> && kMoveOnly<::nearcall::Task<>>);
HAS_FUNCTION(::nearcall::Await<int>, int (*)(::nearcall::Task<int>));
HAS_FUNCTION(::nearcall::Await<void>, void (*)(::nearcall::Task<void>));
HAS_FUNCTION(::nearcall::Spawn, void (*)(::nearcall::Task<void>));

// Options
using ChO = ::nearcall::ChannelOptions;
static_assert(std::is_default_constructible_v<ChO> && !std::is_aggregate_v<ChO>);
HAS(ChO, set_max_receive_message_size, ChO& (ChO::*)(size_t));
HAS(ChO, set_max_pending_bytes, ChO& (ChO::*)(size_t));
HAS(ChO, add_transport, ChO& (ChO::*)(std::shared_ptr<::nearcall::Transport>));
using SO = ::nearcall::ServerOptions;
static_assert(std::is_default_constructible_v<SO> && !std::is_aggregate_v<SO>);
HAS(SO, set_max_receive_message_size, SO& (SO::*)(size_t));
HAS(SO, set_threads, SO& (SO::*)(int));
HAS(SO, add_transport, SO& (SO::*)(std::shared_ptr<::nearcall::Transport>));

// Channel
using Ch = ::nearcall::Channel;
static_assert(kValue<Ch>);
HAS(Ch, WaitForConnected, bool (Ch::*)(absl::Duration));
HAS(Ch, transport, std::string (Ch::*)() const);
HAS_FUNCTION(::nearcall::Connect, absl::StatusOr<Ch> (*)(absl::string_view, const ChO&));
static_assert(std::is_same_v<decltype(::nearcall::Connect("inproc:x")), absl::StatusOr<Ch>>);

// Server
using S = ::nearcall::Server;
static_assert(std::is_default_constructible_v<S> && std::is_constructible_v<S, const SO&>);
static_assert(!std::is_convertible_v<const SO&, S>, "explicit");
static_assert(!std::is_move_constructible_v<S> && !std::is_move_assignable_v<S>);
HAS(S, AddService, void (S::*)(::nearcall::ServiceBase*));
HAS(S, Listen, absl::Status (S::*)(absl::string_view));
HAS(S, addresses, std::vector<std::string> (S::*)() const);
HAS(S, Run, void (S::*)());
HAS(S, Shutdown, void (S::*)(absl::Duration));
static_assert(
    requires(S & s) { s.Shutdown(); }, "with a default");
HAS_FUNCTION(::nearcall::ExitWith, int (*)(const absl::Status&));

// Generated classes (DESIGN section 2).
using Stub = ::hello::v1::Greeter::Stub;
HAS(Stub, SayHello, ::nearcall::Call<HelloReply> (Stub::*)(const ::hello::v1::HelloRequest&, const CO&) const);
HAS(Stub, Countdown, CR (Stub::*)(const ::hello::v1::CountdownRequest&, const CO&) const);
HAS(Stub, Sum, CW (Stub::*)(const CO&) const);
HAS(Stub, Chat, ::nearcall::ClientReaderWriter<Note, Note> (Stub::*)(const CO&) const);
static_assert(std::is_constructible_v<Stub, const Ch&>);
static_assert(requires(const Stub& s) {
  s.SayHello(::hello::v1::HelloRequest());
  s.Countdown(::hello::v1::CountdownRequest());
  s.Sum();
  s.Chat();
});
static_assert(std::is_base_of_v<::nearcall::ServiceBase, ::hello::v1::Greeter::Service>);
static_assert(std::is_base_of_v<::nearcall::ServiceBase, ::hello::v1::Greeter::AsyncService>);
static_assert(std::is_base_of_v<::nearcall::ServiceBase, ::hello::v1::Greeter::CoroutineService>);
// Virtual and not pure: a service may implement some of its methods.
static_assert(!std::is_abstract_v<::hello::v1::Greeter::Service> &&
              std::is_polymorphic_v<::hello::v1::Greeter::Service>);
static_assert(!std::is_abstract_v<::hello::v1::Greeter::AsyncService>);
static_assert(!std::is_abstract_v<::hello::v1::Greeter::CoroutineService>);

// What is declared is defined, too.
TEST(ApiSurface, LinksAndAnswersWhereNothingIsConnected) {
  absl::StatusOr<Ch> channel = ::nearcall::Connect("inproc:api-surface-test");
  ASSERT_TRUE(channel.ok()) << channel.status();
  EXPECT_EQ(channel->transport(), "");
  EXPECT_FALSE(channel->WaitForConnected(absl::ZeroDuration()));
  Ch copy = *channel;
  Ch moved = std::move(copy);
  copy = moved;
  EXPECT_EQ(::nearcall::ExitWith(absl::OkStatus()), 0);
  S server;
  EXPECT_TRUE(server.addresses().empty());
  server.Shutdown();
}

TEST(Metadata, KeepsOrderAndRepeatedKeys) {
  M metadata;
  metadata.Add("a", "1");
  metadata.Add("b-bin", std::string("\0\xff", 2));
  metadata.Add("a", "2");
  ASSERT_EQ(metadata.entries().size(), 3u);
  EXPECT_EQ(metadata.Get("a"), "1");
  EXPECT_EQ(metadata.GetAll("a"), (std::vector<std::string>{"1", "2"}));
  EXPECT_EQ(metadata.Get("b-bin"), std::string("\0\xff", 2));
  EXPECT_EQ(metadata.Get("c"), std::nullopt);
  EXPECT_TRUE(metadata.GetAll("c").empty());
}

TEST(Metadata, ReservedAndMalformedKeysAreDropped) {
  for (const char* key : {"nearcall-x", "grpc-status", "", "Upper", "sp ace", "\n"}) {
    M metadata;
    metadata.Add(key, "1");
    EXPECT_TRUE(metadata.entries().empty()) << key;
  }
}

}  // namespace
