// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0

#ifndef NEARCALL_CODEGEN_REFUSALS_H_
#define NEARCALL_CODEGEN_REFUSALS_H_

#include <string>

#include "nearcall/codegen/options.h"
#include "nearcall/codegen/protobuf_compat.h"

namespace nearcall::codegen {

// Why no C++ that compiles can be made of this file's services, and what to do; empty if it can. Names the service, the
// message or the option; protoc puts the file's name before it.
std::string WhyRefused(const pb::FileDescriptor& file, const Options& options);

}  // namespace nearcall::codegen

#endif  // NEARCALL_CODEGEN_REFUSALS_H_
