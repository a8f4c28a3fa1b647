# Copyright 2026 The nearcall Authors
# SPDX-License-Identifier: Apache-2.0
"""Shell scripts parse, and start strictly."""

import subprocess

import source_texts


def check(tree):
    findings = []
    for path in tree.files:
        is_script = path in source_texts.CODE_FILES
        if not (path.endswith(".sh") or is_script):
            continue
        run = subprocess.run(["bash", "-n", path], stdin=subprocess.DEVNULL, capture_output=True, text=True)
        if run.returncode != 0:
            findings.append("%s: %s" % (path, run.stderr.strip()))
        text = tree.text(path)
        if text.startswith("#!") and "set -euo pipefail" not in text:
            findings.append("%s: lacks \"set -euo pipefail\"" % path)
    return findings
