#!/usr/bin/env bash
# Copyright 2026 The nearcall Authors
# SPDX-License-Identifier: Apache-2.0
#
# The user code is what was promised to users: it stays byte for byte as it is. A change of the contract is a decision
# (docs/decisions), and renews user.sha256 with it.
set -euo pipefail
cd "$(dirname "$0")"
sums="$PWD/user.sha256"
cd user
sha256sum --check --strict "$sums"
[ "$(find . -name '*.cc' -o -name '*.h' -o -name '*.proto' | wc -l)" -eq "$(wc -l < "$sums")" ]
