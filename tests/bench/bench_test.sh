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

output="$("$bench" --transport unix,shm,inproc --payload 64,65536 --rounds 3 --seconds 0.01 --calls 500 --no-instructions \
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
assert {(row["transport"], row["payload"]) for row in calls} == {(t, p) for t in ("unix", "shm", "inproc") for p in (64, 65536)}, calls
adaptive = [row for row in rows if row["peer"] == "nearcall adaptive" and row["workload"].startswith("unary/")]
assert {row["transport"] for row in adaptive} == {"unix", "shm", "inproc"}, adaptive
for row in calls + adaptive:
    assert 0 < row["p50_us"] <= row["p90_us"] <= row["p99_us"], row
    spin = "-spin" if row["peer"] == "nearcall adaptive" and row["workload"] == "unary/two-cores" else ""
    assert row["floor"] == ("unix" if row["transport"] == "unix" else "shm") + spin and row["p50_ratio"], row
floors = {(row["workload"], row["floor"]) for row in calls + adaptive}
assert floors <= {(row["workload"], row["transport"]) for row in rows if row["peer"] == "floor"}, rows
for peer, transport in (("nearcall", "unix"), ("nearcall", "shm"), ("nearcall adaptive", "shm")):
    counted = [row["allocations"] for row in rows
               if (row["peer"], row["transport"], row["payload"]) == (peer, transport, 64) and row["allocations"] is not None]
    assert counted or "NEARCALL_SANITIZER" in os.environ, "no allocations were counted"  # those have a malloc of their own
    assert all(abs(count) < 0.05 for count in counted), ("framework allocations per call", peer, transport, counted)
PYTHON
[[ "$output" != *$'\033'* ]] || fail "colours, though its output is no terminal"
[[ "$output" == *"goal: nearcall unix 64 B"* && "$output" == *"goal: nearcall shm 64 B"* ]] || fail "no goals"

# By default the others have their shortest calls only, each beside its own floor.
output="$("$bench" --payload 64 --rounds 1 --seconds 0.01 --calls 100 --no-instructions --json "$dir/all.jsonl" 2>"$dir/err")" ||
  fail "the default run ended with $?: $(cat "$dir/err")"
echo "$output"
python3 - "$dir/all.jsonl" <<'PYTHON' || fail "the JSON lines of the default run are not as they should be"
import json, sys
rows = [json.loads(line) for line in open(sys.argv[1])]
floors = {"mmap": "shm", "mq": "mq", "exec": "pipe", "fifo": "fifo", "tcp": "tcp"}
others = [row for row in rows if row["transport"] in floors and row["peer"] != "floor"]
assert {row["transport"] for row in others} == set(floors), others
assert {(row["peer"], row["payload"]) for row in others} == {("nearcall", 64)}, others
for row in others:
    assert row["workload"].startswith("unary/") and row["floor"] == floors[row["transport"]], row
    assert row["p50_ratio"] and row["p50_us"] > 0, row
    if row["workload"] == "unary/two-cores":
        # Client's and server's: neither can do a call without, and no two cores can do more.
        assert 1 < row["cpu_us_per_call"] < 2.5e6 / row["calls_per_s"], row
PYTHON
[[ "$output" == *"goal: nearcall mq 64 B"* && "$output" == *"goal: nearcall exec 64 B"* ]] || fail "no goals of mq and exec"

# The figures go between the two marks, and nothing else changes. One core has no figures.
printf 'before\n<!-- figures: written by ./dev bench --update; not by hand -->\nold\n<!-- end of the figures -->\nafter\n' \
  >"$dir/figures.md"
if (($(nproc) > 1)); then
  "$bench" --update "$dir/figures.md" --rounds 1 --seconds 0.01 >"$dir/out" 2>"$dir/err" ||
    fail "--update ended with $?: $(cat "$dir/err")"
  cat "$dir/figures.md"
  for transport in unix shm inproc mmap mq exec fifo tcp; do
    line="$(grep -F "| \`$transport:\` |" "$dir/figures.md")" || fail "no figures of $transport"
    [[ "$line" != *"| - |"* ]] || fail "a figure is missing: $line"
  done
  [[ "$(head -1 "$dir/figures.md")" == before && "$(tail -1 "$dir/figures.md")" == after ]] || fail "--update wrote elsewhere"
  ! grep -q '^old$' "$dir/figures.md" || fail "--update left the old figures"
fi
echo "no marks" >"$dir/plain.md"
! "$bench" --update "$dir/plain.md" >"$dir/out" 2>"$dir/err" || fail "--update takes a file without marks"
grep -qF "$dir/plain.md" "$dir/err" || (($(nproc) == 1)) || fail "its error does not name the file: $(cat "$dir/err")"

output="$("$bench" --load --rounds 1 --seconds 0.01 --json "$dir/load.jsonl" 2>"$dir/err")" ||
  fail "--load ended with $?: $(cat "$dir/err")"
echo "$output"
python3 - "$dir/load.jsonl" <<'PYTHON' || fail "the JSON lines of --load are not as they should be"
import json, sys
rows = [json.loads(line) for line in open(sys.argv[1])]
rates = ["load/100", "load/1000", "load/5000", "load/20000", "load/50000", "load/100000"]
seen = {(row["peer"], row["transport"], row["workload"]) for row in rows}
wanted = {("pacing", "-", rate) for rate in rates}
wanted |= {(peer, transport, rate) for peer in ("nearcall", "nearcall adaptive", "nearcall prefer")
           for transport in ("shm", "unix") for rate in rates + ["load/max"]}
assert seen == wanted, seen ^ wanted
for row in rows:
    # Every thread that runs is on one of two cores at most; a clock tick more may be booked.
    assert row["calls_per_s"] > 0 and 0 < row["cpu_share"] < 2.5, row
    if row["workload"] != "load/max":
        assert row["calls_per_s"] <= 1.2 * float(row["workload"].split("/")[1]) + 200, row
PYTHON
[[ "$output" == *"pacing"* && "$output" == *"#"* ]] || fail "no graph"

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
