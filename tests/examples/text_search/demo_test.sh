#!/usr/bin/env bash
# Copyright 2026 The nearcall Authors
# SPDX-License-Identifier: Apache-2.0
#
# The search's demo ends well and leaves nothing behind, tells of a difference, and ends when it is told to; so does the
# script that runs all demos.
set -euo pipefail

fail() {
  echo "FAILED: $*"
  exit 1
}

directory="$(mktemp -d /tmp/nearcall-demo-test.XXXXXX)"
export TMPDIR="$directory/tmp"
mkdir -p "$TMPDIR" "$directory/tree/a b?%"
demo=""
clean_up() {
  [[ -z "$demo" ]] || kill -KILL -- "-$demo" 2>/dev/null || true
  rm -rf "$directory"
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

programs=examples/text_search
script=examples/text_search/demo.sh
tree="$directory/tree/a b?%"
printf 'the words of a line\nthe next, and \\"$(odd)%%\\ ones\n\nthe rest' >"$tree/text"
printf 'the zero\0' >"$tree/binary"

output="$(bash "$script" "$programs" "$tree" --time=20ms --result="$directory/result")" || fail "the demo failed:"$'\n'"$output"
echo "$output"
rows="$(grep -cE '^[a-z]+ .* yes ' <<<"$output")"
((rows >= 4)) || fail "only $rows transports"
[[ "$output" != *WRONG* && "${output##*$'\n'}" == "$rows of $rows transports gave the same as grep." ]] || fail "it ends otherwise"
[[ "$(<"$directory/result")." == "${output##*$'\n'}" ]] || fail "the result: $(<"$directory/result")"
nothing_left

# A tree without a word, and one without a file.
printf '\0' >"$tree/text"
output="$(bash "$script" "$programs" "$tree" --time=1ms)" || fail "a tree without text: $output"
rm "$tree"/*
output="$(bash "$script" "$programs" "$tree" --time=1ms)" || fail "a tree without a file: $output"

# Where grep sees a file as text until it comes, late, to a NUL, it has printed lines that the index has not.
{ head -c 1000000 < <(yes 'the many words'); printf '\0'; } >"$tree/late"
printf 'many words\n' >"$tree/text"
code=0
output="$(bash "$script" "$programs" "$tree" --time=1ms)" || code=$?
((code == 1)) && [[ "$output" == *"WRONG: unix, "*"lines that only grep has"*"0 of $rows transports gave the same as grep." ]] ||
  fail "exit code $code where the results differ:"$'\n'"$output"
nothing_left

for signal in INT TERM HUP; do
  # In a session of its own, and with the signals' default actions: a background job of this shell ignores SIGINT.
  env --default-signal=INT,TERM,HUP setsid bash examples/demo.sh examples "$tree" --calls=100000000 >"$directory/log" 2>&1 &
  demo=$!
  end=$((SECONDS + 20))
  until grep -q "All four kinds" "$directory/log"; do
    ((SECONDS < end)) || fail "the demo does not get going: $(cat "$directory/log")"
  done
  kill -"$signal" "$demo"
  code=0
  wait "$demo" || code=$?
  demo=""
  ((code > 128)) || fail "exit code $code after SIG$signal"
  rm "$directory/log"
  nothing_left
done

rm "$tree/late"
output="$(bash examples/demo.sh examples "$tree" --calls=50)" || fail "both demos: $output"
[[ "${output##*$'\n'}" == "The greeter: "*" as they should be, in "*"The search: $rows of $rows transports gave the same as grep." ]] ||
  fail "both demos end otherwise: $output"
code=0
bash "$script" "$programs" "$tree" --nonsense >/dev/null 2>&1 || code=$?
((code != 0)) || fail "an unknown argument"
bash "$script" "$programs" "$tree" --help | grep -q -- --time || fail "no --help"
nothing_left
