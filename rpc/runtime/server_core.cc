// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
#include "nearcall/rpc/runtime/server_core.h"

#include <algorithm>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "nearcall/rpc/runtime/deadline.h"
#include "nearcall/rpc/runtime/fork_guard.h"
#include "nearcall/rpc/transports.h"

namespace nearcall::internal {
namespace {

constexpr int kMaxFree = 1024;                          // call objects kept
const absl::Duration kUnaskedDrain = absl::Seconds(5);  // at a signal, and when nobody can come any more

int ThreadCount(int wanted) {
  if (wanted > 0) return wanted;
  return std::max(2, static_cast<int>(std::thread::hardware_concurrency()));
}

// Who asks for one thread gets no second one.
int MaxPins(int wanted) { return wanted == 1 ? 0 : ThreadCount(wanted); }

}  // namespace

// One listener in the pool's epoll. Closing waits for an Accept() that runs.
class ServerCore::Acceptor final : public Pool::Source, public std::enable_shared_from_this<Acceptor> {
 public:
  Acceptor(std::weak_ptr<ServerCore> server, std::shared_ptr<Pool> pool, std::unique_ptr<Listener> listener)
      : server_(std::move(server)), pool_(std::move(pool)), listener_(std::move(listener)) {}

  std::string address() const { return listener_->address().ToString(); }
  absl::Status Start() {
    key_ = pool_->Add(listener_->fd(), shared_from_this(), 0);
    if (key_ < 0) return absl::ErrnoToStatus(errno, absl::StrCat(address(), ": epoll_ctl"));
    pool_->Arm(key_, EPOLLIN);
    return absl::OkStatus();
  }
  void Close() {
    std::lock_guard<std::mutex> lock(mutex_);
    if (key_ >= 0) pool_->Remove(key_);
    key_ = -1;
    listener_ = nullptr;
  }
  void OnReady(uint32_t) override {
    const std::shared_ptr<ServerCore> server = server_.lock();
    if (server == nullptr) return;
    if (AcceptAll(*server)) return;
    Close();
    server->ListenerEnded(*this);
  }

 private:
  // False: nobody will ever come again.
  bool AcceptAll(ServerCore& server) {
    std::lock_guard<std::mutex> lock(mutex_);
    // A handshake that fails is the listener's business; an error here (EMFILE) makes its descriptor rest a while.
    while (listener_ != nullptr) {
      absl::StatusOr<std::unique_ptr<Endpoint>> endpoint = listener_->Accept();
      if (absl::IsOutOfRange(endpoint.status())) return false;
      if (!endpoint.ok() || *endpoint == nullptr) break;
      server.Accepted(*std::move(endpoint), listener_->address().ToString());
    }
    if (listener_ != nullptr) pool_->Arm(key_, EPOLLIN);
    return true;
  }

