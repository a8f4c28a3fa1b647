# Copyright 2026 The nearcall Authors
# SPDX-License-Identifier: Apache-2.0
"""Coroutine shapes that GCC 12 miscompiles, refused in examples, tests and documents (which users copy from).

Refused: a bare co_await in the condition of if, while, switch or for; co_await inside ?:; a lambda that captures by value
inside a co_await expression; an aggregate built in place there. A line with "lint: coroutine-shape" is let through.
"""

import re

import tree as tree_module

FOLDERS = ("examples/", "tests/", "docs/")
DECLARATION = re.compile(r"^\s*(?:const\s+)?[A-Za-z_][\w:<>,&*\s]*[\s&*]\w+\s*=\s*$")
LAMBDA = re.compile(r"(?<![\w\])])\[([^\[\]]*)\]\s*(?:\(|\{|mutable|->)")
AGGREGATE = re.compile(r"[(,]\s*(?:[A-Za-z_][\w:]*(?:<[^<>]*>)?)?\s*\{\s*[^}\s]")


def _balanced(text, start):
    """The text between the bracket at `start` and its partner."""
    depth = 0
    for i in range(start, len(text)):
        if text[i] in "([{":
            depth += 1
        elif text[i] in ")]}":
            depth -= 1
            if depth == 0:
                return text[start + 1:i]
    return text[start + 1:]


def _operand(text, start):
    """The rest of the full expression after a co_await."""
    depth = 0
    for i in range(start, len(text)):
        if text[i] in "([{":
            depth += 1
        elif text[i] in ")]}":
            depth -= 1
            if depth < 0:
                return text[start:i]
        elif text[i] == ";" and depth == 0:
            return text[start:i]
    return text[start:]


def _captures_by_value(captures):
    for capture in captures.split(","):
        capture = capture.strip()
        if capture and not capture.startswith("&") and capture != "this":
            return True
    return False


def findings_in(text):
    """[(offset, what is wrong)] for C++ text; comments and strings are already blank."""
    found = []
    for match in re.finditer(r"\b(if|while|switch|for)\s*(?:constexpr\s*)?\(", text):
        word = match.group(1)
        condition = _balanced(text, match.end() - 1)
        for part in condition.split(";"):
            await_at = part.find("co_await")
            if await_at >= 0 and not DECLARATION.match(part[:await_at]) and not (word == "for" and ":" in part[:await_at]):
                found.append((match.start(), "co_await in the condition of %s: first give it a name" % word))
                break
    for match in re.finditer(r"\bco_await\b", text):
        line_start = max(text.rfind(";", 0, match.start()), text.rfind("{", 0, match.start()),
                         text.rfind("}", 0, match.start())) + 1
        before = text[line_start:match.start()]
        operand = _operand(text, match.end())
        if re.search(r"\?(?![?=])", before) or re.search(r"\?[^;]*(?<!:):(?!:)", operand):
            found.append((match.start(), "co_await inside ?: : write if and else"))
        for intro in LAMBDA.finditer(operand):
            if _captures_by_value(intro.group(1)):
                found.append((match.start(), "a lambda that captures by value in a co_await expression: name it first"))
                break
        if AGGREGATE.search(operand):
            found.append((match.start(), "an aggregate built in a co_await expression: name it first"))
    return found


def _report(path, text, original, first_line, findings):
    lines = original.split("\n")
    for offset, what in sorted(findings_in(text)):
        line = tree_module.line_of(text, offset)
        if "lint: coroutine-shape" not in lines[line - 1]:
            findings.append("%s:%d: %s" % (path, line + first_line, what))


def check(tree):
    findings = []
    for path in tree.files:
        if path.endswith((".h", ".cc")) and path.startswith(FOLDERS) and "/golden/" not in path:
            original = tree.text(path)
            _report(path, tree_module.strip_comments_and_strings(original), original, 0, findings)
        elif path.endswith(".md"):
            for block in re.finditer(r"^```(?:cpp|c\+\+|cc)\n(.*?)^```", tree.text(path), re.M | re.S):
                first = tree.text(path).count("\n", 0, block.start(1))
                _report(path, tree_module.strip_comments_and_strings(block.group(1)), block.group(1), first, findings)
    return findings
