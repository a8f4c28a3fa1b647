#!/usr/bin/env bash
# Copyright 2026 The nearcall Authors
# SPDX-License-Identifier: Apache-2.0
#
# corpus_all.cc includes what is generated from each .proto of the corpus, and nothing else.
set -euo pipefail
diff <(find -L tests/codegen/corpus -name '*.proto' | LC_ALL=C sort | sed 's/\(.*\)\.proto/#include "\1.nearcall.cc"/') \
  <(grep '^#include "tests/codegen/corpus/' tests/codegen/corpus_all.cc | LC_ALL=C sort)
echo "corpus_all.cc includes $(grep -c nearcall.cc tests/codegen/corpus_all.cc) files"
