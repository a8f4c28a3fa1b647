#!/usr/bin/env bash
# Copyright 2026 The nearcall Authors
# SPDX-License-Identifier: Apache-2.0
#
# The soak program with small counts, and its flags.
set -euo pipefail
soak="$1"
json="${TEST_TMPDIR:-/tmp}/soak.json"

"$soak" --list | grep -q '^session-mutations '
"$soak" --case session-mutations --count 20000 --json "$json"
grep -q '"case":"session-mutations","ok":true,"inputs":20000' "$json"
code=0
"$soak" --case nothing 2>/dev/null || code=$?
((code == 2))
"$soak" --help | grep -q -- --minutes
