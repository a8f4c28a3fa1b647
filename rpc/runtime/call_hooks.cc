// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
#include "nearcall/rpc/runtime/call_hooks.h"

#include <cstdio>
#include <exception>
#include <utility>

#include "absl/strings/str_cat.h"
#include "nearcall/rpc/runtime/blocking.h"

namespace nearcall::internal {
namespace {

absl::Status Threw(absl::string_view where, absl::string_view path, absl::string_view what) {
  return absl::UnknownError(absl::StrCat("an interceptor threw in ", where, " of ", path, ": ", what));
}

// What `hook` gives; or, as a status, what it throws.
template <class Hook>
absl::Status Guarded(absl::string_view where, absl::string_view path, Hook&& hook) {
  try {
    return hook();
  } catch (const std::exception& e) {
    return Threw(where, path, e.what());
  } catch (...) {  // not hidden: it is the call's status
    return Threw(where, path, "something that is no std::exception");
  }
}

template <class Interceptor, class Start>
absl::Status StartAll(const std::vector<std::shared_ptr<Interceptor>>& interceptors, absl::string_view path,
                      CallHooks::Side side, std::unique_ptr<CallHooks>* hooks, Start&& start) {
  for (const std::shared_ptr<Interceptor>& interceptor : interceptors) {
    const absl::Status status = Guarded("OnStart", path, [&] {
      absl::StatusOr<std::unique_ptr<CallObserver>> observer = start(*interceptor);
      if (!observer.ok()) return observer.status();
      if (*observer == nullptr) return absl::OkStatus();
      if (*hooks == nullptr) *hooks = std::make_unique<CallHooks>(path, side);
      (*hooks)->Add(*std::move(observer));
      return absl::OkStatus();
    });
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

}  // namespace

// Keeps the end from beginning meanwhile.
class CallHooks::Showing {
 public:
  explicit Showing(CallHooks& hooks) : hooks_(hooks) {
    std::lock_guard<std::mutex> lock(hooks_.mutex_);
    allowed_ = !hooks_.ended_;
    if (allowed_) ++hooks_.showing_;
  }
  ~Showing() {
    if (!allowed_) return;
    std::lock_guard<std::mutex> lock(hooks_.mutex_);
    if (--hooks_.showing_ == 0) hooks_.shown_.notify_all();
  }
  Showing(const Showing&) = delete;
  Showing& operator=(const Showing&) = delete;
  bool allowed() const { return allowed_; }

 private:
  CallHooks& hooks_;
  bool allowed_;
};

absl::Status CallHooks::Show(const Message& message, bool is_request) {
  Showing showing(*this);
  if (!showing.allowed()) return absl::OkStatus();
  return Guarded(is_request ? "OnRequest" : "OnReply", path_, [&] { return ShowAll(message, is_request); });
}

absl::Status CallHooks::ShowAll(const Message& message, bool is_request) const {
  for (const std::unique_ptr<CallObserver>& observer : observers_) {
    absl::Status status = is_request ? observer->OnRequest(message) : observer->OnReply(message);
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

void CallHooks::End(const absl::Status& status, const Metadata& trailing) {
  {
    std::unique_lock<std::mutex> lock(mutex_);
    if (std::exchange(ended_, true)) return;
    if (showing_ > 0) {
      lock.unlock();
      BlockingScope blocking;
      lock.lock();
      while (showing_ > 0) shown_.wait(lock);
    }
  }
  for (const std::unique_ptr<CallObserver>& observer : observers_) {
    const absl::Status ended = Guarded("OnEnd", path_, [&] {
      observer->OnEnd(status, trailing);
      return absl::OkStatus();
    });
    if (!ended.ok()) std::fprintf(stderr, "nearcall: %s\n", std::string(ended.message()).c_str());
  }
  observers_.clear();
}

absl::Status StartHooks(const std::vector<std::shared_ptr<ClientInterceptor>>& interceptors, OutgoingCall& call,
                        std::unique_ptr<CallHooks>* hooks) {
  return StartAll(interceptors, call.method(), CallHooks::Side::kClient, hooks,
                  [&](ClientInterceptor& interceptor) { return interceptor.OnStart(call); });
}

absl::Status StartHooks(const std::vector<std::shared_ptr<ServerInterceptor>>& interceptors, absl::string_view path,
                        ServerContext& context, std::unique_ptr<CallHooks>* hooks) {
  return StartAll(interceptors, path, CallHooks::Side::kServer, hooks,
                  [&](ServerInterceptor& interceptor) { return interceptor.OnStart(path, context); });
}

}  // namespace nearcall::internal
