#!/usr/bin/env bash
# Copyright 2026 The nearcall Authors
# SPDX-License-Identifier: Apache-2.0
#
# The greeter, started by the first connection to a socket that systemd-socket-activate holds; and the unit files.
set -euo pipefail

fail() {
  echo "FAILED: $*"
  exit 1
}

directory="$(mktemp -d /tmp/nearcall-systemd.XXXXXX)"
manager=""
clean_up() {
  [[ -z "$manager" ]] || kill -KILL "$manager" 2>/dev/null || true
  rm -rf "$directory"
}
trap clean_up EXIT

programs="$PWD/examples/greeter"
socket="$directory/greeter.sock"

# It becomes the server when somebody connects: the same process.
systemd-socket-activate -l "$socket" --fdname=rpc "$programs/server" systemd:rpc >"$directory/log" 2>&1 &
manager=$!
end=$((SECONDS + 20))
until [[ -S "$socket" ]]; do
  ((SECONDS < end)) && kill -0 "$manager" || fail "no socket: $(cat "$directory/log")"
done
for scheme in local unix; do
  said="$("$programs/client" "$scheme:$socket" hello world 2>&1)" || fail "$scheme: $said; $(cat "$directory/log")"
  [[ "$said" == "hello world"* ]] || fail "over $scheme: the client says: $said"
done
grep -q "serving at systemd:rpc" "$directory/log" || fail "the server says: $(cat "$directory/log")"
kill -TERM "$manager"
code=0
wait "$manager" || code=$?
manager=""
((code == 0)) || fail "the server ended with $code: $(cat "$directory/log")"
[[ -S "$socket" ]] || fail "the server removed a socket that is not its own"

# The unit files are ones, and name a server that there is.
sed "s|/usr/local/bin/greeter-server|$programs/server|" examples/systemd/greeter.service >"$directory/greeter.service"
grep -q "$programs/server systemd:rpc" "$directory/greeter.service" || fail "another ExecStart= than expected"
cp examples/systemd/greeter.socket "$directory"
grep -q "^FileDescriptorName=rpc$" "$directory/greeter.socket" || fail "another name than the service asks for"
verified="$(cd "$directory" && SYSTEMD_LOG_TARGET=console systemd-analyze verify --man=no ./greeter.socket ./greeter.service 2>&1)" ||
  fail "systemd-analyze: $verified"
[[ "$verified" != *"$directory"* ]] || fail "systemd-analyze: $verified"
echo "both schemes, one process, and units that verify"
