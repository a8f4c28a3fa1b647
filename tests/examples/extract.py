#!/usr/bin/env python3
# Copyright 2026 The nearcall Authors
# SPDX-License-Identifier: Apache-2.0
"""Takes code out of a Markdown file, so that it can be built as it stands there.

    extract.py FILE.md NAME OUT   writes the one block whose fence is "```LANGUAGE NAME"
    extract.py FILE.md --names    lists the names; fails if a block of C++ or proto has none, so that none stays untested
"""

import re
import sys

FENCE = re.compile(r"^```(\S*)[ \t]*(\S*)\n(.*?)^```$", re.M | re.S)


def main():
    path = sys.argv[1]
    with open(path, encoding="utf-8") as file:
        blocks = FENCE.findall(file.read())
    if sys.argv[2] == "--names":
        for language, name, code in blocks:
            if language in ("cpp", "c++", "proto") and not name:
                sys.exit("%s: this block has no name, so no test builds it:\n%s" % (path, code))
            if name:
                print(name)
        return
    name, out = sys.argv[2:]
    found = [code for _, block_name, code in blocks if block_name == name]
    if len(found) != 1:
        sys.exit("%s: %d blocks named %s" % (path, len(found), name))
    with open(out, "w", encoding="utf-8") as file:
        file.write(found[0])


if __name__ == "__main__":
    main()
