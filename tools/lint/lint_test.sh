#!/usr/bin/env bash
# Copyright 2026 The nearcall Authors
# SPDX-License-Identifier: Apache-2.0
#
# The checks find what they should, and nothing else.
set -euo pipefail
cd tools/lint
exec python3 -B lint_test.py
