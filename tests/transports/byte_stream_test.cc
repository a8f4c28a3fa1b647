// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// What only ByteStreamEndpoint promises: its bytes on the wire, its system calls, its memory, its handshake hook.

#include "nearcall/transports/byte_stream/byte_stream.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include <atomic>
#include <cstring>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "gtest/gtest.h"
#include "nearcall/transports/conformance/drive.h"

namespace nearcall {
namespace {

std::pair<UniqueFd, UniqueFd> SocketPair() {
  int fds[2];
  EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
  return {UniqueFd(fds[0]), UniqueFd(fds[1])};
}

ByteStreamOptions Options(size_t max_frame = 65536) {
  ByteStreamOptions options;
  options.info.transport = "pair";
  options.info.max_frame = max_frame;
  options.name = "pair:test";
  return options;
}

std::unique_ptr<ByteStreamEndpoint> End(UniqueFd socket, size_t max_frame = 65536) {
  return std::make_unique<ByteStreamEndpoint>(NewSocketIo(std::move(socket)), Options(max_frame));
}

std::string ReadRaw(int fd, size_t size) {
  std::string bytes(size, '\0');
  EXPECT_EQ(::recv(fd, bytes.data(), size, MSG_WAITALL), static_cast<ssize_t>(size));
  return bytes;
}

void WriteRaw(int fd, absl::string_view bytes) {
  ASSERT_EQ(::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL), static_cast<ssize_t>(bytes.size()));
}

// Counts what reaches the kernel.
struct Calls {
  std::atomic<int> sends{0}, receives{0}, blocking{0};
};
class CountingIo : public ByteIo {
 public:
  CountingIo(std::unique_ptr<ByteIo> io, Calls* calls) : io_(std::move(io)), calls_(*calls) {}
  int send_fd() const override { return io_->send_fd(); }
  int receive_fd() const override { return io_->receive_fd(); }
  ssize_t Send(const char* data, size_t size) override { return ++calls_.sends, io_->Send(data, size); }
  ssize_t Receive(char* data, size_t size) override { return ++calls_.receives, io_->Receive(data, size); }
  ssize_t SendMessage(const msghdr& message) override { return ++calls_.sends, io_->SendMessage(message); }
  ssize_t ReceiveMessage(msghdr* message) override { return ++calls_.receives, io_->ReceiveMessage(message); }
  bool can_block() const override { return io_->can_block(); }
  ssize_t ReceiveBlocking(char* data, size_t size, int64_t timeout_ns) override {
    return ++calls_.blocking, io_->ReceiveBlocking(data, size, timeout_ns);
  }
  void Shutdown() override { io_->Shutdown(); }

