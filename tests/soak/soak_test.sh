#!/usr/bin/env bash
# Copyright 2026 The nearcall Authors
# SPDX-License-Identifier: Apache-2.0
#
# The soak program with small counts, and its flags. Other tests run beside it: goals of time get so much slack that only a hang misses them.
set -euo pipefail
soak="$1"
dir="$(mktemp -d "${TEST_TMPDIR:-/tmp}/soak.XXXXXX")"
trap 'rm -rf "$dir"' EXIT

fail() {
  echo "FAILED: $*"
  exit 1
}

# run CASE COUNT FIGURE: the case passes, over both transports where it has any, and its JSON holds that figure.
run() {
  "$soak" --case "$1" --count "$2" --slack 500 --json "$dir/json" || fail "$1"
  grep -q "\"case\":\"$1\",\"ok\":true,.*\"$3" "$dir/json" || fail "$1: the JSON is $(cat "$dir/json")"
}
run session-mutations 20000 'inputs":20000,'
run server-kills 12 'local_forked_child_kills":12,'
run stopped-peer 250 'local_new_channel_late_max_ms":'
run storm 1000 'local_cycles":1000,'
run client-and-server-kills 20 'exec_server_killed_closing":'
run random-operations 4000 'local_violations":0,'
# A sanitizer has a thread of its own, which wakes.
[[ -n "${NEARCALL_SANITIZER:-}" ]] || run idle 1500 'local_stream_in_read_server_wakes":0,'

"$soak" --list >"$dir/list"
grep -q '^session-mutations ' "$dir/list" || fail "--list"
"$soak" --help | grep -q -- --minutes || fail "--help"
while read -r name _; do
  "$soak" --case "$name" --help | grep -q -- '--count: ' || fail "--case $name --help does not say what --count counts"
done <"$dir/list"

# A goal that cannot be met is a finding that names it, and the exit code says so.
code=0
"$soak" --case stopped-peer --count 50 --slack 0 --address-scheme unix >"$dir/out" || code=$?
((code == 1)) || fail "a missed goal gives $code"
grep -q 'FINDING: goal missed: unix_wait_late_max_ms' "$dir/out" || fail "a missed goal is not said: $(cat "$dir/out")"

code=0
"$soak" --case nothing 2>/dev/null || code=$?
((code == 2)) || fail "an unknown case gives $code"
code=0
"$soak" --case idle --count x 2>/dev/null || code=$?
((code == 2)) || fail "a count that is no number gives $code"
code=0
"$soak" --case idle --count 10 --address-scheme pigeon >"$dir/out" || code=$?
((code == 1)) || fail "an unknown scheme gives $code"
grep -q pigeon "$dir/out" || fail "the finding does not name the scheme"
