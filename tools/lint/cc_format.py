# Copyright 2026 The nearcall Authors
# SPDX-License-Identifier: Apache-2.0
"""clang-format, checked in one run over all files and only for files that changed since they were last clean."""

import json
import re
import shutil
import subprocess


def _clang_format():
    return shutil.which("clang-format") or shutil.which("clang-format-14")


def check(tree):
    program = _clang_format()
    if not program:
        return ["clang-format is not installed: ./dev lint installs it"]
    style = tree.digest(".clang-format").hex() if ".clang-format" in tree.files else ""
    try:
        clean = set(json.load(open(tree.cache("format.json"), encoding="utf-8")))
    except (OSError, ValueError):
        clean = set()
    keys = {path: style + tree.digest(path).hex() for path in tree.cc_files()}
    todo = [path for path, key in keys.items() if key not in clean]
    bad = {}
    for start in range(0, len(todo), 100):
        part = todo[start:start + 100]
        run = subprocess.run([program, "--dry-run"] + part, stdin=subprocess.DEVNULL, capture_output=True, text=True)
        for match in re.finditer(r"^(\S+?):(\d+):\d+: warning:", run.stderr, re.M):
            bad.setdefault(match.group(1), match.group(2))
        if run.returncode != 0:
            return ["clang-format failed: " + run.stderr.strip()[:500]]
    tree.write_cache("format.json", json.dumps(sorted(k for p, k in keys.items() if p not in bad)))
    findings = ["%s:%s: not as clang-format writes it" % item for item in sorted(bad.items())]
    return findings + (["./dev format rewrites these files"] if findings else [])


def fix(tree):
    files = tree.cc_files()
    return subprocess.run([_clang_format(), "-i"] + files, check=False).returncode if files else 0