  const std::weak_ptr<ServerCore> server_;
  const std::shared_ptr<Pool> pool_;
  std::mutex mutex_;
  std::unique_ptr<Listener> listener_;
  int64_t key_ = -1;
};

ServerCore::ServerCore(const ServerOptions& options)
    : options_(options),
      pool_(std::make_shared<Pool>(PoolOptions{
          .name = "nearcall-srv", .threads = ThreadCount(options.threads_), .max_pins = MaxPins(options.threads_)})),
      service_manager_(pool_.get()) {}

ServerCore::~ServerCore() {
  while (free_ != nullptr) delete std::exchange(free_, free_->next_free_);
}

// ---- services

void ServerCore::AddService(ServiceBase* service) {
  std::lock_guard<std::mutex> lock(mutex_);
  const auto refuse = [this](std::string why) {
    if (service_error_.ok()) service_error_ = absl::FailedPreconditionError(why);
  };
  if (service == nullptr) return refuse("AddService: the service is null");
  const ServiceTable& table = service->nearcall_table_;
  if (listened_) return refuse(absl::StrCat("AddService: ", table.full_name, " came after the first Listen"));
  if (std::find(services_.begin(), services_.end(), table.full_name) != services_.end()) {
    return refuse(absl::StrCat("AddService: ", table.full_name, " is served already"));
  }
  services_.emplace_back(table.full_name);
  for (int i = 0; i < table.method_count; ++i) {
    methods_[table.methods[i].method->path].reset(new ServedMethod{&table.methods[i], service});
  }
}

std::string ServerCore::ServiceErrors() const {
  std::lock_guard<std::mutex> lock(mutex_);
  return service_error_.ok() ? "" : std::string(service_error_.message());
}

absl::Status ServerCore::Unserved(absl::string_view path) const {
  std::lock_guard<std::mutex> lock(mutex_);
  const size_t slash = path.rfind('/');
  const absl::string_view service = path.substr(0, slash == absl::string_view::npos ? 0 : slash);
  for (const std::string& served : services_) {
    if (service.size() == served.size() + 1 && service.substr(1) == served) {
      return absl::UnimplementedError(absl::StrCat("no method ", path, " in service ", served, " here"));
    }
  }
  return absl::UnimplementedError(absl::StrCat(
      "nobody serves ", path, " here; served: ", services_.empty() ? "nothing" : absl::StrJoin(services_, ", ")));
}

// ---- listening

absl::Status ServerCore::Listen(absl::string_view text) {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    if (!service_error_.ok()) return std::exchange(service_error_, absl::OkStatus());
    if (state_ != State::kServing)
      return absl::FailedPreconditionError(absl::StrCat(text, ": the server is shut down"));
    listened_ = true;
  }
  if (!pool_->status().ok()) return pool_->status();
  absl::StatusOr<Address> address = ParseKnownAddress(text, options_.transports_);
  if (!address.ok()) return address.status();
  absl::StatusOr<std::shared_ptr<Transport>> transport = FindTransport(*address, options_.transports_);
  if (!transport.ok()) return transport.status();
  absl::StatusOr<std::unique_ptr<Listener>> listener = (*transport)->Listen(*address);
  if (!listener.ok()) return listener.status();
  auto acceptor = std::make_shared<Acceptor>(weak_from_this(), pool_, *std::move(listener));
  const std::string bound = acceptor->address();
  bool refused;
  {
    std::lock_guard<std::mutex> lock(mutex_);
    refused = state_ != State::kServing;
    if (!refused) {
      acceptors_.push_back(acceptor);
      addresses_.push_back(bound);
    }
  }
  if (!refused) {
    absl::Status started = acceptor->Start();
    if (started.ok()) service_manager_.Listening();
    return started;
  }
  acceptor->Close();
  return absl::FailedPreconditionError(absl::StrCat(text, ": the server is shut down"));
}

std::vector<std::string> ServerCore::addresses() const {
  std::lock_guard<std::mutex> lock(mutex_);
  return addresses_;
}

void ServerCore::Accepted(std::unique_ptr<Endpoint> endpoint, const std::string& address) {
  auto peer = std::make_shared<Peer>();
  peer->transport = endpoint->info().transport;
  peer->address = address;
  peer->credentials = endpoint->info().peer;
  Connection::Options options;
  options.address = address;
  options.pool = pool_;
  options.host = shared_from_this();
  options.peer = std::move(peer);
  options.session.max_receive_message = options_.max_receive_message_size_;
  options.session.now_ns = MonotonicNanos();
  options.spin = options_.spin_;
  options.keepalive_ns = Nanos(options_.keepalive_time_);
  options.keepalive_timeout_ns = Nanos(options_.keepalive_timeout_);
  auto connection = MakeParents<Connection>(std::move(options));
  {
    std::lock_guard<std::mutex> lock(mutex_);
    if (state_ != State::kServing) return;
    connections_[connection.get()] = connection;
  }
  if (absl::Status status = connection->Open(std::move(endpoint)); !status.ok()) connection->Close(status);
}

// ---- calls

Runnable* ServerCore::OnNewCall(Connection& connection, SessionEvent& event, Connection::Batch* batch) {
  ServerCall* call = NewCall();
  const auto method = methods_.find(event.path);
  call->Init(connection, event, method == methods_.end() ? nullptr : method->second.get(), batch);
  return call;
}

ServerCall* ServerCore::NewCall() {
  std::lock_guard<std::mutex> lock(mutex_);
  ++calls_;
  ServerCall* call = free_;
  if (call == nullptr) return new ServerCall;
  free_ = call->next_free_;
  --free_count_;
  return call;
}

void ServerCore::Recycle(ServerCall* call) {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    --calls_;
    if (calls_ == 0 && state_ != State::kServing) changed_.notify_all();
    if (free_count_ < kMaxFree) {
      ++free_count_;
      call->next_free_ = free_;
      free_ = call;
      return;
    }
  }
  delete call;
}

