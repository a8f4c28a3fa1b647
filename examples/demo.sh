#!/usr/bin/env bash
# Copyright 2026 The nearcall Authors
# SPDX-License-Identifier: Apache-2.0
#
# demo.sh PROGRAMS ROOT [--calls=N]: what ./dev demo runs: the greeter's demo, then the search through the tree at ROOT.
# PROGRAMS holds the programs' folders, greeter and text_search.
set -euo pipefail

if (($# < 2)) || [[ ! -d "$1/greeter" || ! -d "$1/text_search" ]]; then
  echo "usage: demo.sh FOLDER ROOT [--calls=N]   where FOLDER holds greeter and text_search; ./dev demo does this" >&2
  exit 2
fi
programs="$1" root="$2"
shift 2

here="$(dirname "${BASH_SOURCE[0]}")"
# shellcheck source=examples/demo_process/run.sh
source "$here/demo_process/run.sh"

code=0
run bash "$here/greeter/demo.sh" "$programs/greeter" --result="$directory/greeter" "$@" || code=$?
# Without a result it was not run: an argument was wrong, and it said which.
[[ -s "$directory/greeter" ]] || exit "$code"
run bash "$here/text_search/demo.sh" "$programs/text_search" "$root" --result="$directory/search" || code=$?
[[ -s "$directory/search" ]] || exit "$code"
printf '\nThe greeter: %s. The search: %s.\n' "$(<"$directory/greeter")" "$(<"$directory/search")"
exit "$code"
