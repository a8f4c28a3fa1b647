# Copyright 2026 The nearcall Authors
# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# Which Debian packages each verb needs, and their installation. Sourced by ./dev.

declare -A NC_PACKAGES=(
  # Bazel with the rules it loads, the compiler and the libraries.
  [build]="bazel-bootstrap bazel-platforms bazel-rules-java bazel-rules-proto bazel-skylib g++ python3
           libabsl-dev libprotobuf-dev libprotoc-dev protobuf-compiler grpc-proto"
  # The tests; some compile user code with clang as well, one checks a model with spin, one has a server started by
  # systemd-socket-activate (no service manager runs for that). Lint is a part of ./dev test.
  [test]="libgtest-dev libgmock-dev libbenchmark-dev clang clang-format spin systemd"
  [lint]="clang-format"
  [bench]="valgrind"
  [soak]="clang-16 libclang-rt-16-dev lld llvm-16"
  # By --config.
  [plain]=""
  [opt]=""
  [clang]="clang"
  [clang16]="clang-16"
  [fuzz]="clang-16 libclang-rt-16-dev lld llvm-16"
  [fuzz-plain]="clang-16 libclang-rt-16-dev lld llvm-16"
  [asan]="clang-16 libclang-rt-16-dev lld llvm-16"
  [tsan]="clang-16 libclang-rt-16-dev lld llvm-16"
)

say() { printf '== %s\n' "$*" >&2; }
die() {
  printf 'dev: %s\n' "$*" >&2
  exit 1
}

# need_packages GROUP...: installs what is not there yet. One dpkg-query when all is there.
need_packages() {
  local group package missing=() wanted=() installed
  for group in "$@"; do
    # shellcheck disable=SC2206  # the lists are words
    wanted+=(${NC_PACKAGES[$group]})
  done
  command -v dpkg-query >/dev/null || die "this needs Debian 12 (or a system with dpkg and the same packages)"
  installed="$(dpkg-query -W -f '${db:Status-Status} ${Package}\n' "${wanted[@]}" 2>/dev/null || true)"
  for package in "${wanted[@]}"; do
    if ! grep -qxF "installed $package" <<<"$installed" && [[ " ${missing[*]-} " != *" $package "* ]]; then
      missing+=("$package")
    fi
  done
  ((${#missing[@]} == 0)) || install_packages "${missing[@]}"
}

install_packages() {
  local as_root=()
  local install=(apt-get install -y --no-install-recommends "$@")
  if ((EUID != 0)); then
    if command -v sudo >/dev/null && { sudo -n true 2>/dev/null || [[ -t 0 && -t 2 ]]; }; then
      as_root=(sudo)
    else
      printf 'dev: these packages are missing and need root to install. Run this, then try again:\n' >&2
      printf '\n  apt-get update && %s\n\n' "${install[*]}" >&2
      exit 1
    fi
  fi
  as_root+=(env DEBIAN_FRONTEND=noninteractive)
  say "installing with apt, once: $*"
  # The package lists may be absent (a fresh image) or stale (a 404 in the middle).
  if ! apt-get -qq -s install --no-install-recommends "$@" >/dev/null 2>&1; then
    "${as_root[@]}" apt-get -q update >&2 || die "apt-get update failed"
  fi
  "${as_root[@]}" "${install[@]}" -q -o Dpkg::Use-Pty=0 </dev/null >&2 && return
  say "trying again with fresh package lists"
  "${as_root[@]}" apt-get -q update >&2 || die "apt-get update failed"
  "${as_root[@]}" "${install[@]}" -q -o Dpkg::Use-Pty=0 </dev/null >&2 ||
    die "apt could not install: $*. This was: ${install[*]}"
}
