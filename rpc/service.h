// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// ServiceBase: what generated service classes derive from. Users derive from those (Greeter::Service, ...), never from
// this.
#ifndef NEARCALL_RPC_SERVICE_H_
#define NEARCALL_RPC_SERVICE_H_

#include <cstdint>

namespace nearcall {

class ServiceBase;

namespace internal {

class ServerCall;
class ServerCore;

enum class MethodKind : uint8_t { kUnary, kServerStreaming, kClientStreaming, kBidi };
enum class Idempotency : uint8_t { kUnknown, kNoSideEffects, kIdempotent };  // descriptor.proto's idempotency_level

struct MethodInfo {
  const char* path;  // "/package.Service/Method"
  MethodKind kind;
  Idempotency idempotency;
};

// One method of a service class: how a call of it is handled.
struct MethodHandler {
  const MethodInfo* method;
  void (*handle)(ServiceBase& service, ServerCall& call);
};

struct ServiceTable {
  const char* full_name;  // "package.Service"
  const MethodHandler* methods;
  int method_count;
};

}  // namespace internal

class ServiceBase {
 public:
  virtual ~ServiceBase() = default;
  ServiceBase(const ServiceBase&) = delete;
  ServiceBase& operator=(const ServiceBase&) = delete;

 protected:
  explicit ServiceBase(const internal::ServiceTable& table) : nearcall_table_(table) {}

 private:
  friend class internal::ServerCore;
  const internal::ServiceTable nearcall_table_;
};

}  // namespace nearcall

#endif  // NEARCALL_RPC_SERVICE_H_
