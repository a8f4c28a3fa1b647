#!/usr/bin/env bash
# Copyright 2026 The nearcall Authors
# SPDX-License-Identifier: Apache-2.0
#
# The demo ends well, leaves nothing behind, also when it is interrupted, and says what is wrong with its arguments.
set -euo pipefail

fail() {
  echo "FAILED: $*"
  exit 1
}

TMPDIR="$(mktemp -d /tmp/nearcall-demo-test.XXXXXX)"
export TMPDIR
demo=""
clean_up() {
  [[ -z "$demo" ]] || kill -KILL -- "-$demo" 2>/dev/null || true
  rm -rf "$TMPDIR"
}
trap clean_up EXIT

nothing_left() {
  local end=$((SECONDS + 10))
  # Its children die with it, a moment later.
  while grep -qaF "$TMPDIR" /proc/[0-9]*/cmdline 2>/dev/null; do
    ((SECONDS < end)) || fail "processes of the demo are left"
  done
  [[ -z "$(ls "$TMPDIR")" ]] || fail "left behind: $(ls "$TMPDIR")"
}

programs=examples/greeter
script=examples/greeter/demo.sh

output="$(bash "$script" "$programs" --calls=200)" || fail "the demo failed:"$'\n'"$output"
echo "$output"
[[ "$output" != *WRONG* && "$output" == *"26 of 26 as they should be"* ]] || fail "not every step was right"
[[ "$output" != *$'\033'* ]] || fail "colours, though its output is no terminal"
nothing_left

for signal in INT TERM HUP; do
  # In a session of its own, and with the signals' default actions: a background job of this shell ignores SIGINT.
  env --default-signal=INT,TERM,HUP setsid bash "$script" "$programs" --calls=100000000 >"$TMPDIR.log" 2>&1 &
  demo=$!
  end=$((SECONDS + 20))
  until grep -q "All four kinds" "$TMPDIR.log"; do
    ((SECONDS < end)) || fail "the demo does not get going: $(cat "$TMPDIR.log")"
  done
  kill -"$signal" "$demo"
  code=0
  wait "$demo" || code=$?
  demo=""
  rm -f "$TMPDIR.log"
  ((code > 128)) || fail "exit code $code after SIG$signal"
  nothing_left
done

code=0
bash "$script" "$programs" --nonsense >/dev/null 2>&1 || code=$?
((code == 1)) || fail "exit code $code for an unknown argument"
bash "$script" "$programs" --help | grep -q -- --calls || fail "no --help"
nothing_left
