# Copyright 2026 The nearcall Authors
# SPDX-License-Identifier: Apache-2.0
"""The files of the tree, as the checks see them."""

import hashlib
import os
import re

SKIPPED_FOLDERS = {".git", ".dev", "__pycache__"}
CC_ENDS = (".h", ".cc", ".inc")


class Tree:
    def __init__(self, root):
        self.root = os.path.realpath(root)
        os.chdir(self.root)
        self.files = sorted(self._walk())
        self._texts = {}
        self._digests = {}

    def _walk(self):
        for folder, folders, names in os.walk("."):
            folders[:] = [
                f for f in folders
                if f not in SKIPPED_FOLDERS and not os.path.islink(os.path.join(folder, f))
            ]
            for name in names:
                path = os.path.normpath(os.path.join(folder, name))
                # Only regular files: bazel-* are links, and editors leave sockets and locks.
                if os.path.isfile(path) and not os.path.islink(path):
                    yield path

    def text(self, path):
        if path not in self._texts:
            with open(path, "rb") as file:
                self._texts[path] = file.read().decode("utf-8", "replace")
        return self._texts[path]

    def digest(self, path):
        if path not in self._digests:
            with open(path, "rb") as file:
                self._digests[path] = hashlib.sha256(file.read()).digest()
        return self._digests[path]

    def is_text(self, path):
        with open(path, "rb") as file:
            return b"\0" not in file.read(4096)

    def cc_files(self):
        """Our C++: not the contract's user code, which stays as it was given, and not expected outputs."""
        return [p for p in self.files if p.endswith(CC_ENDS) and not is_given(p)]

    def headers(self):
        return [p for p in self.cc_files() if p.endswith(".h")]

    def cache(self, name):
        folder = os.path.join(self.root, ".dev", "lint")
        os.makedirs(folder, exist_ok=True)
        return os.path.join(folder, name)

    def write_cache(self, name, text):
        path = self.cache(name)
        temporary = "%s.%d" % (path, os.getpid())
        with open(temporary, "w", encoding="utf-8") as file:
            file.write(text)
        os.replace(temporary, path)


def is_given(path):
    """Files that are not ours to style: contract code as it was given, golden outputs."""
    return path.startswith("tests/contract/user/") or "/golden/" in path or "/testdata/" in path


def strip_comments_and_strings(text):
    """C++ without comments and with empty literals; line numbers stay."""
    pattern = re.compile(
        r'//[^\n]*|/\*.*?\*/|R"(?P<d>[^()\\ ]{0,16})\(.*?\)(?P=d)"|"(?:\\.|[^"\\\n])*"|(?<![0-9a-fA-F])\'(?:\\.|[^\'\\\n])+\'',
        re.S)

    def blank(match):
        found = match.group(0)
        if found.startswith("/"):
            return " " + "\n" * found.count("\n")
        return '""' + "\n" * found.count("\n") if found[0] in '"R' else "' '"

    return pattern.sub(blank, text)


def line_of(text, offset):
    return text.count("\n", 0, offset) + 1
