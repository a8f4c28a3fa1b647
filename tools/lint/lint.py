#!/usr/bin/env python3
# Copyright 2026 The nearcall Authors
# SPDX-License-Identifier: Apache-2.0
"""Runs the checks of this folder: `lint.py [NAME...]`; each prints "ok   name" or "FAIL name" with what it found.

A check is a function `check(tree) -> [finding, ...]` in a module listed in CHECKS. When nothing in the tree changed since
the last clean run, that result is printed again at once.
"""

import argparse
import hashlib
import json
import os
import sys
import time

import tree as tree_module
import cc_format
import coroutine_shapes
import header_alone
import include_layers
import markdown_links
import shell_syntax
import source_texts

CHECKS = [
    ("clang-format", cc_format.check),
    ("include-layers", include_layers.check_layers),
    ("build-layers", include_layers.check_build_files),
    ("include-cycles", include_layers.check_cycles),
    ("include-guards", source_texts.check_guards),
    ("coroutine-shapes", coroutine_shapes.check),
    ("copyright", source_texts.check_copyright),
    ("machine-paths", source_texts.check_machine_paths),
    ("markdown-links", markdown_links.check),
    ("shell-syntax", shell_syntax.check),
    ("headers-alone", header_alone.check),
]


def state_of(tree):
    """A hash of every file's content, and of what is installed (compiler, system headers)."""
    digest = hashlib.sha256()
    for path in tree.files:
        digest.update(path.encode() + b"\0" + tree.digest(path))
    try:
        digest.update(str(os.stat("/var/lib/dpkg/status").st_mtime_ns).encode())
    except OSError:
        pass
    return digest.hexdigest()


def load_state(path):
    try:
        with open(path, encoding="utf-8") as file:
            return json.load(file)
    except (OSError, ValueError):
        return {}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("checks", nargs="*", metavar="NAME", help="run only these: " + " ".join(n for n, _ in CHECKS))
    parser.add_argument("--log", help="write the ok and FAIL lines to this file as well")
    parser.add_argument("--fix-format", action="store_true", help="rewrite C++ files with clang-format, no checks")
    options = parser.parse_args()
    known = [name for name, _ in CHECKS]
    for name in options.checks:
        if name not in known:
            parser.error("no check '%s'; there are: %s" % (name, " ".join(known)))

    tree = tree_module.Tree(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))
    if options.fix_format:
        return cc_format.fix(tree)

    state_path = tree.cache("lint-state.json")
    state = state_of(tree)
    known_clean = load_state(state_path).get("clean") == state
    lines, bad = [], 0
    for name, check in CHECKS:
        if options.checks and name not in options.checks:
            continue
        start = time.monotonic()
        findings = [] if known_clean else check(tree)
        notes = [f[5:] for f in findings if f.startswith("note:")]
        findings = [f for f in findings if not f.startswith("note:")]
        took = time.monotonic() - start
        line = "%-4s %s" % ("FAIL" if findings else "ok", name)
        lines.append(line)
        if took > 1:
            line += "  (%.1f s)" % took
        if notes:
            line += "  (%s)" % "; ".join(note.strip() for note in notes)
        print(line, flush=True)
        for finding in findings:
            print("     " + finding, flush=True)
        bad += bool(findings)
    if not options.checks and not bad:
        tree.write_cache("lint-state.json", json.dumps({"clean": state}))
    if options.log:
        with open(options.log, "w", encoding="utf-8") as file:
            file.write("\n".join(lines) + "\n")
    print("lint: %d ok, %d failed%s" % (len(lines) - bad, bad, " (nothing changed since the last clean run)" if known_clean else ""))
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