// ---- the end

void ServerCore::OnClosed(Connection& connection) {
  std::lock_guard<std::mutex> lock(mutex_);
  connections_.erase(&connection);  // never the last reference: whoever closes it has one
  if (connections_.empty()) changed_.notify_all();
}

void ServerCore::CloseIfDrainedLocked(Connection& connection) {
  // Not before it has said that it drains, and which call was its last: what crosses with the end is sent again then.
  if (state_.load() != State::kServing && connection.session().drain_started() && connection.IdleLocked())
    connection.CloseLocked(absl::UnavailableError("the server was shut down"));
}

// A server that nobody can reach any more has nothing to wait for.
void ServerCore::ListenerEnded(const Acceptor& ended) {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    std::erase_if(acceptors_, [&](const auto& each) { return each.get() == &ended; });
    if (state_ != State::kServing || !acceptors_.empty()) return;
  }
  Shutdown(kUnaskedDrain);
}

void ServerCore::Shutdown(absl::Duration drain) {
  std::vector<std::shared_ptr<Acceptor>> acceptors;
  std::vector<std::shared_ptr<Connection>> connections;
  {
    std::lock_guard<std::mutex> lock(mutex_);
    if (state_ == State::kClosed) return;
    state_ = State::kDraining;
    acceptors.swap(acceptors_);
    ++closing_;
    for (const auto& [key, connection] : connections_) connections.push_back(connection);
  }
  service_manager_.Stopping();
  for (const std::shared_ptr<Acceptor>& acceptor : acceptors) acceptor->Close();
  {
    std::lock_guard<std::mutex> lock(mutex_);
    --closing_;
    changed_.notify_all();
  }
  for (const std::shared_ptr<Connection>& connection : connections) {
    connection->StartDrain("the server is shutting down");
    std::lock_guard<std::mutex> lock(connection->mutex());
    CloseIfDrainedLocked(*connection);
  }
  if (drain <= absl::ZeroDuration()) return CloseAll();
  std::lock_guard<std::mutex> lock(mutex_);
  if (state_ == State::kDraining && !connections_.empty()) {
    kept_ = shared_from_this();
    pool_->Schedule(this, DeadlineAfter(drain));
  }
  changed_.notify_all();
}

void ServerCore::OnTimer() {
  std::shared_ptr<ServerCore> self;
  {
    std::lock_guard<std::mutex> lock(mutex_);
    self = std::move(kept_);
  }
  CloseAll();
}

void ServerCore::CloseAll() {
  std::vector<std::shared_ptr<Connection>> connections;
  {
    std::lock_guard<std::mutex> lock(mutex_);
    state_ = State::kClosed;
    for (const auto& [key, connection] : connections_) connections.push_back(connection);
  }
  for (const std::shared_ptr<Connection>& connection : connections) {
    connection->Close(absl::UnavailableError("the server was shut down"));
  }
  changed_.notify_all();
}

void ServerCore::Run() {
  bool listens;
  {
    std::lock_guard<std::mutex> lock(mutex_);
    listens = !acceptors_.empty();
  }
  if (state_ == State::kServing) service_manager_.Begin(listens);
  if (state_ != State::kServing) service_manager_.Stopping();  // Shutdown() came in between
  WaitUntilDone();
  service_manager_.End();
}

void ServerCore::WaitUntilDone() {
  std::unique_lock<std::mutex> lock(mutex_);
  // Another thread's Shutdown() may still be taking the addresses back: a process that ended before would leave them.
  while (state_ == State::kServing || closing_ > 0 || !connections_.empty() || calls_ > 0) changed_.wait(lock);
}

void ServerCore::Stop() {
  Shutdown(absl::ZeroDuration());
  WaitUntilDone();
  if (pool_->Cancel(this)) {
    std::lock_guard<std::mutex> lock(mutex_);
    kept_ = nullptr;
  }
  pool_->Stop();
}

void ServerCore::OnSignal() {
  bool again;
  {
    std::lock_guard<std::mutex> lock(mutex_);
    again = state_ != State::kServing;
  }
  Shutdown(again ? absl::ZeroDuration() : kUnaskedDrain);
}

}  // namespace nearcall::internal