 private:
  const std::unique_ptr<ByteIo> io_;
  Calls& calls_;
};

TEST(ByteStreamTest, BytesOnTheWire) {
  auto [a, b] = SocketPair();
  auto end = End(std::move(a));
  ASSERT_EQ(CommitFrame(*end, "hello"), Io::kOk);
  ASSERT_EQ(CommitFrame(*end, ""), Io::kOk);
  ASSERT_EQ(CommitFrame(*end, std::string(0x1234, 'x')), Io::kOk);
  ASSERT_EQ(end->Flush(), Io::kOk);
  EXPECT_EQ(ReadRaw(b.get(), 13), std::string("\5\0\0\0\0\0\0\0hello", 13));
  EXPECT_EQ(ReadRaw(b.get(), 8), std::string(8, '\0'));
  EXPECT_EQ(ReadRaw(b.get(), 8), std::string("\x34\x12\0\0\0\0\0\0", 8));
  EXPECT_EQ(ReadRaw(b.get(), 0x1234), std::string(0x1234, 'x'));
}

TEST(ByteStreamTest, AUnaryCallIsOneSendAndOneReceiveEachWay) {
  Calls client_calls, server_calls;
  auto [a, b] = SocketPair();
  ByteStreamEndpoint client(std::make_unique<CountingIo>(NewSocketIo(std::move(a)), &client_calls), Options());
  ByteStreamEndpoint server(std::make_unique<CountingIo>(NewSocketIo(std::move(b)), &server_calls), Options());
  constexpr int kCalls = 20;
  std::string frame;
  Frame borrowed;
  for (int i = 0; i < kCalls; ++i) {
    ASSERT_EQ(SendFrame(client, "request"), Io::kOk);
    // The server is woken by its event loop: receives until nothing is left, then arms again.
    ASSERT_EQ(server.Borrow(&borrowed), Io::kOk);
    server.Release();
    ASSERT_EQ(SendFrame(server, "reply"), Io::kOk);
    EXPECT_EQ(server.Borrow(&borrowed), Io::kWouldBlock) << "without asking the kernel";
    EXPECT_TRUE(server.Arm(Side::kReceive));
    server.Disarm(Side::kReceive);
    // The client sleeps in the receive call itself, for ever or with a deadline.
    ASSERT_EQ(client.Wait(Side::kReceive, i % 2 == 0 ? kNoDeadline : After(kPatience)), Io::kOk);
    ASSERT_EQ(client.Borrow(&borrowed), Io::kOk);
    EXPECT_EQ(std::string(borrowed.bytes.data(), borrowed.bytes.size()), "reply");
    client.Release();
  }
  EXPECT_EQ(client_calls.sends, kCalls);
  EXPECT_EQ(client_calls.blocking, kCalls);
  EXPECT_EQ(client_calls.receives, 0);
  EXPECT_EQ(server_calls.sends, kCalls);
  EXPECT_EQ(server_calls.receives, kCalls);
}

TEST(ByteStreamTest, ManyFramesAreOneReceiveAndLargeOnesAreNotMoved) {
  Calls calls;
  auto [a, b] = SocketPair();
  auto sender = End(std::move(a));
  ByteStreamEndpoint receiver(std::make_unique<CountingIo>(NewSocketIo(std::move(b)), &calls), Options());
  std::string frame;
  for (int i = 0; i < 60; ++i) ASSERT_EQ(CommitFrame(*sender, Pattern(40, i)), Io::kOk);
  ASSERT_EQ(sender->Flush(), Io::kOk);
  for (int i = 0; i < 60; ++i) ASSERT_EQ(ReceiveFrame(receiver, &frame), Io::kOk);
  EXPECT_EQ(calls.receives, 1);
  // A stream of large frames: once the buffer has grown, one receive call each and aligned payloads.
  for (int round = 0; round < 10; ++round) {
    for (int i = 0; i < 3; ++i) ASSERT_EQ(CommitFrame(*sender, Pattern(65536, i)), Io::kOk);
    ASSERT_EQ(sender->Flush(), Io::kOk);
    const int before = calls.receives + calls.blocking;
    for (int i = 0; i < 3; ++i) {
      Frame borrowed;
      while (receiver.Borrow(&borrowed) == Io::kWouldBlock)
        ASSERT_EQ(receiver.Wait(Side::kReceive, kNoDeadline), Io::kOk);
      if (round > 2) {
        EXPECT_EQ(reinterpret_cast<uintptr_t>(borrowed.bytes.data()) % 16, 0u) << round << " " << i;
      }
      EXPECT_EQ(std::string(borrowed.bytes.data(), borrowed.bytes.size()), Pattern(65536, i));
      receiver.Release();
    }
    if (round > 2) {
      EXPECT_LE(calls.receives + calls.blocking - before, 3);
    }
  }
}

TEST(ByteStreamTest, DataThatComesAfterAShortReceiveIsNotOverlooked) {
  auto [a, b] = SocketPair();
  auto sender = End(std::move(a));
  auto receiver = End(std::move(b));
  for (int i = 0; i < 50; ++i) {
    Frame frame;
    ASSERT_EQ(SendFrame(*sender, "first"), Io::kOk);
    ASSERT_TRUE(Ready(*receiver, Side::kReceive));
    ASSERT_EQ(receiver->Borrow(&frame), Io::kOk);
    receiver->Release();
    ASSERT_EQ(SendFrame(*sender, "second"), Io::kOk);
    if (i % 2 == 0) {
      EXPECT_TRUE(Ready(*receiver, Side::kReceive));
    } else {
      EXPECT_EQ(receiver->Borrow(&frame), Io::kWouldBlock);
    }
    ASSERT_EQ(receiver->Borrow(&frame), Io::kOk) << "at the latest when asked twice";
    receiver->Release();
  }
}

// kClosed of a flush says that the peer has seen nothing of it: calls are then sent again elsewhere.
TEST(ByteStreamTest, AFlushThatBreaksAfterAPartDoesNotSayClosedAtOnce) {
  class BreakingIo final : public CountingIo {
   public:
    using CountingIo::CountingIo;
    ssize_t Send(const char* data, size_t size) override {
      if (taken_) return errno = EPIPE, -1;
      taken_ = true;
      return CountingIo::Send(data, size - 1);
    }

   private:
    bool taken_ = false;
  };
  Calls calls;
  auto [a, b] = SocketPair();
  ByteStreamOptions options;
  options.info = {.transport = "pair", .peer = {}, .max_frame = 65536};
  options.name = "pair:test";
  ByteStreamEndpoint end(std::make_unique<BreakingIo>(NewSocketIo(std::move(a)), &calls), std::move(options));
  absl::Span<char> space;
  for (int i = 0; i < 2; ++i) {
    ASSERT_EQ(end.Reserve(10, &space), Io::kOk);
    std::memset(space.data(), 'x', 10);
    ASSERT_EQ(end.Commit(10, {}), Io::kOk);
  }
  EXPECT_EQ(end.Flush(), Io::kWouldBlock) << "the first frame has gone out";
  EXPECT_FALSE(end.Arm(Side::kSend)) << "there is nothing to sleep for";
  EXPECT_EQ(end.Flush(), Io::kClosed);
  EXPECT_EQ(end.status(), absl::UnavailableError("pair:test: the peer closed the connection"));
}

TEST(ByteStreamTest, TheEndIsNamed) {
  {
    auto [a, b] = SocketPair();
    auto end = End(std::move(a));
    b.Reset();
    EXPECT_EQ(ReceiveToTheEnd(*end), 0);
    EXPECT_EQ(end->status(), absl::UnavailableError("pair:test: the peer closed the connection"));
  }
  {
    auto [a, b] = SocketPair();
    auto end = End(std::move(a));
    WriteRaw(b.get(), absl::string_view("\1\0\0\0\0\0\0\0x\2\0\0\0", 13));
    b.Reset();
    EXPECT_EQ(ReceiveToTheEnd(*end), 1);
    EXPECT_EQ(end->status(),
              absl::UnavailableError("pair:test: the peer closed the connection in the middle of a frame"));
  }
  {
    auto [a, b] = SocketPair();
    auto end = End(std::move(a));
    WriteRaw(b.get(), absl::string_view("\xff\xff\xff\xff\0\0\0\0", 8));
    EXPECT_EQ(ReceiveToTheEnd(*end), 0);
    EXPECT_EQ(end->status().code(), absl::StatusCode::kInternal);
    EXPECT_TRUE(absl::StrContains(end->status().message(), "65536")) << end->status();
  }
}

TEST(ByteStreamTest, MisuseIsRefusedAndNamed) {
  absl::Span<char> space;
  {
    auto [a, b] = SocketPair();
    auto end = End(std::move(a));
    EXPECT_EQ(end->Reserve(65537, &space), Io::kClosed);
    EXPECT_EQ(end->status().code(), absl::StatusCode::kInvalidArgument) << end->status();
  }
  {
    auto [a, b] = SocketPair();
    auto end = End(std::move(a));
    EXPECT_EQ(end->Commit(0, {}), Io::kClosed) << "nothing was reserved";
  }
  {
    auto [a, b] = SocketPair();
    auto end = End(std::move(a));
    ASSERT_EQ(end->Reserve(10, &space), Io::kOk);
    EXPECT_EQ(end->Commit(11, {}), Io::kClosed);
    EXPECT_EQ(end->status().code(), absl::StatusCode::kInvalidArgument) << end->status();
  }
}

TEST(ByteStreamTest, SignalsDoNotEndAWait) {
  auto [a, b] = SocketPair();
  auto end = End(std::move(a));
  auto peer = End(std::move(b));
  struct sigaction action = {};
  action.sa_handler = [](int) {};  // without SA_RESTART
  struct sigaction before = {};
  ASSERT_EQ(::sigaction(SIGUSR1, &action, &before), 0);
  for (const bool polled : {false, true}) {
    if (polled) end = nullptr;
    if (polled) {
      auto [c, d] = SocketPair();
      ByteStreamOptions options = Options();
      options.death.Reset(::eventfd(0, EFD_CLOEXEC));  // not taken: the wait polls
      end = std::make_unique<ByteStreamEndpoint>(NewSocketIo(std::move(c)), std::move(options));
      peer = End(std::move(d));
    }
    std::atomic<pthread_t> thread{};
    std::string frame;
    Sleeper sleeper([&] {
      thread = ::pthread_self();
      EXPECT_EQ(ReceiveFrame(*end, &frame, kNoDeadline), Io::kOk);
    });
    for (int i = 0; i < 5; ++i) {
      ASSERT_TRUE(sleeper.AwaitAsleep());
      ::pthread_kill(thread, SIGUSR1);
    }
    ASSERT_EQ(SendFrame(*peer, "at last"), Io::kOk);
    EXPECT_TRUE(sleeper.AwaitEnd());
    EXPECT_EQ(frame, "at last");
  }
  ASSERT_EQ(::sigaction(SIGUSR1, &before, nullptr), 0);
}

TEST(ByteStreamTest, ADescriptorInNonBlockingModeOnlyCostsPolls) {
  auto [a, b] = SocketPair();
  ASSERT_EQ(::fcntl(a.get(), F_SETFL, O_NONBLOCK), 0);
  auto end = End(std::move(a));
  auto peer = End(std::move(b));
  EXPECT_EQ(end->Wait(Side::kReceive, After(30 * kMillisecond)), Io::kWouldBlock);
  std::string frame;
  Sleeper sleeper([&] { EXPECT_EQ(ReceiveFrame(*end, &frame, kNoDeadline), Io::kOk); });
  EXPECT_TRUE(sleeper.AwaitAsleep());
  ASSERT_EQ(SendFrame(*peer, "x"), Io::kOk);
  EXPECT_TRUE(sleeper.AwaitEnd());
}

TEST(ByteStreamTest, TheDeathSignalEndsBothRolesAfterTheLastFrame) {
  auto [a, b] = SocketPair();
  ByteStreamOptions options = Options();
  options.death.Reset(::eventfd(0, EFD_CLOEXEC));
  const int death = options.death.get();
  options.info.sees_death = true;
  ByteStreamEndpoint end(NewSocketIo(std::move(a)), std::move(options));
  auto peer = End(std::move(b));
  ASSERT_EQ(SendFrame(*peer, "last words"), Io::kOk);
  EXPECT_EQ(end.PollFds(Side::kReceive)[1].fd, death);
  EXPECT_EQ(end.PollFds(Side::kSend)[1].fd, death);
  ASSERT_EQ(::eventfd_write(death, 1), 0);  // dead, although the stream is held open
  std::string frame;
  EXPECT_EQ(ReceiveFrame(end, &frame), Io::kOk);
  EXPECT_EQ(frame, "last words");
  EXPECT_EQ(ReceiveFrame(end, &frame), Io::kClosed);
  EXPECT_EQ(end.status(), absl::UnavailableError("pair:test: the peer's process died"));
}

TEST(ByteStreamTest, ATakenDeathWatchIsLeftToTheCaller) {
  auto [a, b] = SocketPair();
  ByteStreamOptions options = Options();
  options.death.Reset(::eventfd(1, EFD_CLOEXEC));
  const int death = options.death.get();
  ByteStreamEndpoint end(NewSocketIo(std::move(a)), std::move(options));
  EXPECT_EQ(end.TakeDeathWatch(), death);
  EXPECT_EQ(end.PollFds(Side::kReceive)[1].fd, -1);
  EXPECT_EQ(end.Wait(Side::kReceive, After(5 * kMillisecond)), Io::kWouldBlock);
  EXPECT_TRUE(end.status().ok());
}

// A handshake as a rendezvous would have it: connects in two steps, greets with 6 bytes each way.
class TrialHandshake final : public ByteStreamHandshake {
 public:
  explicit TrialHandshake(bool connecting, bool refused = false)
      : connecting_(connecting), refused_(refused), timer_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}
  int timer() const { return timer_.get(); }

