// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0

#include <google/protobuf/compiler/plugin.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "nearcall/codegen/generator.h"

int main(int argc, char** argv) {
  if (argc > 1) {
    bool help = std::strcmp(argv[1], "--help") == 0;
    std::fprintf(help ? stdout : stderr,
                 "protoc-gen-nearcall is run by protoc, which finds it on PATH or by --plugin:\n"
                 "  protoc --cpp_out=DIR --nearcall_out=DIR [--nearcall_opt=namespace=NAME] FILE.proto\n"
                 "It writes FILE.nearcall.h and FILE.nearcall.cc, which need FILE.pb.h.\n");
    return help ? EXIT_SUCCESS : EXIT_FAILURE;
  }
  nearcall::codegen::Generator generator;
  return google::protobuf::compiler::PluginMain(argc, argv, &generator);
}
