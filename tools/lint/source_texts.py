# Copyright 2026 The nearcall Authors
# SPDX-License-Identifier: Apache-2.0
"""What each file's text must and must not hold."""

import re

import tree as tree_module

COPYRIGHT = "Copyright 2026 The nearcall Authors"
LICENSE = "SPDX-License-Identifier: Apache-2.0"
CODE_ENDS = (".h", ".cc", ".inc", ".sh", ".py")
CODE_FILES = ("dev", ".ci/run")
# Spelled in pieces, so that this file does not find itself.
MACHINE_PATHS = [re.compile(r"(?<![\w.])/" + folder + r"/\w") for folder in ("wo" + "rk", "ro" + "ot", "ho" + "me")]
MACHINE_PATHS.append(re.compile("/tmp" + "/inc\\b"))


def check_copyright(tree):
    findings = []
    for path in tree.files:
        if not (path.endswith(CODE_ENDS) or path in CODE_FILES) or tree_module.is_given(path):
            continue
        head = "\n".join(tree.text(path).split("\n")[:4])
        for line in (COPYRIGHT, LICENSE):
            if line not in head:
                findings.append("%s: its first lines lack \"%s\"" % (path, line))
    return findings


def check_machine_paths(tree):
    findings = []
    for path in tree.files:
        if path == "LICENSE" or not tree.is_text(path):
            continue
        for number, line in enumerate(tree.text(path).split("\n"), 1):
            if any(pattern.search(line) for pattern in MACHINE_PATHS):
                findings.append("%s:%d: a path of one machine: %s" % (path, number, line.strip()[:100]))
    return findings


def check_guards(tree):
    findings = []
    for path in tree.headers():
        name = re.sub(r"[^A-Za-z0-9]", "_", path).upper()
        guard = name + "_" if name.startswith("NEARCALL_") else "NEARCALL_" + name + "_"
        text = tree.text(path)
        if "#ifndef %s\n#define %s\n" % (guard, guard) not in text:
            findings.append("%s: its include guard should be %s" % (path, guard))
    return findings
