// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0

#ifndef NEARCALL_CODEGEN_PRINTER_H_
#define NEARCALL_CODEGEN_PRINTER_H_

#include <string>

#include "nearcall/codegen/model.h"

namespace nearcall::codegen {

// The text of X.nearcall.h and X.nearcall.cc. They decide nothing: equal models give equal bytes.
std::string PrintHeader(const FileModel& file);
std::string PrintSource(const FileModel& file);

}  // namespace nearcall::codegen

#endif  // NEARCALL_CODEGEN_PRINTER_H_