  Io Connect(ByteIo&, absl::Status* why) override {
    if (!connecting_) return Io::kOk;
    eventfd_t count;
    if (::eventfd_read(timer_.get(), &count) != 0) return Io::kWouldBlock;
    if (refused_) *why = absl::UnavailableError("pair:test: nobody there");
    return refused_ ? Io::kClosed : Io::kOk;
  }
  pollfd ConnectPoll() const override { return {timer_.get(), POLLIN, 0}; }
  void Interrupt() override { ::eventfd_write(timer_.get(), 1); }

  Io SendGreeting(ByteIo& io, absl::Span<const char> frames, size_t* sent, absl::Status* why) override {
    std::string greeting = "greet!";
    iovec parts[2] = {{greeting.data() + greeted_, greeting.size() - greeted_},
                      {const_cast<char*>(frames.data()), frames.size()}};
    msghdr message = {};
    message.msg_iov = parts;
    message.msg_iovlen = 2;
    const ssize_t n = io.SendMessage(message);
    if (n < 0 && errno == EAGAIN) return Io::kWouldBlock;
    if (n < 0) return *why = absl::UnavailableError("pair:test: gone"), Io::kClosed;
    const size_t greeting_part = std::min<size_t>(n, greeting.size() - greeted_);
    greeted_ += greeting_part;
    *sent = static_cast<size_t>(n) - greeting_part;
    return greeted_ == greeting.size() ? Io::kOk : Io::kWouldBlock;
  }
  Io ReceiveGreeting(ByteIo& io, Greeted* greeted, absl::Status* why) override {
    while (received_.size() < 6) {
      char buffer[6];
      const ssize_t n = io.Receive(buffer, 6 - received_.size());
      if (n < 0 && errno == EAGAIN) return Io::kWouldBlock;
      if (n <= 0) return *why = absl::UnavailableError("pair:test: no greeting"), Io::kClosed;
      received_.append(buffer, static_cast<size_t>(n));
    }
    if (received_ != "greet!") return *why = absl::PermissionDeniedError("pair:test: wrong greeting"), Io::kClosed;
    greeted->peer = Credentials{1, 2, 3};
    return Io::kOk;
  }

