#!/usr/bin/env bash
# Copyright 2026 The nearcall Authors
# SPDX-License-Identifier: Apache-2.0
#
# The server and the client as programs, on a small tree of all that is odd, against grep; exit codes; the client's end.
set -euo pipefail

fail() {
  echo "FAILED: $*"
  exit 1
}

programs="$PWD/examples/text_search"
directory="$(mktemp -d /tmp/nearcall-search-test.XXXXXX)"
servers=()
clean_up() {
  for pid in ${servers[@]+"${servers[@]}"}; do kill -KILL "$pid" 2>/dev/null || true; done
  chmod -R u+rwx "$directory"
  rm -rf "$directory"
}
trap clean_up EXIT
cd "$directory"

# ---- the tree
mkdir -p tree/sub/deep tree/.git tree/sub/.git tree/empty-folder
cd tree
printf 'needle in a haystack\nnothing\nneedle needle\n' >plain.txt
printf 'no end: needle' >no-final-newline
printf 'needle\r\nsecond\r\nneedle again\r\n' >crlf.txt
: >empty
printf 'needle\0binary\n' >binary
printf 'an ä needle\n' >'näme ☃.txt'
printf 'not UTF-8: \344 needle\n' >$'latin1-\344.txt'
printf 'hidden needle\n' >.hidden
printf 'needle\n' | tee .git/config >sub/.git/config
printf 'deep needle: a:b:c\n\n\nNEEDLE -needle $(needle) "needle\\\n' >'sub/deep/a b'
# Longer than the 4 MiB that a client takes unless it is told otherwise.
{ head -c 5000000 /dev/zero | tr '\0' x; printf 'needle\nneedle\n'; } >long-line
ln -s . loop
ln -s ../.. sub/deep/up
ln -s nowhere dangling
mkfifo fifo
unreadable=0
if ((EUID != 0)); then
  printf 'needle\n' >unreadable
  chmod 000 unreadable
  unreadable=1
fi
cd ..

start() { # ADDRESS...: a server of the tree at them
  "$programs/text_search_server" --root tree "$@" >server.log 2>server.errors &
  servers+=($!)
  local end=$((SECONDS + 20))
  until grep -q '^left out' server.log; do
    ((SECONDS < end)) && kill -0 $! || fail "no server: $(cat server.log server.errors)"
  done
}
client() { "$programs/text_search_client" --timeout=20s "$@"; }
expect() { # CODE COMMAND...: the command's exit code
  local code=0 expected="$1"
  shift
  "$@" >out 2>errors || code=$?
  ((code == expected)) || fail "exit code $code, not $expected, of $*: $(head -c 1000 out errors)"
}

# ---- the same as grep, over each kind of address
start unix:first "shm:$directory/second" "local:$directory/third"
printf 'listening on %s\n' unix:first "shm:$directory/second" "local:$directory/third" >expected.log
head -3 server.log | cmp - expected.log ||
  fail "the server says: $(cat server.log)"
for address in unix:first "shm:$directory/second" "local:$directory/third"; do
  for pattern in needle NEEDLE 'needle in' e : -needle '$(' '"needle\' $'\344' ä $'\r' 'needle needle' x absent-indeed; do
    expected=0
    (cd tree && LC_ALL=C grep -rnIF --exclude-dir=.git -e "$pattern" 2>../grep.errors) >grep.out || expected=$?
    # 2 only says that a file could not be read.
    ((expected < 2)) || expected=$([[ -s grep.out ]] && echo 0 || echo 1)
    expect "$expected" client "$address" -- "$pattern"
    cmp <(LC_ALL=C sort out) <(LC_ALL=C sort grep.out) || fail "not as grep: \"$pattern\" over $address"
  done
done

# ---- what was left out
client unix:first --stats >stats
grep -qF "left out: 1 binary, 2 .git, 3 links, 1 special, 0 too large, $unreadable unreadable" stats || fail "$(cat stats)"
if ((unreadable)); then grep -qF "unreadable: Permission denied" server.errors || fail "$(cat server.errors)"; fi

