# Copyright 2026 The nearcall Authors
# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# How ./dev calls Bazel. Sourced by ./dev.

# nc_bazel CONFIG COMMAND ARGUMENTS...: runs Bazel; each compiler has its own output base (and so its own server), because
# Bazel's C++ toolchain is found once per output base: sharing one would rebuild everything at each change of compiler.
nc_bazel() {
  local config="$1" command="$2"
  shift 2
  local startup=() flags=() base
  if [[ -z "${HOME:-}" || ! -w "${HOME:-/}" ]]; then
    export HOME="${TMPDIR:-/tmp}/nearcall-home-$UID"
    (umask 077 && mkdir -p "$HOME")
  fi
  case "$config" in
    "" | opt) ;;
    *)
      base="${XDG_CACHE_HOME:-$HOME/.cache}/nearcall/$(printf %s "$PWD" | cksum | cut -d' ' -f1)-$config"
      mkdir -p "$base"
      # One base per compiler; the convenience links of the plain build stay as they are.
      startup+=("--output_base=$base" --max_idle_secs=300)
      flags+=("--symlink_prefix=/")
      ;;
  esac
  [[ -z "$config" ]] || flags+=("--config=$config")
  # Clang 16's TSan cannot start under much address randomization (newer kernels' default): then without any.
  if [[ "$config/$command" == tsan/test ]] && (($(cat /proc/sys/vm/mmap_rnd_bits 2>/dev/null || echo 0) > 28)); then
    flags+=("--run_under=setarch -R")
  fi
  if [[ ! -t 2 ]]; then
    flags+=(--color=no --curses=no --show_progress_rate_limit=10)
  fi
  bazel ${startup[@]+"${startup[@]}"} "$command" ${flags[@]+"${flags[@]}"} "$@"
}