 private:
  const bool connecting_;
  const bool refused_;
  const UniqueFd timer_;
  size_t greeted_ = 0;
  std::string received_;
};

ByteStreamOptions Greeting(bool connecting, int* timer = nullptr, bool refused = false) {
  ByteStreamOptions options = Options();
  auto handshake = std::make_unique<TrialHandshake>(connecting, refused);
  if (timer != nullptr) *timer = handshake->timer();
  options.handshake = std::move(handshake);
  return options;
}

TEST(ByteStreamHandshakeTest, TheGreetingTravelsWithTheFirstFrames) {
  Calls calls;
  auto [a, b] = SocketPair();
  ByteStreamEndpoint end(std::make_unique<CountingIo>(NewSocketIo(std::move(a)), &calls), Greeting(false));
  ASSERT_EQ(CommitFrame(end, "a"), Io::kOk);
  ASSERT_EQ(CommitFrame(end, "b"), Io::kOk);
  ASSERT_EQ(end.Flush(), Io::kOk);
  EXPECT_EQ(calls.sends, 1);
  EXPECT_EQ(ReadRaw(b.get(), 6 + 9 + 9), std::string("greet!\1\0\0\0\0\0\0\0a\1\0\0\0\0\0\0\0b", 24));
  // Nothing is delivered before the peer's greeting is whole.
  Frame frame;
  WriteRaw(b.get(), "gre");
  EXPECT_EQ(end.Borrow(&frame), Io::kWouldBlock);
  EXPECT_FALSE(end.info().peer.has_value());
  WriteRaw(b.get(), absl::string_view("et!\1\0\0\0\0\0\0\0z", 12));
  std::string got;
  ASSERT_EQ(ReceiveFrame(end, &got), Io::kOk);
  EXPECT_EQ(got, "z");
  ASSERT_TRUE(end.info().peer.has_value());
  EXPECT_EQ(end.info().peer->pid, 3);
}

