#!/usr/bin/env bash
# Copyright 2026 The nearcall Authors
# SPDX-License-Identifier: Apache-2.0
#
# demo.sh PROGRAMS [--calls=N]: runs the demo with the programs of a folder, in a private directory that is gone afterwards.
set -euo pipefail

if (($# < 1)) || [[ ! -x "$1/demo_client" || ! -x "$1/server" || ! -x "$1/relay" ]]; then
  echo "usage: demo.sh FOLDER [--calls=N]   where FOLDER holds demo_client, server and relay; ./dev demo does this" >&2
  exit 2
fi
programs="$(cd "$1" && pwd)"
shift

# shellcheck source=examples/demo_process/run.sh
source "$(dirname "${BASH_SOURCE[0]}")/../demo_process/run.sh"
run "$programs/demo_client" "$programs" "$directory" "$@"
