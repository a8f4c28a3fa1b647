// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0

#include "nearcall/codegen/names.h"

#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

namespace nearcall::codegen {
namespace {

using Words = std::unordered_set<std::string>;

// Protobuf 3.21's list, found by giving it a message of each name.
const Words& ProtobufKeywords() {
  static const Words& words = *new Words{"NULL",          "alignas",      "alignof",   "and",        "and_eq",
                                         "asm",           "auto",         "bitand",    "bitor",      "bool",
                                         "break",         "case",         "catch",     "char",       "class",
                                         "compl",         "const",        "constexpr", "const_cast", "continue",
                                         "decltype",      "default",      "delete",    "do",         "double",
                                         "dynamic_cast",  "else",         "enum",      "explicit",   "export",
                                         "extern",        "false",        "float",     "for",        "friend",
                                         "goto",          "if",           "inline",    "int",        "long",
                                         "mutable",       "namespace",    "new",       "noexcept",   "not",
                                         "not_eq",        "nullptr",      "operator",  "or",         "or_eq",
                                         "private",       "protected",    "public",    "register",   "reinterpret_cast",
                                         "return",        "short",        "signed",    "sizeof",     "static",
                                         "static_assert", "static_cast",  "struct",    "switch",     "template",
                                         "this",          "thread_local", "throw",     "true",       "try",
                                         "typedef",       "typeid",       "typename",  "union",      "unsigned",
                                         "using",         "virtual",      "void",      "volatile",   "wchar_t",
                                         "while",         "xor",          "xor_eq"};
  return words;
}

const Words& OtherReservedWords() {
  static const Words& words = *new Words{
      // Keywords since C++11 and C++20.
      "char8_t", "char16_t", "char32_t", "concept", "consteval", "constinit", "co_await", "co_return", "co_yield",
      "requires",
      // Macros of the C library and of compilers in their default (gnu++) mode.
      "assert", "errno", "EOF", "stdin", "stdout", "stderr", "linux", "unix", "i386", "BUFSIZ", "FILENAME_MAX",
      "FOPEN_MAX", "TMP_MAX", "SEEK_SET", "SEEK_CUR", "SEEK_END", "EXIT_SUCCESS", "EXIT_FAILURE", "RAND_MAX",
      "CLOCKS_PER_SEC", "NAN", "INFINITY", "HUGE_VAL", "DOMAIN", "SING", "OVERFLOW", "UNDERFLOW", "CHAR_BIT",
      "CHAR_MAX", "CHAR_MIN", "SCHAR_MAX", "SCHAR_MIN", "UCHAR_MAX", "SHRT_MAX", "SHRT_MIN", "USHRT_MAX", "INT_MAX",
      "INT_MIN", "UINT_MAX", "LONG_MAX", "LONG_MIN", "ULONG_MAX", "LLONG_MAX", "LLONG_MIN", "ULLONG_MAX", "SIZE_MAX",
      "offsetof", "va_arg", "va_copy", "va_end", "va_start", "setjmp"};
  return words;
}

char HexDigit(int value) { return "0123456789abcdef"[value & 15]; }

bool IsLetterOrDigit(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'); }

}  // namespace

bool IsIdentifier(const std::string& name) {
  if (name.empty() || (name[0] >= '0' && name[0] <= '9')) return false;
  for (char c : name) {
    if (!IsLetterOrDigit(c) && c != '_') return false;
  }
  return true;
}

bool IsEscapedByProtobuf(const std::string& name) { return ProtobufKeywords().count(name) != 0; }

bool IsReservedWord(const std::string& name) {
  return ProtobufKeywords().count(name) != 0 || OtherReservedWords().count(name) != 0;
}

std::string StripProto(const std::string& file_name) { return pb::compiler::StripProto(file_name); }

std::vector<std::string> SplitPackage(const std::string& package) {
  std::vector<std::string> parts;
  size_t begin = 0;
  while (begin < package.size()) {
    size_t end = package.find('.', begin);
    if (end == std::string::npos) end = package.size();
    parts.push_back(package.substr(begin, end - begin));
    begin = end + 1;
  }
  return parts;
}

std::string Namespace(const std::string& package) {
  std::string result;
  for (const std::string& part : SplitPackage(package)) result += "::" + part;
  return result;
}

std::string ClassName(const pb::Descriptor& message) {
  std::string name;
  if (message.containing_type() != nullptr) name = ClassName(*message.containing_type()) + "_";
  name += Name(message);
  if (message.options().map_entry()) name += "_DoNotUse";
  return IsEscapedByProtobuf(name) ? name + "_" : name;
}

std::string ClassName(const pb::EnumDescriptor& enumeration) {
  std::string name;
  if (enumeration.containing_type() != nullptr) name = ClassName(*enumeration.containing_type()) + "_";
  name += Name(enumeration);
  return IsEscapedByProtobuf(name) ? name + "_" : name;
}

std::string QualifiedClassName(const pb::Descriptor& message) {
  return Namespace(Package(*message.file())) + "::" + ClassName(message);
}

std::string IncludeGuard(const std::string& file_name, const std::string& nested_namespace) {
  std::string guard = "NEARCALL_GENERATED_";
  for (char c : file_name) {
    if (IsLetterOrDigit(c)) {
      guard += c;
    } else {
      guard += '_';
      guard += HexDigit(static_cast<unsigned char>(c) >> 4);
      guard += HexDigit(c);
    }
  }
  // Two generations of one file, into different namespaces, may meet in one program.
  if (!nested_namespace.empty()) guard += "_namespace_" + nested_namespace;
  return guard;
}

std::string Scope::Claim(std::string name) {
  if (IsReservedWord(name)) name += "_";
  while (!taken_.insert(name).second) name += "_";
  return name;
}

std::vector<std::string> ClaimAll(const std::vector<std::string>& wanted, Scope& scope) {
  std::vector<std::string> names(wanted.size());
  for (size_t i = 0; i < wanted.size(); ++i) {
    if (scope.CanKeep(wanted[i])) names[i] = scope.Claim(wanted[i]);
  }
  for (size_t i = 0; i < wanted.size(); ++i) {
    if (names[i].empty()) names[i] = scope.Claim(wanted[i]);
  }
  return names;
}

const std::vector<std::string>& LibraryNames(const std::string& cpp_namespace) {
  using List = std::vector<std::string>;
  static const auto& lists = *new std::unordered_map<std::string, List>{
      {"", {"std", "absl", "nearcall", "google", "main"}},
      {"::nearcall",
       {"Await",
        "BuiltinTransports",
        "Call",
        "CallOptions",
        "Channel",
        "ChannelOptions",
        "ClientReader",
        "ClientReaderWriter",
        "ClientWriter",
        "Connect",
        "Credentials",
        "Endpoint",
        "ExitWith",
        "Listener",
        "Metadata",
        "Op",
        "Peer",
        "Responder",
        "ResponseMetadata",
        "Server",
        "ServerContext",
        "ServerOptions",
        "ServerReader",
        "ServerReaderWriter",
        "ServerWriter",
        "ServiceBase",
        "Spawn",
        "Task",
        "Transport",
        "internal"}},
      {"::absl",
       {"AnyInvocable",
        "Cleanup",
        "Condition",
        "Cord",
        "Duration",
        "FixedArray",
        "FunctionRef",
        "Hash",
        "Hex",
        "InlinedVector",
        "Mutex",
        "Notification",
        "Nullable",
        "Span",
        "Status",
        "StatusCode",
        "StatusOr",
        "Time",
        "TimeZone",
        "any",
        "base_internal",
        "bad_optional_access",
        "container_internal",
        "cord_internal",
        "flat_hash_map",
        "flat_hash_set",
        "hash_internal",
        "int128",
        "internal",
        "internal_any_invocable",
        "node_hash_map",
        "node_hash_set",
        "nullopt",
        "optional",
        "status_internal",
        "string_view",
        "strings_internal",
        "time_internal",
        "uint128",
        "variant"}},
      {"::std",
       {"any",         "array",         "atomic",        "bitset",     "byte",     "complex",  "deque",    "exception",
        "function",    "future",        "hash",          "int16_t",    "int32_t",  "int64_t",  "int8_t",   "iterator",
        "list",        "locale",        "map",           "mutex",      "optional", "pair",     "promise",  "queue",
        "ratio",       "regex",         "set",           "shared_ptr", "size_t",   "span",     "stack",    "string",
        "string_view", "thread",        "time",          "tuple",      "uint16_t", "uint32_t", "uint64_t", "uint8_t",
        "unique_ptr",  "unordered_map", "unordered_set", "variant",    "vector"}}};
  static const List& none = *new List;
  auto found = lists.find(cpp_namespace);
  return found == lists.end() ? none : found->second;
}

}  // namespace nearcall::codegen
