# Copyright 2026 The nearcall Authors
# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# Sourced by the demos' scripts. $directory: a private one, which is gone when the script ends.
#
#   run COMMAND ARGUMENT...   runs it and gives its exit code; a signal that ends the script ends the command too

# A Unix socket's path has at most 107 bytes.
parent="${TMPDIR:-/tmp}"
((${#parent} <= 70)) || parent=/tmp
directory="$(mktemp -d "$parent/nearcall-demo.XXXXXX")"

child=""
# A driver's children die with it: the kernel sees to that.
clean_up() {
  if [[ -n "$child" ]]; then
    kill -TERM "$child" 2>/dev/null || true
    wait "$child" 2>/dev/null || true
  fi
  rm -rf "$directory"
}
trap clean_up EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM

run() {
  local code=0
  # In the background: a shell that waits for a foreground command heeds no signal until that has ended.
  "$@" <&0 &
  child=$!
  wait "$child" || code=$?
  child=""
  return "$code"
}
