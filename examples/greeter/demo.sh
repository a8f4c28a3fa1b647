#!/usr/bin/env bash
# Copyright 2026 The nearcall Authors
# SPDX-License-Identifier: Apache-2.0
#
# demo.sh PROGRAMS [--calls=N]: runs the demo with the programs of a folder, in a private directory that is gone afterwards.
set -euo pipefail

if (($# < 1)) || [[ ! -x "$1/demo_client" || ! -x "$1/server" || ! -x "$1/relay" ]]; then
  echo "usage: demo.sh FOLDER [--calls=N]   where FOLDER holds demo_client, server and relay; ./dev demo does this" >&2
  exit 2
fi
programs="$(cd "$1" && pwd)"
shift

# A Unix socket's path has at most 107 bytes.
parent="${TMPDIR:-/tmp}"
((${#parent} <= 70)) || parent=/tmp
directory="$(mktemp -d "$parent/nearcall-demo.XXXXXX")"

driver=""
# The driver's children die with it: the kernel sees to that.
clean_up() {
  [[ -z "$driver" ]] || kill -KILL "$driver" 2>/dev/null || true
  rm -rf "$directory"
}
trap clean_up EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM

"$programs/demo_client" "$programs" "$directory" "$@" <&0 &
driver=$!
code=0
wait "$driver" || code=$?
driver=""
exit "$code"
