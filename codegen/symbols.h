// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0

#ifndef NEARCALL_CODEGEN_SYMBOLS_H_
#define NEARCALL_CODEGEN_SYMBOLS_H_

#include <map>
#include <string>

#include "nearcall/codegen/protobuf_compat.h"

namespace nearcall::codegen {

// The C++ names that a file and all it imports put into one namespace: name -> what it is, for messages to the user
// ("message a.b.C of x.proto"). Services are not among them, but for the names of generic services
// (cc_generic_services), which protobuf prints itself.
using Symbols = std::map<std::string, std::string>;

Symbols SymbolsOf(const pb::FileDescriptor& file, const std::string& cpp_namespace);

}  // namespace nearcall::codegen

#endif  // NEARCALL_CODEGEN_SYMBOLS_H_
