// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0

#include "nearcall/codegen/generator.h"

#include <optional>
#include <string>
#include <utility>

#include "nearcall/codegen/model.h"
#include "nearcall/codegen/options.h"
#include "nearcall/codegen/printer.h"

namespace nearcall::codegen {

bool Generator::Generate(const pb::FileDescriptor* file, const std::string& parameter,
                         pb::compiler::GeneratorContext* context, std::string* error) const {
  Options options;
  if (!ParseOptions(parameter, options, *error)) return false;
  std::optional<FileModel> model = BuildModel(*file, options, *error);
  if (!model.has_value()) return false;
  for (const auto& [name, content] :
       {std::pair(model->header_name, PrintHeader(*model)), std::pair(model->source_name, PrintSource(*model))}) {
    if (WriteFile(*context, name, content)) continue;
    *error = "protoc did not take " + name;
    return false;
  }
  return true;
}

}  // namespace nearcall::codegen
