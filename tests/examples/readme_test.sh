#!/usr/bin/env bash
# Copyright 2026 The nearcall Authors
# SPDX-License-Identifier: Apache-2.0
#
# README.md's server and client, built as they stand there, talk to each other; and each block of code there has a test.
set -euo pipefail

names="$(python3 -B tests/examples/extract.py README.md --names | sort | tr '\n' ' ')"
expected="client.cc hello.proto server.cc tour_client tour_coroutine tour_server "
if [[ "$names" != "$expected" ]]; then
  echo "README.md has the blocks: $names"
  echo "tested are:               $expected"
  exit 1
fi

directory="$(mktemp -d /tmp/nearcall-readme.XXXXXX)"
export XDG_RUNTIME_DIR="$directory"
server=""
clean_up() {
  [[ -z "$server" ]] || kill -KILL "$server" 2>/dev/null || true
  rm -rf "$directory"
}
trap clean_up EXIT

tests/examples/readme_server &
server=$!
# The client fails at once while nobody is there.
end=$((SECONDS + 20))
until said="$(tests/examples/readme_client 2>&1)"; do
  if ((SECONDS >= end)) || ! kill -0 "$server"; then
    echo "the client says: $said"
    exit 1
  fi
done
if [[ "$said" != "hello world" ]]; then
  echo "the client says: $said"
  exit 1
fi
kill -TERM "$server"
code=0
wait "$server" || code=$?
server=""
if ((code != 0)) || [[ -n "$(ls "$directory/nearcall")" ]]; then
  echo "the server ended with $code and left: $(ls "$directory/nearcall")"
  exit 1
fi
echo "hello world"
