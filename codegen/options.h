// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0

#ifndef NEARCALL_CODEGEN_OPTIONS_H_
#define NEARCALL_CODEGEN_OPTIONS_H_

#include <string>

namespace nearcall::codegen {

// What --nearcall_opt=... says.
struct Options {
  std::string nested_namespace;  // "namespace=rpc": classes go into PACKAGE::rpc. Empty: into PACKAGE itself.
};

// Reads protoc's comma-separated parameter. False, with a text for the user in `error`: nothing may be generated.
bool ParseOptions(const std::string& parameter, Options& options, std::string& error);

}  // namespace nearcall::codegen

#endif  // NEARCALL_CODEGEN_OPTIONS_H_
