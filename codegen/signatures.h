// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0

// The C++ signatures of methods, shared by declarations (header) and definitions (source).
#ifndef NEARCALL_CODEGEN_SIGNATURES_H_
#define NEARCALL_CODEGEN_SIGNATURES_H_

#include <string>
#include <vector>

#include "nearcall/codegen/model.h"

namespace nearcall::codegen {

struct Parameter {
  std::string type;
  std::string name;
};

struct Signature {
  std::string result;
  std::vector<Parameter> parameters;
};

// Of the stub's method, without the options, which are last everywhere.
Signature StubSignature(const MethodModel& method);

// Of the method that a server of this form overrides.
Signature HandlerSignature(const MethodModel& method, Form form);

}  // namespace nearcall::codegen

#endif  // NEARCALL_CODEGEN_SIGNATURES_H_
