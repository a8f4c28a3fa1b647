// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0

#ifndef NEARCALL_CODEGEN_TEXT_H_
#define NEARCALL_CODEGEN_TEXT_H_

#include <initializer_list>
#include <string>
#include <vector>

namespace nearcall::codegen {

// Collects lines of C++. Each call adds whole lines; $name$ in a template stands for the value given for it.
class Text {
 public:
  struct Value {
    const char* name;
    std::string text;
  };
  using Values = std::initializer_list<Value>;

  // Adds `lines` at the current indentation, with values filled in.
  void Add(const char* lines, const Values& values = {});
  // Adds lines "// ..."
  void AddComment(const std::vector<std::string>& lines);
  // Adds `begin`, then parameters on one line if they fit, else on one each, then `end`.
  void AddParameters(const std::string& begin, const std::vector<std::string>& parameters, const std::string& end);
  void Indent() { indent_ += 2; }
  void Outdent() { indent_ -= 2; }

  const std::string& str() const { return text_; }

 private:
  void AddLine(const char* begin, const char* end, const Values& values);

  std::string text_;
  int indent_ = 0;
};

}  // namespace nearcall::codegen

#endif  // NEARCALL_CODEGEN_TEXT_H_