# ---- options and exit codes
expect 0 client unix:first needle --count
[[ "$(cat out)" == "$(client unix:first needle | wc -l)" ]] || fail "--count: $(cat out)"
expect 0 client unix:first --max-matches 2 needle
[[ "$(wc -l <out)" == 2 ]] || fail "--max-matches: $(cat out)"
expect 0 client unix:first nEEdle --ignore-case --count
[[ "$(cat out)" == "$(cd tree && LC_ALL=C grep -rnIFi --exclude-dir=.git -e needle 2>/dev/null | wc -l)" ]] || fail "$(cat out)"
expect 0 client unix:first --json -- -needle
[[ "$(cat out)" == '{"path":"sub/deep/a b","line":4,"text":"NEEDLE -needle $(needle) \"needle\\"}' ]] || fail "$(cat out)"
client unix:first --json needle | python3 -c 'import json, sys; [json.loads(line) for line in sys.stdin]' || fail "--json"
expect 1 client unix:first --count absent-indeed
[[ "$(cat out)" == 0 ]] || fail "--count of none: $(cat out)"
expect 2 client unix:first ""
grep -q "INVALID_ARGUMENT: the pattern is empty" errors || fail "$(cat errors)"
expect 2 client unix:first $'a\nb'
expect 2 client unix:first "$(head -c 5000 /dev/zero | tr '\0' x)"
grep -q "INVALID_ARGUMENT: .*4096" errors || fail "$(cat errors)"
expect 2 client unix:nobody needle
grep -q UNAVAILABLE errors || fail "$(cat errors)"
expect 2 client unix:first needle --nonsense
expect 2 client unix:first
expect 2 client unix:first needle --max-matches=many
expect 2 bash -c 'exec "$@" >/dev/full' - "$programs/text_search_client" unix:first needle
expect 0 client --help
for arguments in "--root tree" "--root nowhere unix:other" "--root tree/plain.txt unix:other" "--root" \
  "--root tree --max-total 10 unix:other" "--root tree --max-files 3 unix:other" "--root tree --max-file 65M unix:other" \
  "--root tree unix:first" "--root tree nonsense:x"; do
  code=0
  # shellcheck disable=SC2086  # they are words
  timeout 20 "$programs/text_search_server" $arguments >out 2>errors || code=$?
  ((code != 0 && code != 124)) && [[ -s errors && ! -s out ]] || fail "exit code $code of the server with $arguments: $(cat out)"
done

# ---- a client that goes, and one that wants no more, end their searches
mkdir big
for i in 1 2 3 4; do head -c 8000000 /dev/zero | tr '\0' 'x' | fold -w 1000 >"big/$i"; done
"$programs/text_search_server" --root big unix:big.socket >big.log &
servers+=($!)
client --wait unix:big.socket --max-matches 1 x >/dev/null
mkfifo pipe
"$programs/text_search_client" unix:big.socket x >pipe &
stuck=$!
exec 3<pipe
read -r -u 3 line # it has begun; nobody reads on, so it is stuck, and the server with it
[[ "$line" == 1:1:xxx* ]] || fail "the first match: $line"
kill -KILL "$stuck"
wait "$stuck" 2>/dev/null || true
exec 3<&-
end=$((SECONDS + 20))
until client unix:big.socket --stats | grep -qF "searches: 2 begun, 2 ended, 2 of them cut short"; do
  ((SECONDS < end)) || fail "$(client unix:big.socket --stats)"
done

# ---- the servers end in order
for pid in "${servers[@]}"; do
  kill -TERM "$pid"
  code=0
  wait "$pid" || code=$?
  ((code == 0)) || fail "the server ended with $code"
done
servers=()
for name in first second third big.socket; do
  [[ ! -S "$name" ]] || fail "left behind: $name"
done
