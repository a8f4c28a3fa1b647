# Copyright 2026 The nearcall Authors
# SPDX-License-Identifier: Apache-2.0
"""Links from Markdown files to files of the tree lead somewhere, and so do their #headings."""

import os
import re
import urllib.parse

LINK = re.compile(r"(?<!\\)\[[^\]\n]*\]\(\s*<?([^)\s>]+)>?(?:\s+\"[^\"]*\")?\s*\)")


def _without_code(text):
    text = re.sub(r"^```.*?^```", lambda m: "\n" * m.group(0).count("\n"), text, flags=re.M | re.S)
    return re.sub(r"`[^`\n]*`", "", text)


def _anchors(text):
    anchors = set()
    for heading in re.findall(r"^#+\s+(.*?)\s*#*$", re.sub(r"^```.*?^```", "", text, flags=re.M | re.S), re.M):
        heading = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading)
        anchors.add(re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-"))
    return anchors


def check(tree):
    findings = []
    for path in tree.files:
        if not path.endswith(".md"):
            continue
        text = _without_code(tree.text(path))
        for match in LINK.finditer(text):
            link = match.group(1)
            if re.match(r"[a-zA-Z][a-zA-Z0-9+.-]*:", link):
                continue
            line = text.count("\n", 0, match.start()) + 1
            file, _, anchor = link.partition("#")
            target = os.path.normpath(os.path.join(os.path.dirname(path), urllib.parse.unquote(file))) if file else path
            if target.startswith("..") or not os.path.exists(target):
                findings.append("%s:%d: link to %s, which is not there" % (path, line, link))
            elif anchor and target.endswith(".md") and anchor not in _anchors(tree.text(target)):
                findings.append("%s:%d: link to %s: no such heading" % (path, line, link))
    return findings