TEST(ByteStreamHandshakeTest, AFlushWithoutFramesGreets) {
  auto [a, b] = SocketPair();
  ByteStreamEndpoint end(NewSocketIo(std::move(a)), Greeting(false));
  ASSERT_EQ(end.Flush(), Io::kOk);
  EXPECT_EQ(ReadRaw(b.get(), 6), "greet!");
  ASSERT_EQ(end.Flush(), Io::kOk);
  EXPECT_FALSE(end.Arm(Side::kSend));
}

TEST(ByteStreamHandshakeTest, AWrongGreetingIsTheReason) {
  auto [a, b] = SocketPair();
  ByteStreamEndpoint end(NewSocketIo(std::move(a)), Greeting(false));
  WriteRaw(b.get(), "wrong!");
  EXPECT_EQ(ReceiveToTheEnd(end), 0);
  EXPECT_EQ(end.status(), absl::PermissionDeniedError("pair:test: wrong greeting"));
}

TEST(ByteStreamHandshakeTest, ConnectingTakesItsTime) {
  auto [a, b] = SocketPair();
  int timer = -1;
  ByteStreamEndpoint end(NewSocketIo(std::move(a)), Greeting(true, &timer));
  ByteStreamEndpoint peer(NewSocketIo(std::move(b)), Greeting(false));
  ASSERT_EQ(SendFrame(peer, "early"), Io::kOk);
  absl::Span<char> space;
  Frame frame;
  EXPECT_EQ(end.Reserve(1, &space), Io::kWouldBlock);
  EXPECT_EQ(end.Borrow(&frame), Io::kWouldBlock);
  EXPECT_FALSE(Ready(end, Side::kReceive));
  EXPECT_FALSE(Ready(end, Side::kSend));
  EXPECT_EQ(end.Wait(Side::kSend, After(5 * kMillisecond)), Io::kWouldBlock);
  std::string got;
  Sleeper receiver([&] { EXPECT_EQ(ReceiveFrame(end, &got, kNoDeadline), Io::kOk); });
  Sleeper sender([&] { EXPECT_EQ(SendFrame(end, "late"), Io::kOk); });
  EXPECT_TRUE(receiver.AwaitAsleep());
  EXPECT_TRUE(sender.AwaitAsleep());
  ASSERT_EQ(::eventfd_write(timer, 1), 0);
  EXPECT_TRUE(receiver.AwaitEnd());
  EXPECT_TRUE(sender.AwaitEnd());
  EXPECT_EQ(got, "early");
  EXPECT_EQ(ReceiveFrame(peer, &got), Io::kOk);
  EXPECT_EQ(got, "late");
}

