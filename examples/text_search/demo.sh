#!/usr/bin/env bash
# Copyright 2026 The nearcall Authors
# SPDX-License-Identifier: Apache-2.0
#
# demo.sh PROGRAMS ROOT [--time=TIME]: searches the tree at ROOT over each transport, with the programs of a folder.
set -euo pipefail

if (($# < 2)) || [[ ! -x "$1/search_demo" || ! -x "$1/text_search_server" ]]; then
  echo "usage: demo.sh FOLDER ROOT [--time=TIME]   where FOLDER holds search_demo and text_search_server;" \
    "./dev demo does this" >&2
  exit 2
fi
programs="$(cd "$1" && pwd)"
root="$2"
shift 2

# shellcheck source=examples/demo_process/run.sh
source "$(dirname "${BASH_SOURCE[0]}")/../demo_process/run.sh"
run "$programs/search_demo" "$programs" "$directory" "$root" "$@"
