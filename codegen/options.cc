// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0

#include "nearcall/codegen/options.h"

#include <string>
#include <utility>
#include <vector>

#include "nearcall/codegen/names.h"
#include "nearcall/codegen/protobuf_compat.h"

namespace nearcall::codegen {
namespace {

constexpr char kKnownOptions[] = "known options: namespace=NAME";

std::string WhyBadNamespace(const std::string& name) {
  if (name.empty()) return "the name is missing";
  if (!IsIdentifier(name)) return "it is not one C++ identifier";
  if (IsReservedWord(name)) return "it is a C++ keyword or a macro of the C library";
  if (name == "std") return "a namespace std below another breaks code that spells std:: without leading colons";
  if (name[0] == '_' || name.find("__") != std::string::npos) return "C++ reserves such names for the compiler";
  return "";
}

}  // namespace

bool ParseOptions(const std::string& parameter, Options& options, std::string& error) {
  std::vector<std::pair<std::string, std::string>> pairs;
  pb::compiler::ParseGeneratorParameter(parameter, &pairs);
  for (const auto& [key, value] : pairs) {
    if (key != "namespace") {
      error = "--nearcall_opt: unknown option \"" + key + "\"; remove it (" + kKnownOptions + ")";
      return false;
    }
    if (std::string why = WhyBadNamespace(value); !why.empty()) {
      error = "--nearcall_opt: namespace=" + value + " can't be used: " + why +
              "; give one plain name, as --nearcall_opt=namespace=rpc";
      return false;
    }
    if (!options.nested_namespace.empty() && options.nested_namespace != value) {
      error = "--nearcall_opt: namespace is given twice, as \"" + options.nested_namespace + "\" and as \"" + value +
              "\"; give it once";
      return false;
    }
    options.nested_namespace = value;
  }
  return true;
}

}  // namespace nearcall::codegen
