#!/usr/bin/env bash
# Copyright 2026 The nearcall Authors
# SPDX-License-Identifier: Apache-2.0
#
# The transcript in an example's README.md is what its programs print. To bring it up to date:
#   python3 tests/examples/transcript.py --update examples/greeter/README.md .dev/bazel-bin/examples/greeter
set -euo pipefail
exec python3 -B tests/examples/transcript.py "$1/README.md" "$1"
