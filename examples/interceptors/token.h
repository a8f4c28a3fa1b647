// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// A token that calls carry: SendsToken adds it on the client, NeedsToken refuses calls without it on the server, before
// any handler runs. Where callers can be told apart by their user, peer().credentials is better: the kernel vouches for
// those, and there is nothing to steal.
#ifndef NEARCALL_EXAMPLES_INTERCEPTORS_TOKEN_H_
#define NEARCALL_EXAMPLES_INTERCEPTORS_TOKEN_H_

#include <fstream>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "nearcall/rpc/nearcall.h"

inline constexpr char kTokenKey[] = "authorization";

// The file's first line. In a file, and not on the command line, which everybody can see.
inline absl::StatusOr<std::string> ReadToken(const std::string& path) {
  std::ifstream file(path);
  std::string token;
  if (!std::getline(file, token) || token.empty()) {
    return absl::InvalidArgumentError(absl::StrCat(path, ": no token on its first line, or it can't be read"));
  }
  return token;
}

class SendsToken final : public nearcall::ClientInterceptor {
 public:
  explicit SendsToken(const std::string& token) : value_("Bearer " + token) {}

  absl::StatusOr<std::unique_ptr<nearcall::CallObserver>> OnStart(nearcall::OutgoingCall& call) override {
    call.AddMetadata(kTokenKey, value_);
    return nullptr;  // what becomes of the call is of no interest
  }

 private:
  const std::string value_;
};

class NeedsToken final : public nearcall::ServerInterceptor {
 public:
  explicit NeedsToken(const std::string& token) : value_("Bearer " + token) {}

  absl::StatusOr<std::unique_ptr<nearcall::CallObserver>> OnStart(absl::string_view method,
                                                                  nearcall::ServerContext& context) override {
    const std::optional<std::string> value = context.metadata().Get(kTokenKey);
    if (!value.has_value()) {
      return absl::UnauthenticatedError(absl::StrCat(method, " needs the metadata \"", kTokenKey, "\""));
    }
    if (!Equal(*value, value_)) return absl::UnauthenticatedError(absl::StrCat(method, ": not the right token"));
    return nullptr;
  }

 private:
  // In a time that does not tell how much of it was right.
  static bool Equal(const std::string& a, const std::string& b) {
    if (a.size() != b.size()) return false;
    unsigned char difference = 0;
    for (size_t i = 0; i < a.size(); ++i) difference |= static_cast<unsigned char>(a[i] ^ b[i]);
    return difference == 0;
  }

  const std::string value_;
};

#endif  // NEARCALL_EXAMPLES_INTERCEPTORS_TOKEN_H_
