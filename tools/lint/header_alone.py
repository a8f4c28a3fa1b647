# Copyright 2026 The nearcall Authors
# SPDX-License-Identifier: Apache-2.0
"""Every header compiles alone. Where a source of the same name includes it first, compiling that proves it, so only the
others are compiled here. Results are kept by the hash of the header and of all it includes of ours."""

import concurrent.futures
import hashlib
import json
import os
import re
import subprocess

FLAGS = ["-std=c++20", "-fsyntax-only", "-Wall", "-Wextra", "-Wpedantic", "-Werror"]
FIRST_INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*["<]([^">]+)[">]', re.M)
INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*["<]nearcall/([^">]+)[">]', re.M)
MISSING = re.compile(r"fatal error: (\S+\.(?:pb|nearcall)\.h): No such file")


def _key(tree, header, compiler):
    seen, todo = set(), [header]
    while todo:
        path = todo.pop()
        if path in seen or path not in tree.files:
            continue
        seen.add(path)
        todo += INCLUDE.findall(tree.text(path))
    digest = hashlib.sha256(compiler.encode())
    for path in sorted(seen):
        digest.update(path.encode() + tree.digest(path))
    return digest.hexdigest()


def _proven_by_its_source(tree, header):
    source = header[:-len(".h")] + ".cc"
    first = FIRST_INCLUDE.search(tree.text(source)) if source in tree.files else None
    return first is not None and first.group(1) == "nearcall/" + header


def _compile(header, include_folder):
    # A file that includes the header, not the header itself: g++ would warn about "#pragma once in main file" and such.
    # The name ends in .h where the header is for C++ only, so the language is told.
    run = subprocess.run(
        ["g++"] + FLAGS + ["-I" + include_folder, "-iquote", ".dev/bazel-bin", "-x", "c++", "-"],
        input='#include "nearcall/%s"\n' % header, capture_output=True, text=True)
    if run.returncode == 0:
        return None
    missing = MISSING.search(run.stderr)
    if missing:
        return "missing " + missing.group(1)
    errors = [line for line in run.stderr.split("\n") if ": error:" in line or "fatal error" in line]
    return (errors or run.stderr.strip().split("\n"))[0]


def _include_folder(tree):
    folder = tree.cache("include")
    os.makedirs(folder, exist_ok=True)
    link = os.path.join(folder, "nearcall")
    if not os.path.islink(link) or os.readlink(link) != tree.root:
        if os.path.lexists(link):
            os.unlink(link)
        os.symlink(tree.root, link)
    return folder


def check(tree):
    compiler = subprocess.run(["g++", "--version"], capture_output=True, text=True).stdout.split("\n")[0]
    compiler += str(FLAGS)
    try:
        clean = set(json.load(open(tree.cache("headers.json"), encoding="utf-8")))
    except (OSError, ValueError):
        clean = set()
    keys = {header: _key(tree, header, compiler) for header in tree.headers()
            if not _proven_by_its_source(tree, header)}
    todo = [header for header, key in keys.items() if key not in clean]
    folder = _include_folder(tree)
    with concurrent.futures.ThreadPoolExecutor(max_workers=2) as pool:
        results = dict(zip(todo, pool.map(lambda header: _compile(header, folder), todo)))
    bad = {header: error for header, error in results.items() if error}
    tree.write_cache("headers.json", json.dumps(sorted(k for h, k in keys.items() if h not in bad)))
    skipped = [h for h, error in bad.items() if error.startswith("missing ")]
    findings = ["%s: does not compile alone: %s" % item for item in sorted(bad.items()) if item[0] not in skipped]
    if skipped:
        findings.append("note: %d left to the build, as they include generated code: %s" % (len(skipped), " ".join(skipped)))
    return findings
