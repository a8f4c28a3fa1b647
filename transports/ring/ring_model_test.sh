#!/bin/bash
# Copyright 2026 The nearcall Authors
# SPDX-License-Identifier: Apache-2.0
#
# Checks ring.pml exhaustively with Spin, and that each of its mutations is found out. Usage: ring_model_test.sh MODEL
set -euo pipefail

command -v spin >/dev/null || {
  echo "spin is missing: apt-get install spin (./dev test does it)" >&2
  exit 1
}
model="$(realpath "$1")"
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
cd "$work"

# check DEFINE: the verifier's summary, with all states searched.
check() {
  rm -f pan* ring.pml.trail
  cp "$model" ring.pml
  spin -a ${1:+"$1"} ring.pml >spin.log
  gcc -O1 -DSAFETY -DNOREDUCE -o pan pan.c 2>gcc.log
  ./pan -m1000000 >pan.log
}
fail() {
  echo "$1" >&2
  cat pan.log >&2
  exit 1
}

check ""
grep -q "errors: 0" pan.log || fail "the model has an error"
! grep -q "max search depth too small" pan.log || fail "the search was not exhaustive"
grep -E "states, stored|errors:" pan.log
for mutation in NO_RECHECK HEAD_FIRST WAKE_FIRST BLIND_CLEAR; do
  check "-D$mutation"
  ! grep -q "errors: 0" pan.log || fail "the model does not see what -D$mutation breaks"
  echo "$mutation: $(grep -m1 -E "assertion violated|invalid end state" pan.log)"
done