TEST(ByteStreamHandshakeTest, CloseAndRefusalWakeWhoWaitsToConnect) {
  for (const bool refused : {false, true}) {
    auto [a, b] = SocketPair();
    int timer = -1;
    ByteStreamEndpoint end(NewSocketIo(std::move(a)), Greeting(true, &timer, refused));
    Sleeper receiver([&] { EXPECT_EQ(ReceiveToTheEnd(end), 0); });
    Sleeper sender([&] { EXPECT_EQ(SendFrame(end, "never"), Io::kClosed); });
    EXPECT_TRUE(receiver.AwaitAsleep());
    EXPECT_TRUE(sender.AwaitAsleep());
    if (refused) {
      ASSERT_EQ(::eventfd_write(timer, 1), 0);
    } else {
      end.Close(absl::CancelledError("enough"));
    }
    EXPECT_TRUE(receiver.AwaitEnd());
    EXPECT_TRUE(sender.AwaitEnd());
    EXPECT_EQ(end.status().code(), refused ? absl::StatusCode::kUnavailable : absl::StatusCode::kCancelled);
  }
}

TEST(FrameBuffersTest, SendBufferIsBoundedAndResumes) {
  SendBuffer buffer(65536);
  int frames = 0;
  while (buffer.Reserve(1000) != nullptr) buffer.Commit(1000), ++frames;
  EXPECT_EQ(frames, 256 * 1024 / 1008);
  EXPECT_FALSE(buffer.CanCommit(0)) << "a refused reservation is none";
  buffer.Sent(1008 * 10);
  for (int i = 0; i < 10; ++i) {
    ASSERT_NE(buffer.Reserve(1000), nullptr);
    buffer.Commit(1000);
  }
  EXPECT_EQ(buffer.Reserve(1000), nullptr);
  EXPECT_EQ(buffer.unsent().size(), static_cast<size_t>(frames) * 1008);
  buffer.Sent(buffer.unsent().size());
  EXPECT_TRUE(buffer.empty());
  SendBuffer large(1 << 20);
  ASSERT_NE(large.Reserve(1 << 20), nullptr) << "one frame always fits";
}

