#!/usr/bin/env bash
# Copyright 2026 The nearcall Authors
# SPDX-License-Identifier: Apache-2.0
#
# The benchmark runs, fills its table and its JSON lines, and says what is wrong with its arguments. No time is judged;
# the allocations of a call are counted, not timed, so they are.
set -euo pipefail

fail() {
  echo "FAILED: $*"
  exit 1
}

bench=tests/bench/bench
dir="$(mktemp -d /tmp/nearcall-bench-test.XXXXXX)"
trap 'rm -rf "$dir"' EXIT

output="$("$bench" --transport unix,inproc --payload 64,65536 --rounds 5 --seconds 0.02 --calls 500 --no-instructions \
  --json "$dir/out.jsonl" 2>"$dir/err")" || fail "it ended with $?: $(cat "$dir/err")"
echo "$output"
python3 - "$dir/out.jsonl" <<'PYTHON' || fail "the JSON lines are not as they should be"
import json, os, sys
rows = [json.loads(line) for line in open(sys.argv[1])]
wanted = "peer transport workload payload p50_us p90_us p99_us cpu_us_per_call calls_per_s mb_per_s instructions allocations".split()
for row in rows:
    missing = [key for key in wanted if key not in row]
    assert not missing, (missing, row)
calls = [row for row in rows if row["peer"] == "nearcall" and row["workload"].startswith("unary/")]
assert {(row["transport"], row["payload"]) for row in calls} == {(t, p) for t in ("unix", "inproc") for p in (64, 65536)}, calls
for row in calls:
    assert 0 < row["p50_us"] <= row["p90_us"] <= row["p99_us"], row
assert any(row["peer"] == "floor" for row in rows)
counted = [row["allocations"] for row in rows
           if row["peer"] == "nearcall" and row["transport"] == "unix" and row["payload"] == 64 and row["allocations"] is not None]
assert counted or "NEARCALL_SANITIZER" in os.environ, "no allocations were counted"  # those have a malloc of their own
assert all(abs(count) < 0.05 for count in counted), ("framework allocations per call", counted)
PYTHON
[[ "$output" != *$'\033'* ]] || fail "colours, though its output is no terminal"
[[ "$output" == *"goal: unix 64 B"* ]] || fail "no goals"

"$bench" --help | grep -q -- "--rounds" || fail "no --help"
for bad in "--nonsense" "--rounds -3" "--transport carrier-pigeon" "--payload x"; do
  code=0
  # shellcheck disable=SC2086
  "$bench" $bad >"$dir/out" 2>"$dir/err" || code=$?
  ((code != 0)) || fail "$bad is taken"
  grep -q -- "${bad%% *}" "$dir/err" || fail "the error for $bad does not name it: $(cat "$dir/err")"
done
for left in /tmp/nearcall-bench-??????; do
  [[ -e "$left" && "$left" -nt "$dir" ]] || continue
  grep -qaF "$left" /proc/[0-9]*/cmdline 2>/dev/null || fail "left behind: $left"  # another run's, if not
done