TEST(FrameBuffersTest, ReceiveBufferTakesAnyCut) {
  std::string wire;
  std::vector<std::string> frames;
  for (size_t i = 0; i < 40; ++i) {
    frames.push_back(Pattern((i * i * 97) % 5000, i));
    if (i % 13 == 0) frames.back() = Pattern(40'000 + i, i);
    char header[8];
    StoreFrameHeader(static_cast<uint32_t>(frames.back().size()), header);
    wire.append(header, 8).append(frames.back());
  }
  for (const size_t cut : {1u, 2u, 7u, 8u, 9u, 100u, 4095u, 4096u, 5000u, 70'000u, 1'000'000u}) {
    ReceiveBuffer buffer(65536);
    size_t received = 0;
    size_t next = 0;
    while (next < frames.size()) {
      absl::Span<const char> frame;
      if (buffer.Next(&frame) == ReceiveBuffer::Found::kFrame) {
        ASSERT_EQ(std::string(frame.data(), frame.size()), frames[next]) << cut << " " << next;
        buffer.Drop();
        ++next;
        continue;
      }
      const absl::Span<char> room = buffer.Room();
      ASSERT_GT(room.size(), 0u);
      const size_t size = std::min({room.size(), cut, wire.size() - received});
      ASSERT_GT(size, 0u);
      std::memcpy(room.data(), wire.data() + received, size);
      buffer.Received(size);
      received += size;
    }
    EXPECT_FALSE(buffer.HasPart());
  }
}

}  // namespace
}  // namespace nearcall
